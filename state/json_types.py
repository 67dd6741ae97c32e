"""Names for JSON whose shape a vendor decides, and turngraph does not; and how members are read."""

from collections.abc import Mapping
from typing import Any, TypeAlias

__all__ = ["JsonMapping", "JsonObject", "member_at", "number_or_none"]

JsonObject: TypeAlias = dict[str, Any]
"""A JSON object that is being built or changed. Vendors add members as they please, so the values
stay open.
"""

JsonMapping: TypeAlias = Mapping[str, Any]
"""A JSON object that is only read."""


def number_or_none(value: object) -> int | float | None:
    """`value` if it is a number, otherwise None. A bool, an int in Python, is not a number here."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def member_at(value: object, path: str) -> object:
    """The member of `value` at a dotted `path`, or None where a step of the path is missing.

    >>> member_at({"details": {"cached": 3}}, "details.cached"), member_at({}, "details.cached")
    (3, None)
    """
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
