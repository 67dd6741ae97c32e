"""Checks the values that are bound to a query, and formats the values it returns."""

from typing import Any, Final

from langchain_core.tools import ToolException

from turngraph.tools.output import as_text
from turngraph.tools.text import UNSENDABLE

__all__ = ["as_plain_value", "check_value", "readable", "unique_names"]

MAX_TEXT: Final = 100_000
"""Characters of one bound value."""
MAX_ITEMS: Final = 1_000
"""Items of an array in `IN (…)`. Each becomes a bound parameter, of which databases allow
some thousands (SQLite: https://www.sqlite.org/limits.html#max_variable_number).
"""


def check_value(name: str, value: object) -> None:
    """Checks that every driver can bind `value`, the value of the parameter `name`.

    Raises ToolException with a sentence for the model. Without this check, drivers fail in their
    own ways: PostgreSQL on NUL (https://www.postgresql.org/docs/current/datatype-character.html),
    sqlite3 with OverflowError on an integer of more than 64 bits.
    """
    if isinstance(value, str):
        _check_text(name, value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ToolException(f"`{name}` is outside the range of 64-bit integers.")
    if isinstance(value, float) and value != value:  # NaN is the one value unequal to itself
        raise ToolException(f"`{name}` is not a number.")
    if isinstance(value, dict):
        for key, item in value.items():
            check_value(name, key)
            check_value(name, item)
    if isinstance(value, list):
        if len(value) > MAX_ITEMS:
            raise ToolException(
                f"`{name}` has {len(value):,} items; at most {MAX_ITEMS:,} are allowed."
            )
        for item in value:
            check_value(name, item)


def _check_text(name: str, value: str) -> None:
    if found := UNSENDABLE.search(value):
        kind = "a NUL character" if found[0] == "\x00" else "a lone surrogate"
        raise ToolException(f"`{name}` contains {kind}, which databases do not accept.")
    if len(value) > MAX_TEXT:
        raise ToolException(
            f"`{name}` has {len(value):,} characters; at most {MAX_TEXT:,} are allowed."
        )


def readable(value: object) -> Any:
    """Returns a column's value as the model receives it: bytes only by their number.

    >>> readable(b"abc"), readable(1)
    ('[3 bytes]', 1)
    """
    return f"[{len(value):,} bytes]" if isinstance(value, bytes | memoryview) else value


def as_plain_value(value: object) -> Any:
    """Returns `value` if it has a JSON form, else the text of it, as of a driver's own types.

    >>> as_plain_value([1, None]), as_plain_value(slice(1, 5))
    ([1, None], 'slice(1, 5, None)')
    """
    try:
        as_text(value)
    except TypeError:
        return str(value)
    return value


def unique_names(names: list[str]) -> list[str]:
    """Returns `names` with a number added to each repeated one, so that no column is lost.

    >>> unique_names(["id", "name", "id"])
    ['id', 'name', 'id_2']
    """
    counts = [names[:index].count(name) for index, name in enumerate(names)]
    return [
        f"{name}_{count + 1}" if count else name for name, count in zip(names, counts, strict=True)
    ]
