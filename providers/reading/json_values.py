"""Members of a vendor's JSON, read without trusting their types.

Every function takes any value and never raises: a vendor that sends `null`, a number or an object
where the documentation says text costs the reader that member, not the whole answer.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from turngraph.state.json_types import JsonMapping, JsonObject

__all__ = [
    "as_list",
    "content_text",
    "first_choice",
    "is_part_list",
    "joined_text",
    "objects_in",
    "text_or_none",
    "texts_named",
]


_PART_TYPES: Final = frozenset(
    {"text", "output_text", "thinking", "redacted_thinking", "reasoning", "refusal", "tool_use"}
    | {"image", "audio", "video", "file", "reference", "tool_reference", "tool_file"}
)
"""Types of parts that models answer with, in the words of all vendors."""
_UNTYPED_PART: Final = frozenset({"text", "thinking", "index", "annotations", "signature"})
"""The members of a part that came without its type."""


def as_list(value: object) -> list[Any]:
    """`value` if it is a list, otherwise an empty list."""
    return value if isinstance(value, list) else []


def objects_in(value: object) -> list[JsonObject]:
    """The JSON objects in the list `value`; everything else in it is left out.

    >>> objects_in([{"a": 1}, None, "b"]), objects_in(None)
    ([{'a': 1}], [])
    """
    return [item for item in as_list(value) if isinstance(item, dict)]


def text_or_none(value: object) -> str | None:
    """`value` if it is text that is not empty, otherwise None."""
    return value if isinstance(value, str) and value else None


def texts_named(name: str, parts: Iterable[JsonMapping]) -> Iterator[str]:
    """The texts that `parts` hold under `name`, without the empty ones."""
    return (text for part in parts if (text := text_or_none(part.get(name))) is not None)


def joined_text(value: object) -> str:
    """The text of a member that is text or a list of text parts (Mistral's `thinking`).

    >>> joined_text("a"), joined_text([{"text": "a"}, {"text": "b"}]), joined_text(3)
    ('a', 'ab', '')
    """
    if isinstance(value, list):
        return "".join(joined_text(part.get("text")) for part in value if isinstance(part, dict))
    return value if isinstance(value, str) else ""


def content_text(value: object) -> str:
    """The text of a content that is text, or the JSON of one that is not.

    A JSON mode may answer with an object in place of its text:
    https://developers.cloudflare.com/workers-ai/features/json-mode/

        >>> content_text("a"), content_text({"a": 1}), content_text(None)
        ('a', '{"a": 1}', '')
    """
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def is_part_list(value: object) -> bool:
    """Whether `value` is a list of parts of a message, and not a JSON array that is an answer.

    A part is a text, or has a member that is called like its type. The objects of an answer may
    have a `type` or a `text` too.

    >>> is_part_list([{"type": "text", "text": "a"}]), is_part_list([{"title": "a"}])
    (True, False)
    >>> is_part_list([{"type": "person", "name": "a"}]), is_part_list([{"text": "a", "n": 1}])
    (False, False)
    """
    return isinstance(value, list) and all(map(_is_part, value))


def _is_part(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    kind = value.get("type")
    if kind is None:
        return not _UNTYPED_PART.isdisjoint(value) and _UNTYPED_PART.issuperset(value)
    return isinstance(kind, str) and (kind in _PART_TYPES or kind in value)


def first_choice(answer: JsonMapping) -> JsonMapping:
    """The first of `choices` of a Chat Completions answer, or an empty object."""
    choices = as_list(answer.get("choices"))
    return choices[0] if choices and isinstance(choices[0], dict) else {}
