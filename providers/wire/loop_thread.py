"""One event loop in a background thread, on which sync code makes its HTTP requests.

So there is one HTTP client, with one set of limits, for sync and async code. A blocking client
could neither end a request whose headers are dripped byte by byte, nor be stopped by a caller.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar

from turngraph.state.forks import renew_after_fork
from turngraph.state.interruptible_waits import InterruptibleWaits

__all__ = ["LOOP_THREAD", "LoopThread"]

T = TypeVar("T")


class LoopThread:
    """An event loop in a daemon thread. It is started at the first use, and again after a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._waits = InterruptibleWaits()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Returns what `coroutine` returns on the loop, or raises what it raises.

        If the waiting is interrupted (Ctrl-C, or by `interruptible`), the coroutine is cancelled.
        """
        future: Future[T] = asyncio.run_coroutine_threadsafe(coroutine, self._running_loop())
        try:
            return self._waits.result_of(future)
        except BaseException:
            future.cancel()
            raise
        finally:
            del future  # its error refers to this frame: a ring that only the collector would free

    def interruptible(self, check: Callable[[], None]) -> AbstractContextManager[None]:
        """Within the block, this thread calls `check` while it waits, twenty times a second.

        What `check` raises ends the wait, and is raised by `run`.
        """
        return self._waits.interruptible(check)

    def call(self, function: Callable[[], object]) -> None:
        """Calls `function` on the loop, without waiting for it."""
        self._running_loop().call_soon_threadsafe(function)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            # Threads do not survive a fork, and the child must not touch the parent's sockets.
            if self._loop is None or self._pid != os.getpid():
                self._loop, self._pid = asyncio.new_event_loop(), os.getpid()
                name = "turngraph-http"
                run = self._loop.run_forever
                self._thread = threading.Thread(target=run, name=name, daemon=True)
                self._thread.start()
            return self._loop

    def stop(self) -> None:
        """Ends the thread and closes its connections; the next request starts it again.

        A program that forks calls this first: from Python 3.12 on, a fork beside a running thread
        is reported as a warning.
        """
        with self._lock:
            loop, thread, self._loop = self._loop, self._thread, None
        if loop is None or thread is None:
            return
        # Sessions are closed by async generators, which wait for the end of their loop.
        asyncio.run_coroutine_threadsafe(loop.shutdown_asyncgens(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def has(self, sessions: Mapping[asyncio.AbstractEventLoop, object]) -> bool:
        """Returns whether `sessions` has one of this thread's loop."""
        return self._loop is not None and self._loop in sessions

    def forget_after_fork(self) -> None:
        """Makes the child of a fork start a loop of its own, with a lock that nobody holds."""
        self._lock, self._loop = threading.Lock(), None


LOOP_THREAD: Final = LoopThread()
renew_after_fork(LOOP_THREAD, LoopThread.forget_after_fork)
