"""One event loop in one thread of its own, for everything a stepper waits for.

A notebook's cells, its widget's buttons and a plain script come from changing threads and event
loops; clients, locks and savers belong to one loop. So all of them hand their work to this one.
"""

import asyncio
import threading
import weakref
from collections.abc import Coroutine
from typing import Any, TypeVar

from turngraph.state.errors import TurnInvocationError

__all__ = ["BackgroundLoop"]

T = TypeVar("T")


class BackgroundLoop:
    """Runs coroutines on a daemon thread's event loop, one thread for as long as this object lives.

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
            target=_serve, args=(self._loop,), name="turngraph-stepper", daemon=True
        )
        self._thread.start()
        self._finalizer = weakref.finalize(self, _stop, self._loop, self._thread)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` returns, waited for in this thread. Raises TurnInvocationError inside a step
        itself.
        """
        if threading.current_thread() is self._thread:
            work.close()
            raise TurnInvocationError(
                "A step cannot be taken from inside a step: its thread would wait for itself."
            )
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def arun(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` returns, awaited on any other event loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def close(self) -> None:
        """End the loop and its thread; connections that were opened on it are closed."""
        self._finalizer()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()


def _stop(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    if loop.is_closed():
        return
    loop.call_soon_threadsafe(loop.stop)
    if threading.current_thread() is not thread:
        thread.join(timeout=10)
