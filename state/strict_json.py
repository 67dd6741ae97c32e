"""Reads JSON strictly: only what every program reads alike, and no deeper than a bound."""

import json
import re
from collections import Counter
from functools import partial
from math import isfinite
from typing import Any, Final, NoReturn

from turngraph.state.json_types import JsonObject

__all__ = ["LEVELS", "read_strictly"]

LEVELS: Final = 64
"""The most levels of objects and arrays. Schemas of tools have about ten."""
_DIGITS: Final = 4_300
"""The most digits of an integer that Python reads.

https://docs.python.org/3/library/stdtypes.html#integer-string-conversion-length-limitation
"""
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_MAYBE_SURROGATE: Final = re.compile("[\ud800-\udfff]|\\\\u[dD]")
"""Only a text that matches can hold a lone surrogate; few do, so most skip the slow check."""


def read_strictly(text: str, *, levels: int = LEVELS, integers: range | None = None) -> Any:
    """Returns the value that a JSON text stands for.

    Args:
        levels: the most levels of objects and arrays.
        integers: those that are allowed; by default all of up to 4,300 digits.

    Raises ValueError, whose text is a clause that says what is wrong and where: for what is no
    JSON, for NaN and infinities, for a key that stands twice in one object (parsers disagree about
    which value counts), for too many levels and for lone surrogates.

        >>> read_strictly('{"city": "Oslo"}')
        {'city': 'Oslo'}
        >>> read_strictly('{"a": 1, "a": 2}')
        Traceback (most recent call last):
        ValueError: the key `a` stands twice in one object
    """
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object_with_unique_keys,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=partial(_integer, allowed=integers),
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"{error.msg} at {where}") from None
    except RecursionError:
        raise _too_deep(levels) from None
    # A text with fewer brackets than levels cannot be nested too deeply.
    if _MAYBE_SURROGATE.search(text) or text.count("{") + text.count("[") > levels:
        _check_nested(value, levels, "", 1)
    return value


def _object_with_unique_keys(pairs: list[tuple[str, Any]]) -> JsonObject:
    members = dict(pairs)
    if len(members) < len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key `{_shown(twice)}` stands twice in one object")
    return members


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"`{word}` is no number in JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ValueError(f"`{_shown(digits)}` is too large for a number")
    return number


def _integer(digits: str, *, allowed: range | None) -> int:
    most = _DIGITS if allowed is None else len(str(allowed.stop)) + 1
    if len(digits) > most or ((number := int(digits)) not in (allowed or (number,))):
        raise ValueError(f"`{_shown(digits)}` is too large for a number")
    return number


def _check_nested(value: object, levels: int, path: str, depth: int) -> None:
    """Checks depth and surrogates in `value`, which stands at `path`, and all that is inside."""
    if isinstance(value, str):
        if _LONE_SURROGATE.search(value):
            at = f" at `{_shown(path)}`" if path else ""
            raise ValueError(f"half of a surrogate pair{at} is no character")
    elif isinstance(value, dict | list):
        if depth > levels:
            raise _too_deep(levels)
        if isinstance(value, list):
            for number, item in enumerate(value):
                _check_nested(item, levels, f"{path}[{number}]", depth + 1)
        else:
            for key, item in value.items():
                _check_nested(key, levels, path, depth)
                _check_nested(item, levels, f"{path}.{key}" if path else key, depth + 1)


def _too_deep(levels: int) -> ValueError:
    return ValueError(f"objects and arrays are nested deeper than {levels} levels")


def _shown(text: str) -> str:
    # The text goes into an error that may be sent to a model, so it must be encodable.
    text = _LONE_SURROGATE.sub("\ufffd", text)
    return text if len(text) <= 100 else f"{text[:100]}…"
