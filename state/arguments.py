"""The arguments of a tool call: the text a model wrote, and the JSON object it stands for."""

import json
import re
from collections import Counter
from math import isfinite
from typing import Any, Final

from turngraph.state.errors import ToolArgumentsError, TurnValueError
from turngraph.state.json_types import JsonObject

__all__ = ["MAX_DEPTH", "MAX_TEXT", "dump_json", "json_text", "parse_arguments"]

MAX_TEXT: Final = 1_000_000
"""The most characters that are parsed."""
MAX_DEPTH: Final = 64
"""The most levels of objects and arrays."""
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_MAYBE_SURROGATE: Final = re.compile("[\ud800-\udfff]|\\\\u[dD]")
"""Only a text that matches can hold a lone surrogate; few do, so most skip the slow check."""


def parse_arguments(text: str) -> JsonObject:
    """Returns the JSON object in `text`. An empty text is `{}`: several vendors write it so.

    Parsing is strict, because a tool acts on the result. Raises ToolArgumentsError for anything but
    an object, for NaN and infinities, for a key that occurs twice (parsers disagree about which
    value counts), for more than `MAX_DEPTH` levels, for more than `MAX_TEXT` characters and for
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
        raise ToolArgumentsError(
            f"The arguments must be a JSON object, but are {_json_type(value)}."
        )
    # A text with fewer brackets than levels cannot be nested too deeply.
    if _MAYBE_SURROGATE.search(text) or text.count("{") + text.count("[") > MAX_DEPTH:
        _check_nested(value)
    return value


def dump_json(value: object) -> str:
    r"""Returns `value` as JSON text with letters as they are: `ü`, not `\u00fc`, to save tokens.

    >>> dump_json({"city": "Zürich"})
    '{"city": "Zürich"}'

    Raises ValueError for NaN and infinities, TypeError for what is no JSON.
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def json_text(value: object, where: str) -> str:
    """Returns `value`, which stands at `where` in what a caller gave, as JSON text.

    >>> json_text({"a": 1}, "messages[0]")
    '{"a": 1}'

    Raises TurnValueError for what JSON has no form for.
    """
    try:
        return dump_json(value)
    except RecursionError:
        raise TurnValueError(f"{where} is nested too deeply to be written as JSON.") from None
    except (TypeError, ValueError) as exc:
        raise TurnValueError(
            f"{where} holds a value that JSON cannot express ({exc}). "
            "Allowed: text, finite numbers, true, false, null, lists, dicts."
        ) from None


def _load(text: str) -> Any:
    try:
        return json.loads(
            text,
            object_pairs_hook=_object_with_unique_keys,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ToolArgumentsError(f"The arguments are not JSON: {error.msg} at {where}.") from None
    except RecursionError:
        raise ToolArgumentsError(
            f"The arguments are nested deeper than {MAX_DEPTH} levels."
        ) from None
    except ValueError:
        # Python refuses integers with more than 4,300 digits:
        # https://docs.python.org/3/library/stdtypes.html#integer-string-conversion-length-limitation
        raise ToolArgumentsError(
            "The arguments hold a number with more than 4,300 digits."
        ) from None


def _object_with_unique_keys(pairs: list[tuple[str, Any]]) -> JsonObject:
    members = dict(pairs)
    if len(members) < len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise ToolArgumentsError(f"The arguments have the key `{_shortened(twice)}` twice.")
    return members


def _refuse_constant(word: str) -> None:
    raise ToolArgumentsError(f"The arguments hold `{word}`, which is not JSON.")


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ToolArgumentsError(
            f"The arguments hold `{digits[:40]}`, which is too large for a number."
        )
    return number


def _check_nested(value: object, depth: int = 1) -> None:
    """Checks depth and surrogates in `value` and everything inside it."""
    if depth > MAX_DEPTH:
        raise ToolArgumentsError(f"The arguments are nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, str):
        if _LONE_SURROGATE.search(value):
            raise ToolArgumentsError(
                "The arguments hold a lone surrogate, which no encoding can carry."
            )
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_nested(key, depth)
            _check_nested(item, depth + isinstance(item, dict | list))
    elif isinstance(value, list):
        for item in value:
            _check_nested(item, depth + isinstance(item, dict | list))


def _shortened(name: str) -> str:
    # The name goes into an error that is sent to the model, so it must be encodable.
    name = _LONE_SURROGATE.sub("\ufffd", name)
    return name if len(name) <= 100 else f"{name[:100]}…"


def _json_type(value: object) -> str:
    names = {
        str: "a string",
        list: "an array",
        bool: "a boolean",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), "null")
