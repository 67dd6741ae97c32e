"""JSON for people: what fits on a line stays on one line, and only the rest is indented."""

import json
from collections.abc import Iterator
from typing import Any

__all__ = ["compact_json"]


def compact_json(value: object, width: int = 100) -> str:
    """Returns `value` as JSON, indented where it is nested and wider than `width` characters.

    A long string stays on its line, however long it is.

        >>> function = {"name": "add", "parameters": {"type": "object"}}
        >>> tool = {"type": "function", "function": function}
        >>> print(compact_json({"model": "m", "tools": [tool]}, width=40))
        {"model": "m", "tools": [
          {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
        ]}
    """
    return "\n".join(_lines(value, "", width))


def _lines(value: Any, prefix: str, width: int) -> Iterator[str]:
    """Yields the lines of `value`; the first begins with `prefix`."""
    flat = _dump(value)
    if len(prefix) + len(flat) <= width or not _is_nested(value):
        yield prefix + flat
        return
    if isinstance(value, dict):
        *first, (name, last) = value.items()
        # Where only the last member is nested, the others stay on the first line with it.
        if not any(isinstance(item, dict | list) for _, item in first):
            members = "".join(f"{_dump(key)}: {_dump(item)}, " for key, item in first)
            *before, end = _lines(last, f"{prefix}{{{members}{_dump(name)}: ", width)
            yield from before
            yield end + "}"
            return
    yield from _member_lines(value, prefix, width)


def _member_lines(value: dict[str, Any] | list[Any], prefix: str, width: int) -> Iterator[str]:
    """Yields one member of an object or array after another, each on lines of its own."""
    indent = " " * (len(prefix) - len(prefix.lstrip()) + 2)
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    yield prefix + opening
    if isinstance(value, dict):
        members = [(f"{_dump(name)}: ", item) for name, item in value.items()]
    else:
        members = [("", item) for item in value]
    for place, (key, item) in enumerate(members, 1):
        *before, end = _lines(item, indent + key, width)
        yield from before
        yield end if place == len(members) else end + ","
    yield indent[2:] + closing


def _is_nested(value: object) -> bool:
    """Whether `value` holds an object or array that is not empty."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(isinstance(item, dict | list) and item for item in inner)


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
