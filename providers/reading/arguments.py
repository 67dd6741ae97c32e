"""Arguments of a tool call whose text departs from one JSON object in a way that means only one."""

import json
from collections.abc import Iterator
from typing import Any, Final

__all__ = ["READ_ARGUMENTS_NOTE", "one_object"]

READ_ARGUMENTS_NOTE: Final = "Arguments that were not one JSON object were read as one."
_DECODER: Final = json.JSONDecoder(strict=False)
"""`strict=False` reads line breaks and tabs within a text, which models write as they are."""


def one_object(text: str) -> str:
    r"""Returns the JSON object that `text` means, or `text` where it is one or means none.

    Read are an object as JSON text within JSON text; the same object several times, as proxies
    build it from events that repeat each other (https://github.com/Soju06/codex-lb/issues/284); an
    object after an empty one, with which proxies of Claude begin
    (https://github.com/BerriAI/litellm/issues/4537); and line breaks within a text. Two objects
    that differ mean nothing.

        >>> one_object('"{\\"x\\": 1}"'), one_object('{}{"x": 1}'), one_object('{"x": 1}{"x": 2}')
        ('{"x": 1}', '{"x": 1}', '{"x": 1}{"x": 2}')
    """
    if not text.strip() or _is_object(text):
        return text
    try:
        values = list(_values(text))
    except (ValueError, RecursionError):
        return text
    if len(values) == 1 and isinstance(values[0], str):
        inner = values[0]
        return inner if _is_object(inner) else text
    if not all(isinstance(value, dict) for value in values):
        return text
    filled = [value for value in values if value] or values[:1]
    same = all(value == filled[0] for value in filled)
    return json.dumps(filled[0], ensure_ascii=False) if same else text


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _values(text: str) -> Iterator[Any]:
    """The JSON values in `text`, one after the other. Raises ValueError for what is none."""
    place = 0
    while rest := text[place:].lstrip():
        place = len(text) - len(rest)
        value, place = _DECODER.raw_decode(text, place)
        yield value
