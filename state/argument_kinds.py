"""Checks the kinds of the arguments that public functions are given.

Without it a slip would show as Python's own error in the middle of a turn, or not at all.
"""

import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID

from turngraph.state.errors import TurnConfigurationError, TurngraphError

__all__ = [
    "NAME",
    "SECONDS",
    "SEVERAL",
    "YES_NO",
    "IsAllowed",
    "Kind",
    "check_kinds",
    "has_method",
    "has_text_keys",
    "is_a",
    "is_count",
    "is_name",
    "is_number",
    "is_path",
    "is_positive",
    "is_text",
    "list_of",
    "one_or_list",
    "or_none",
    "shown",
]

_HALF_CHARACTER: Final = re.compile("[\ud800-\udfff]")
_SHOWN_DIGITS: Final = 40

IsAllowed = Callable[[object], bool]
"""Says whether a value is allowed."""


class Kind(NamedTuple):
    """What an argument may be: a check, and the same in words."""

    fits: IsAllowed
    allowed: str


def is_a(*types: type) -> IsAllowed:
    """Allows instances of `types`."""
    return lambda value: isinstance(value, types)


def is_count(value: object) -> bool:
    """Allows whole numbers of at least 0."""
    return isinstance(value, int) and is_number(value)


def is_positive(value: object) -> bool:
    """Allows whole numbers of at least 1."""
    return is_count(value) and value != 0


def is_text(value: object) -> bool:
    """Allows texts that a database can hold: no zero byte, no half of a character.

    >>> is_text("a"), is_text(chr(0xD800)), is_text(b"a")
    (True, False, False)
    """
    return isinstance(value, str) and "\0" not in value and not _HALF_CHARACTER.search(value)


def is_name(value: object) -> bool:
    """Allows what may name a thread or a call: a text, a number of 64 bits, a UUID.

    >>> is_name("1"), is_name(1), is_name(10**40), is_name({})
    (True, True, False, False)
    """
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return is_text(value) or isinstance(value, float | UUID)


def is_path(value: object) -> bool:
    """Allows texts and paths that the file system can hold.

    >>> is_path("a/b"), is_path("a" + chr(0)), is_path(5)
    (True, False, False)
    """
    return isinstance(value, str | Path) and is_text(str(value))


def or_none(fits: IsAllowed) -> IsAllowed:
    """Allows None too."""
    return lambda value: value is None or fits(value)


def list_of(fits: IsAllowed) -> IsAllowed:
    """Allows lists and tuples of what `fits`. A text is no list of its characters."""
    return lambda value: (
        isinstance(value, Sequence) and not isinstance(value, str | bytes) and all(map(fits, value))
    )


def one_or_list(fits: IsAllowed) -> IsAllowed:
    """Allows what `fits`, and lists of it."""
    several = list_of(fits)
    return lambda value: fits(value) or several(value)


def has_method(name: str) -> IsAllowed:
    """Allows objects with a method `name`."""
    return lambda value: callable(getattr(value, name, None)) and not isinstance(value, type)


def has_text_keys(value: object) -> bool:
    """Allows objects whose members are named by texts."""
    return isinstance(value, Mapping) and all(isinstance(each, str) for each in value)


def is_number(value: object) -> bool:
    """Allows numbers of at least 0 that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= sys.float_info.max or value == math.inf


SEVERAL: Final = Kind(
    lambda value: isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping),
    "a list",
)
YES_NO: Final = Kind(is_a(bool), "True or False")
NAME: Final = Kind(is_name, "a text, a UUID or a number of up to 64 bits")
SECONDS: Final = Kind(is_number, "a number of seconds of at least 0")


def check_kinds(
    kinds: Mapping[str, Kind],
    arguments: Mapping[str, object],
    error: type[TurngraphError] = TurnConfigurationError,
) -> None:
    """Raises `error` for the first of `arguments` that is not of its kind.

    >>> check_kinds({"stream": YES_NO}, {"stream": "yes"})
    Traceback (most recent call last):
        ...
    turngraph.state.errors.TurnConfigurationError: `stream` is 'yes'; it must be True or False.
    """
    for name, value in arguments.items():
        kind = kinds.get(name)
        if kind is not None and not kind.fits(value):
            raise error(f"`{name}` is {shown(value)}; it must be {kind.allowed}.")


def shown(value: object) -> str:
    """Returns a short text or a number as it is; of anything else, its class: it may be secret.

    >>> shown("one"), shown({"api_key": "k"})
    ("'one'", 'a dict')
    """
    if isinstance(value, str):
        if not is_text(value):
            return "a text with a zero byte or half of a character"
        is_plain = value.isprintable() and len(value) <= _SHOWN_DIGITS
    else:
        # Python does not write numbers of more than 4,300 digits.
        is_plain = isinstance(value, float) or (
            isinstance(value, int) and abs(value) < 10**_SHOWN_DIGITS
        )
    return repr(value) if is_plain else f"a {type(value).__name__}"
