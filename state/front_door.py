"""Front doors that open when knocked at: a room's `__init__` names its public things, and imports none of them.

Importing any file of a room runs its `__init__` first; one that imported everything would make every import a slow
one, and close rings.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["front_door"]


def front_door(room: str, places: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` (PEP 562) of `room`, whose public names stand in the files of `places`.

    >>> look_up, names = front_door("turngraph.state", {"Usage": "usage"})
    >>> look_up("Usage").__name__, names()
    ('Usage', ['Usage'])
    """

    def look_up(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        return getattr(import_module(f"{room}.{places[name]}"), name)

    return look_up, lambda: sorted(places)
