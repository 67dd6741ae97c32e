"""Waiting for a tool, no longer than it may take: in a thread of its own, as a task, or on a
background loop.

A thread cannot be stopped from outside. One that hangs is left behind: it is a daemon, belongs to
no pool, and keeps neither its siblings nor the interpreter's exit waiting.
"""

import asyncio
import contextvars
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

__all__ = ["BackgroundLoop", "Outcome", "in_task", "in_thread", "in_thread_async"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """How work ended: with a value, with an error, or not in time."""

    value: T | None = None
    error: BaseException | None = None
    late: bool = False


def in_thread(work: Callable[[], T], timeout_s: float) -> Outcome[T]:
    """Do `work` in a fresh daemon thread, in a copy of this context, and wait at most `timeout_s`
    seconds.
    """
    future = _started(work)
    try:
        return future.result(timeout_s)
    except FutureTimeout:
        return Outcome(late=True)


async def in_thread_async(work: Callable[[], T], timeout_s: float) -> Outcome[T]:
    """As `in_thread`, without blocking the running loop, and without a place in its pool."""
    future = asyncio.wrap_future(_started(work))
    done, _ = await asyncio.wait({future}, timeout=timeout_s)
    return future.result() if done else Outcome(late=True)


async def in_task(work: Callable[[], Coroutine[Any, Any, T]], timeout_s: float) -> Outcome[T]:
    """Run `work()` as a task of this loop; one that ignores its cancellation is left behind, not
    waited for.
    """
    task = asyncio.create_task(_kept(work))
    try:
        done, _ = await asyncio.wait({task}, timeout=timeout_s)
    finally:
        task.cancel()
    return task.result() if done else Outcome(late=True)


class BackgroundLoop:
    """One event loop in a daemon thread, started when first needed, for async work asked for by
    sync code.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0

    def run(
        self, work: Callable[[], Coroutine[Any, Any, T]], timeout_s: float | None = None
    ) -> Outcome[T]:
        """Run `work()` there in a copy of this context, and wait at most `timeout_s` seconds
        (`None`: to the end).
        """
        future: Future[Outcome[T]] = Future()
        future.set_running_or_notify_cancel()
        self._started().call_soon_threadsafe(
            _begin, work, future, context=contextvars.copy_context()
        )
        try:
            return future.result(timeout_s)
        except FutureTimeout:
            return Outcome(late=True)

    def close(self) -> None:
        """Cancel what runs there and end the thread. Used again, it starts anew."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if (
                self._loop is None or self._pid != os.getpid()
            ):  # a forked process has the loop, but not its thread
                self._loop, self._pid = asyncio.new_event_loop(), os.getpid()
                threading.Thread(
                    target=_serve, args=(self._loop,), name="turngraph-tools", daemon=True
                ).start()
            return self._loop


def _started(work: Callable[[], T]) -> Future[Outcome[T]]:
    future: Future[Outcome[T]] = Future()
    future.set_running_or_notify_cancel()  # so that nobody's cancel() makes set_result fail below
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
    except BaseException as error:  # noqa: BLE001  handed over to the waiting thread, which judges it
        return Outcome(error=error)


async def _kept(work: Callable[[], Coroutine[Any, Any, T]]) -> Outcome[T]:
    try:
        return Outcome(await work())
    except BaseException as error:  # noqa: BLE001  handed over to the waiting task, which judges it
        return Outcome(error=error)


def _begin(work: Callable[[], Coroutine[Any, Any, T]], future: "Future[Outcome[T]]") -> None:
    task = asyncio.get_running_loop().create_task(_kept(work))
    task.add_done_callback(lambda done: future.set_result(done.result()))


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.wait(left, timeout=1) if left else asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
