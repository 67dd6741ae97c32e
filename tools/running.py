"""Runs a tool with a time limit: in its own thread, as a task, or on a background event loop.

A thread cannot be stopped from outside. A thread that hangs is abandoned: it is a daemon and
belongs to no pool, so neither other tools nor the exit of the interpreter wait for it.
"""

import asyncio
import contextvars
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

__all__ = ["BackgroundLoop", "Outcome", "run_as_task", "run_in_thread", "run_in_thread_async"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """How work ended: with a value, with an error, or not within its time."""

    value: T | None = None
    error: BaseException | None = None
    timed_out: bool = False


def run_in_thread(work: Callable[[], T], timeout_s: float) -> Outcome[T]:
    """Runs `work` in a new daemon thread, in a copy of this context, for at most `timeout_s`
    seconds.
    """
    future = _start_thread(work)
    try:
        return future.result(timeout_s)
    except FutureTimeout:
        return Outcome(timed_out=True)


async def run_in_thread_async(work: Callable[[], T], timeout_s: float) -> Outcome[T]:
    """Async version of `run_in_thread`. It does not use the thread pool of the running loop."""
    future = asyncio.wrap_future(_start_thread(work))
    done, _ = await asyncio.wait({future}, timeout=timeout_s)
    return future.result() if done else Outcome(timed_out=True)


async def run_as_task(work: Callable[[], Coroutine[Any, Any, T]], timeout_s: float) -> Outcome[T]:
    """Runs `work()` as a task of this loop for at most `timeout_s` seconds.

    A task that ignores its cancellation is abandoned, not awaited.
    """
    task = asyncio.create_task(_await_outcome(work))
    try:
        # `asyncio.wait_for` would wait until the task has accepted its cancellation.
        done, _ = await asyncio.wait({task}, timeout=timeout_s)
    finally:
        task.cancel()
    return task.result() if done else Outcome(timed_out=True)


class BackgroundLoop:
    """An event loop in a daemon thread, started at the first use, for async work of sync code."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0

    def run(
        self, work: Callable[[], Coroutine[Any, Any, T]], timeout_s: float | None = None
    ) -> Outcome[T]:
        """Runs `work()` on the loop, in a copy of this context, for at most `timeout_s` seconds.

        None waits until it ends.
        """
        future: Future[Outcome[T]] = Future()
        future.set_running_or_notify_cancel()
        self._running_loop().call_soon_threadsafe(
            _start_task, work, future, context=contextvars.copy_context()
        )
        try:
            return future.result(timeout_s)
        except FutureTimeout:
            return Outcome(timed_out=True)

    def close(self) -> None:
        """Cancels what runs on the loop and ends its thread. The next `run` starts a new one."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            # A forked process inherits the loop object, but not the thread that runs it.
            if self._loop is None or self._pid != os.getpid():
                self._loop, self._pid = asyncio.new_event_loop(), os.getpid()
                threading.Thread(
                    target=_serve, args=(self._loop,), name="turngraph-tools", daemon=True
                ).start()
            return self._loop


def _start_thread(work: Callable[[], T]) -> Future[Outcome[T]]:
    future: Future[Outcome[T]] = Future()
    # From here on `cancel()` has no effect; a cancelled future would make `set_result` raise below.
    future.set_running_or_notify_cancel()
    context = contextvars.copy_context()
    thread = threading.Thread(
        target=lambda: future.set_result(context.run(_outcome, work)),
        name="turngraph-tool",
        daemon=True,
    )
    thread.start()
    return future


def _outcome(work: Callable[[], T]) -> Outcome[T]:
    try:
        return Outcome(work())
    except BaseException as error:  # noqa: BLE001  the waiting thread decides what to do with it
        return Outcome(error=error)


async def _await_outcome(work: Callable[[], Coroutine[Any, Any, T]]) -> Outcome[T]:
    try:
        return Outcome(await work())
    except BaseException as error:  # noqa: BLE001  the waiting task decides what to do with it
        return Outcome(error=error)


def _start_task(work: Callable[[], Coroutine[Any, Any, T]], future: "Future[Outcome[T]]") -> None:
    task = asyncio.get_running_loop().create_task(_await_outcome(work))
    task.add_done_callback(lambda done: future.set_result(done.result()))


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    """Runs `loop` until it is stopped, then cancels what is left on it and closes it."""
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        # One second: a task that ignores its cancellation must not keep the thread alive.
        loop.run_until_complete(asyncio.wait(left, timeout=1) if left else asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
