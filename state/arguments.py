"""The arguments of a tool call: text as a model wrote it, and the object it stands for."""

import json
import re
from collections import Counter
from math import isfinite
from typing import Any, Final

from turngraph.state.errors import ToolArgumentsError

__all__ = ["MAX_DEPTH", "MAX_TEXT", "dump_json", "parse_arguments"]

MAX_TEXT: Final = 1_000_000
"""Characters."""
MAX_DEPTH: Final = 64
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_SUSPECT: Final = re.compile("[\ud800-\udfff]|\\\\u[dD]")
"""Only a text with one of these can hold half a surrogate pair; few texts need the longer look."""


def parse_arguments(text: str) -> dict[str, Any]:
    """The JSON object in `text`; an empty text is `{}`, as several vendors write «no arguments».

    Raises ToolArgumentsError for anything else: other JSON, NaN and infinities, a key twice
    (readers disagree which one counts), nesting deeper than 64, more than a million characters,
    lone surrogates.

        >>> parse_arguments('{"city": "Oslo"}'), parse_arguments(" ")
        ({'city': 'Oslo'}, {})
    """
    if len(text) > MAX_TEXT:
        raise ToolArgumentsError(
            f"The arguments have {len(text):,} characters; at most {MAX_TEXT:,} are read."
        )
    if not text.strip():
        return {}
    value = _load(text)
    if not isinstance(value, dict):
        raise ToolArgumentsError(f"The arguments must be a JSON object, but are {_kind(value)}.")
    if _SUSPECT.search(text) or text.count("{") + text.count("[") > MAX_DEPTH:
        _survey(value)
    return value


def dump_json(value: object) -> str:
    """`value` as compact JSON text, with letters as they are (`ü`, not `\\u00fc`: fewer tokens).

    >>> dump_json({"city": "Zürich"})
    '{"city": "Zürich"}'
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _load(text: str) -> Any:
    try:
        return json.loads(
            text, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ToolArgumentsError(f"The arguments are not JSON: {error.msg} at {where}.") from None
    except RecursionError:
        raise ToolArgumentsError(
            f"The arguments are nested deeper than {MAX_DEPTH} levels."
        ) from None
    except ValueError:  # Python's limit on the digits of an integer
        raise ToolArgumentsError(
            "The arguments hold a number with more than 4,300 digits."
        ) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise ToolArgumentsError(f"The arguments have the key `{_shown(twice)}` twice.")
    return found


def _refuse_constant(word: str) -> None:
    raise ToolArgumentsError(f"The arguments hold `{word}`, which is not JSON.")


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ToolArgumentsError(
            f"The arguments hold `{digits[:40]}`, which is too large for a number."
        )
    return number


def _survey(value: Any, depth: int = 1) -> None:
    if depth > MAX_DEPTH:
        raise ToolArgumentsError(f"The arguments are nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, str):
        if _SURROGATE.search(value):
            raise ToolArgumentsError(
                "The arguments hold half a surrogate pair, which no encoding can carry."
            )
    elif isinstance(value, dict):
        for key, item in value.items():
            _survey(key, depth)
            _survey(item, depth + isinstance(item, dict | list))
    elif isinstance(value, list):
        for item in value:
            _survey(item, depth + isinstance(item, dict | list))


def _shown(name: str) -> str:
    name = _SURROGATE.sub("\ufffd", name)
    return name if len(name) <= 100 else f"{name[:100]}…"


def _kind(value: Any) -> str:
    kinds = {
        str: "a string",
        list: "an array",
        bool: "a boolean",
        int: "a number",
        float: "a number",
    }
    return kinds.get(type(value), "null")
