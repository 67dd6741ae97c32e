"""One event loop on one thread, for everything that a stepper waits for.

Notebook cells, widget buttons and plain scripts come from different threads and event loops, while
HTTP clients, locks and checkpointers belong to a single loop. All of them hand their work to this
loop.
"""

import asyncio
import threading
import weakref
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from turngraph.state.errors import TurnInvocationError

__all__ = ["BackgroundLoop"]

T = TypeVar("T")


class BackgroundLoop:
    """Runs coroutines on the event loop of a daemon thread, which lives as long as this object.

    >>> async def answer() -> int:
    ...     return 42
    >>> loop = BackgroundLoop()
    >>> loop.run(answer())
    42
    >>> loop.close()
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=_run_loop, args=(self._loop,), name="turngraph-stepper", daemon=True
        )
        self._thread.start()
        self._running: set[Future[Any]] = set()
        # The thread must not keep this object alive, so it is given the loop and not `self`.
        self._finalizer = weakref.finalize(self, _stop_loop, self._loop, self._thread)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Blocks the calling thread until `work` is done and returns its result.

        Raises TurnInvocationError when it is called from inside a step.
        """
        if threading.current_thread() is self._thread:
            work.close()  # or Python warns that it was never awaited
            raise TurnInvocationError(
                "A step cannot be taken from inside a step: its thread would wait for itself."
            )
        return self._begin(work).result()

    async def arun(self, work: Coroutine[Any, Any, T]) -> T:
        """Async version of `run`; the caller may be on any other event loop."""
        return await asyncio.wrap_future(self._begin(work))

    def cancel(self) -> None:
        """Cancels everything that runs; whoever waits for it gets a CancelledError."""
        for future in tuple(self._running):
            future.cancel()

    def close(self) -> None:
        """Cancels everything, then stops the loop and its thread, which closes the connections that
        were opened on the loop.
        """
        self.cancel()
        self._finalizer()

    def _begin(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return future


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        # As `asyncio.run` ends: what was cancelled may clean up.
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()


def _stop_loop(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    if loop.is_closed():
        return
    loop.call_soon_threadsafe(loop.stop)
    # The garbage collector may run this on the loop's own thread, which cannot join itself.
    if threading.current_thread() is not thread:
        thread.join(timeout=10)
