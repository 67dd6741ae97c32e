"""Waits on an event loop for a call in a thread.

asyncio's `run_in_executor` under `shield` does the same with three futures, their callbacks and
their locks for each call, which is more work than a small transaction.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar

__all__ = ["in_thread"]

T = TypeVar("T")

_log: Final = logging.getLogger("turngraph.billing")


async def in_thread(threads: Executor, call: Callable[[], T]) -> T:
    """Returns what `call` returns in one of `threads`, or raises what it raises.

    If the task is cancelled, nobody waits any more, and `call` goes on to its end.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            end = partial(_return, done, call())
        except BaseException as exc:  # noqa: BLE001  raised where the call is waited for
            end = partial(_raise, done, exc)
        with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
            loop.call_soon_threadsafe(end)

    threads.submit(run)
    return await done


def _return(done: "asyncio.Future[T]", result: T) -> None:
    if not done.done():
        done.set_result(result)


def _raise(done: "asyncio.Future[T]", error: BaseException) -> None:
    if done.done():
        _log.warning("Not written to the ledger: %s", error)
    else:
        done.set_exception(error)
