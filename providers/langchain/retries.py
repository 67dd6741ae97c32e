"""Asking again where that may help, for the chat model; a turn has a place of its own for that
(`call_llm`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from turngraph.state.errors import ProviderError

__all__ = ["aretried", "pause_s", "retried"]

_LONGEST_WAIT_S: Final = 60.0
"""A vendor that asks for more is not waited for: the caller is told instead."""

T = TypeVar("T")


def retried(call: Callable[[], T], retries: int) -> T:
    """What `call` gives, asked up to `retries` times more where it raises a retryable
    ProviderError.

    >>> retried(lambda: "answer", 2)
    'answer'
    """
    for made in range(retries):
        try:
            return call()
        except ProviderError as error:
            time.sleep(_pause_or_raise(error, made))
    return call()


async def aretried(call: Callable[[], Awaitable[T]], retries: int) -> T:
    """`retried`, on the running event loop."""
    for made in range(retries):
        try:
            return await call()
        except ProviderError as error:
            await asyncio.sleep(_pause_or_raise(error, made))
    return await call()


def _pause_or_raise(error: ProviderError, made: int) -> float:
    wait_s = pause_s(error, made)
    if wait_s is None:
        raise error
    return wait_s


def pause_s(error: ProviderError, made: int) -> float | None:
    """Seconds until the next try, after `made` retries; `None` where there is none.

    >>> error = ProviderError("Slow down.", kind="rate_limit")
    >>> pause_s(error, 0), pause_s(error, 3)
    (0.5, 4.0)
    """
    if not error.retryable:
        return None
    if error.retry_after_s is None:
        return float(min(0.5 * 2**made, 8.0))
    return error.retry_after_s if error.retry_after_s <= _LONGEST_WAIT_S else None
