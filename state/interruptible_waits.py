"""Waits of a thread that can end before what they wait for, because somebody no longer wants it."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from math import inf
from typing import Final, TypeVar

__all__ = ["InterruptibleWaits"]

T = TypeVar("T")

_POLL_S: Final = 0.05
"""Seconds between two calls of a check."""


class InterruptibleWaits(threading.local):
    """What the waits of each thread look at: nothing, outside of `interruptible`.

    >>> def check():
    ...     raise ValueError("no longer wanted")
    >>> waits = InterruptibleWaits()
    >>> with waits.interruptible(check):
    ...     waits.result_of(Future())
    Traceback (most recent call last):
        ...
    ValueError: no longer wanted
    """

    _check: Callable[[], None] | None = None

    @contextmanager
    def interruptible(self, check: Callable[[], None]) -> Iterator[None]:
        """Within the block, this thread calls `check` while it waits, twenty times a second.

        What `check` raises ends the wait, and is raised by `result_of`.
        """
        before, self._check = self._check, check
        try:
            yield
        finally:
            self._check = before

    def result_of(self, future: "Future[T]", timeout_s: float | None = None) -> T:
        """Returns the result of `future`.

        Raises what it raises or what the check raises, and TimeoutError after `timeout_s` seconds.
        """
        check = self._check
        try:
            if check is None:
                return future.result(timeout_s)
            ends_at = inf if timeout_s is None else time.monotonic() + timeout_s
            while not future.done():
                check()
                left_s = ends_at - time.monotonic()
                if left_s <= 0:
                    break
                wait([future], timeout=min(left_s, _POLL_S))
            return future.result(0)
        finally:
            del future  # its error refers to this frame: a ring that only the collector would free
