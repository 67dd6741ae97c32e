"""JSON to be read: what holds nothing nested stands on one line, and only the rest is opened up."""

import json
from collections.abc import Iterator
from typing import Any

__all__ = ["fitted_json"]


def fitted_json(value: Any, width: int = 100) -> str:
    """`value` as JSON, opened up where it is wider than `width` characters and holds something to
    open.

    A long text stays on its line, however long.

        >>> tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
        >>> print(fitted_json({"model": "m", "tools": [tool]}, width=40))
        {"model": "m", "tools": [
          {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
        ]}
    """
    return "\n".join(_lines(value, "", width))


def _lines(value: Any, lead: str, width: int) -> Iterator[str]:
    """The lines of `value`, the first of which begins with `lead`."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(lead) + len(flat) <= width or not _nested(value):
        yield lead + flat
        return
    if isinstance(value, dict):
        *first, (name, last) = value.items()
        if not any(isinstance(item, dict | list) for _, item in first):
            beginning = "".join(f"{_written(key)}: {_written(item)}, " for key, item in first)
            *before, end = _lines(last, f"{lead}{{{beginning}{_written(name)}: ", width)
            yield from before
            yield end + "}"
            return
    yield from _opened(value, lead, width)


def _opened(value: dict[str, Any] | list[Any], lead: str, width: int) -> Iterator[str]:
    """One member to a line."""
    indent = " " * (len(lead) - len(lead.lstrip()) + 2)
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    yield lead + opening
    members = (
        [(f"{_written(name)}: ", item) for name, item in value.items()]
        if isinstance(value, dict)
        else []
    )
    members = members or [("", item) for item in value]
    for place, (key, item) in enumerate(members, 1):
        *before, end = _lines(item, indent + key, width)
        yield from before
        yield end if place == len(members) else end + ","
    yield indent[2:] + closing


def _nested(value: Any) -> bool:
    """Whether `value` holds something that holds something."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(isinstance(item, dict | list) and item for item in inner)


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
