"""A dictionary that drops its oldest entries, so that a server that runs for days stays small."""

from collections import OrderedDict
from typing import TypeVar

__all__ = ["BoundedDict"]

K = TypeVar("K")
V = TypeVar("V")


class BoundedDict(OrderedDict[K, V]):
    """Keeps at most `max_size` entries; adding one more drops the entry that was added first.

    >>> recent = BoundedDict[str, int](max_size=2)
    >>> for key in "abc":
    ...     recent[key] = 1
    >>> list(recent)
    ['b', 'c']
    """

    def __init__(self, max_size: int) -> None:
        super().__init__()
        self._max_size = max_size

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        while len(self) > self._max_size:
            self.popitem(last=False)
