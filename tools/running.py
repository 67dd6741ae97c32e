"""Runs a tool with a time limit: in its own thread, as a task, or on a background event loop.

A thread cannot be stopped from outside. A thread that hangs is abandoned: it is a daemon and never
takes work again, so neither other tools nor the exit of the interpreter wait for it. A thread that
has finished in time is kept for the next call, because to start one is a large part of a call.
"""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, TimeoutError as FutureTimeout
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Final, Generic, TypeVar

from turngraph.state.forks import renew_after_fork
from turngraph.state.interruptible_waits import InterruptibleWaits

__all__ = [
    "BackgroundLoop",
    "Outcome",
    "interruptible",
    "run_as_task",
    "run_in_thread",
    "run_in_thread_async",
    "sleep",
]

T = TypeVar("T")

MAX_IDLE: Final = 16
"""Threads that wait for work at the same time. Calls are not limited: more threads start as needed
and end when this many are idle.
"""
IDLE_S: Final = 30.0
"""Seconds after which a thread without work ends."""
_waits: Final = InterruptibleWaits()
interruptible: Final = _waits.interruptible
"""Within its block, what this thread waits for here is abandoned once the given check raises."""


def sleep(seconds: float) -> None:
    """Waits `seconds`, or less if the wait is interrupted."""
    with suppress(FutureTimeout):
        _waits.result_of(Future(), seconds)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """How work ended: with a value, with an error, or not within its time."""

    value: T | None = None
    error: BaseException | None = None
    timed_out: bool = False


def run_in_thread(work: Callable[[], T], timeout_s: float) -> Outcome[T]:
    """Runs `work` in a daemon thread, in a copy of this context, for at most `timeout_s` seconds.

    The thread is an idle one, or a new one if none is idle.
    """
    job = _start_job(work)
    try:
        return _waits.result_of(job.future, timeout_s)
    except FutureTimeout:
        return Outcome(timed_out=True)
    finally:
        job.abandoned = not job.future.done()


async def run_in_thread_async(work: Callable[[], T], timeout_s: float) -> Outcome[T]:
    """Async version of `run_in_thread`. It does not use the thread pool of the running loop."""
    job = _start_job(work)
    future = asyncio.wrap_future(job.future)
    try:
        done, _ = await asyncio.wait({future}, timeout=timeout_s)
        return future.result() if done else Outcome(timed_out=True)
    finally:
        job.abandoned = not job.future.done()


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
        renew_after_fork(self, BackgroundLoop._forget)

    def run(
        self, work: Callable[[], Coroutine[Any, Any, T]], timeout_s: float | None = None
    ) -> Outcome[T]:
        """Runs `work()` on the loop, in a copy of this context, for at most `timeout_s` seconds.

        None waits until it ends. What has not ended in its time is cancelled, and not awaited.
        """
        future: Future[Outcome[T]] = Future()
        future.set_running_or_notify_cancel()
        tasks: list[asyncio.Task[Outcome[T]]] = []
        loop = self._running_loop()
        loop.call_soon_threadsafe(
            _start_task, work, future, tasks, context=contextvars.copy_context()
        )
        try:
            return _waits.result_of(future, timeout_s)
        except FutureTimeout:
            return Outcome(timed_out=True)
        finally:
            if not future.done() and not loop.is_closed():
                loop.call_soon_threadsafe(_cancel_all, tasks)

    def close(self) -> None:
        """Cancels what runs on the loop and ends its thread. The next `run` starts a new one."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(
                    target=_serve, args=(self._loop,), name="turngraph-tools", daemon=True
                ).start()
            return self._loop

    def _forget(self) -> None:
        # A forked process inherits the loop object and the lock, but no thread.
        self._lock, self._loop = threading.Lock(), None


@dataclass(slots=True)
class _Job(Generic[T]):
    """Work for a thread. `abandoned` once nobody waits for it any more."""

    work: Callable[[], T]
    context: contextvars.Context = field(default_factory=contextvars.copy_context)
    future: Future[Outcome[T]] = field(default_factory=Future)
    abandoned: bool = False


class _Worker:
    """A daemon thread that runs one job after the other, and waits in a list while it has none."""

    def __init__(self, job: _Job[Any]) -> None:
        self._jobs: SimpleQueue[_Job[Any]] = SimpleQueue()
        self._jobs.put(job)
        threading.Thread(target=self._serve, name="turngraph-tool", daemon=True).start()

    def take(self, job: _Job[Any]) -> None:
        """Runs `job` next. Only for a worker that was taken out of the list of idle ones."""
        self._jobs.put(job)

    def _serve(self) -> None:
        while (job := self._next_job()) is not None:
            outcome = job.context.run(_outcome, job.work)
            # Before the result is set: whoever waits for it may have the next job at once.
            stays = not job.abandoned and _idle.add(self)
            job.future.set_result(outcome)
            del job, outcome  # an idle thread must not keep a tool's result alive
            if not stays:
                return

    def _next_job(self) -> "_Job[Any] | None":
        try:
            return self._jobs.get(timeout=IDLE_S)
        except Empty:
            # If another thread has just taken this worker, its job is about to arrive.
            return None if _idle.remove(self) else self._jobs.get()


class _IdleWorkers:
    """The workers that wait for a job. The one that waits shortest is taken first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._workers: list[_Worker] = []

    def add(self, worker: _Worker) -> bool:
        """Whether there was room for `worker`."""
        with self._lock:
            if len(self._workers) >= MAX_IDLE:
                return False
            self._workers.append(worker)
            return True

    def take(self) -> _Worker | None:
        with self._lock:
            return self._workers.pop() if self._workers else None

    def remove(self, worker: _Worker) -> bool:
        """Whether `worker` was in the list."""
        with self._lock:
            if worker not in self._workers:
                return False
            self._workers.remove(worker)
            return True

    def forget(self) -> None:
        """Begins anew. A forked process inherits the list and the lock, but none of the threads."""
        self._lock, self._workers = threading.Lock(), []


_idle: Final = _IdleWorkers()
"""Shared by all toolboxes, so that many small turns in a process do not keep threads of their own.
"""
renew_after_fork(_idle, _IdleWorkers.forget)


def _start_job(work: Callable[[], T]) -> _Job[T]:
    job = _Job(work)
    # From here on `cancel()` has no effect; a cancelled future would make `set_result` raise.
    job.future.set_running_or_notify_cancel()
    worker = _idle.take()
    if worker is None:
        _Worker(job)
    else:
        worker.take(job)
    return job


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


def _start_task(
    work: Callable[[], Coroutine[Any, Any, T]],
    future: "Future[Outcome[T]]",
    tasks: list[asyncio.Task[Outcome[T]]],
) -> None:
    task = asyncio.get_running_loop().create_task(_await_outcome(work))
    tasks.append(task)

    def keep(done: asyncio.Task[Outcome[T]]) -> None:
        if not done.cancelled():
            future.set_result(done.result())

    task.add_done_callback(keep)


def _cancel_all(tasks: list[asyncio.Task[Outcome[T]]]) -> None:
    for task in tasks:
        task.cancel()


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
