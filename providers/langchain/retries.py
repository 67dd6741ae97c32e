"""Retries of the chat model. (A turn has its own place for them: the stage `call_llm`.)"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from turngraph.providers.wire.retry_delay import retry_delay_s
from turngraph.state.errors import ProviderError

__all__ = ["acall_with_retries", "call_with_retries"]

T = TypeVar("T")


def call_with_retries(call: Callable[[], T], max_retries: int) -> T:
    """Returns what `call` returns, after up to `max_retries` further tries.

    It is tried again if it raises a ProviderError that is `retryable`, after `retry_delay_s`. Any
    other error is raised at once, and so is the last one.

    >>> call_with_retries(lambda: "answer", 2)
    'answer'
    """
    for retries in range(max_retries):
        try:
            return call()
        except ProviderError as error:
            time.sleep(_delay_or_raise(error, retries))
    return call()


async def acall_with_retries(call: Callable[[], Awaitable[T]], max_retries: int) -> T:
    """Async version of `call_with_retries`."""
    for retries in range(max_retries):
        try:
            return await call()
        except ProviderError as error:
            await asyncio.sleep(_delay_or_raise(error, retries))
    return await call()


def _delay_or_raise(error: ProviderError, retries: int) -> float:
    delay_s = retry_delay_s(error, retries=retries, jitter=random.random())  # noqa: S311
    if delay_s is None:
        raise error
    return delay_s
