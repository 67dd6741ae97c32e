"""How deep JSON is nested: pydantic, jsonschema and the JSON encoder recurse, and have an end."""

from collections.abc import Iterable, Mapping
from typing import Final

__all__ = ["SCHEMA_LEVELS", "is_deeper_than"]

SCHEMA_LEVELS: Final = 100
"""Levels of objects and lists in a JSON schema: fifty objects inside each other. The arguments of a
call have at most 64 levels.
"""


def is_deeper_than(levels: int, value: object) -> bool:
    """Whether `value` has more than so many levels of objects and lists inside each other.

    >>> is_deeper_than(1, {"a": 1}), is_deeper_than(1, {"a": []})
    (False, True)
    """
    level = [value]
    for _ in range(levels):
        level = [inner for each in level for inner in _inner(each)]
        if not any(isinstance(each, Mapping | list | tuple) for each in level):
            return False
    return True


def _inner(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list | tuple) else ()
