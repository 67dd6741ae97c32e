"""The arguments of a tool call: the text a model wrote, and the JSON object it stands for."""

import json
from typing import Final

from turngraph.state.errors import ToolArgumentsError, TurnValueError
from turngraph.state.json_types import JsonObject
from turngraph.state.strict_json import read_strictly

__all__ = ["MAX_TEXT", "dump_json", "json_text", "parse_arguments"]

MAX_TEXT: Final = 1_000_000
"""The most characters that are parsed."""


def parse_arguments(text: str) -> JsonObject:
    """Returns the JSON object in `text`. An empty text is `{}`: several vendors write it so.

    Parsing is strict, because a tool acts on the result. Raises ToolArgumentsError for anything but
    an object, for what `read_strictly` refuses, and for more than `MAX_TEXT` characters.

        >>> parse_arguments('{"city": "Oslo"}'), parse_arguments(" ")
        ({'city': 'Oslo'}, {})
    """
    if len(text) > MAX_TEXT:
        raise ToolArgumentsError(
            f"The arguments have {len(text):,} characters; at most {MAX_TEXT:,} are read."
        )
    if not text.strip():
        return {}
    try:
        value = read_strictly(text)
    except ValueError as error:
        raise ToolArgumentsError(f"The arguments are not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise ToolArgumentsError(
            f"The arguments must be a JSON object, but are {_json_type(value)}."
        )
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
        raise TurnValueError(
            f"{where} is nested too deeply to be written as JSON: flatten it."
        ) from None
    except (TypeError, ValueError) as exc:
        raise TurnValueError(
            f"{where} holds a value that JSON cannot express ({exc}). "
            "Allowed: text, finite numbers, true, false, null, lists, dicts."
        ) from None


def _json_type(value: object) -> str:
    names = {
        str: "a string",
        list: "an array",
        bool: "a boolean",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), "null")
