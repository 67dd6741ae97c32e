"""What a forked process must make anew, in one list.

A forked process inherits the objects of its parent, but none of its threads; locks may be held by a
thread that is not there, and connections go on being used by the parent. A server may open a
ledger, or run a turn, and then fork its workers.
"""

import os
from collections.abc import Callable
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

__all__ = ["renew_after_fork"]

T = TypeVar("T")

_renewals: Final[WeakKeyDictionary[Any, Callable[[Any], object]]] = WeakKeyDictionary()
"""Objects, in the order in which they were made: what one uses is renewed before it."""


def renew_after_fork(thing: T, renew: Callable[[T], object]) -> None:
    """Has `renew(thing)` called in every process that is forked from this one, before anything else
    runs there. It does not keep `thing` alive.
    """
    _renewals[thing] = renew


def _renew_all() -> None:
    for thing, renew in list(_renewals.items()):
        renew(thing)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
