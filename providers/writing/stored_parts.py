"""Parts and items of an answer as they are stored on a message: without what it holds elsewhere.

The text stands in `content`, the calls stand in `tool_calls`. Stored once, an edit of either takes
effect in the next request, and a long conversation is not stored twice.
"""

from collections.abc import Iterable
from typing import Any

from turngraph.state.json_types import JsonObject

__all__ = ["slim_items", "slim_parts"]


def slim_parts(parts: Iterable[JsonObject], text: str) -> list[JsonObject]:
    """The `parts` of a Chat Completions content, with `{"type": "text"}` in the place of `text`.

    They are unchanged if their texts together are not `text`.

        >>> slim_parts([{"type": "thinking", "thinking": []}, {"type": "text", "text": "Hi"}], "Hi")
        [{'type': 'thinking', 'thinking': []}, {'type': 'text'}]
    """
    parts = list(parts)
    texts = [part for part in parts if part.get("type") == "text"]
    if "".join(str(part.get("text", "")) for part in texts) != text:
        return parts
    first = texts[0] if texts else None
    return [
        {"type": "text"} if part is first else part
        for part in parts
        if part is first or part not in texts
    ]


def slim_items(items: Iterable[JsonObject], text: str) -> list[JsonObject]:
    """Responses output `items` without what the message holds elsewhere.

    A text that equals `text` is left out, and so are the name and arguments of a call, and nulls,
    which are not sent back.

        >>> content = [{"type": "output_text", "text": "Hi"}]
        >>> slim_items([{"type": "message", "id": "msg_1", "content": content}], "Hi")
        [{'type': 'message', 'id': 'msg_1', 'content': [{'type': 'output_text'}]}]
    """
    return [_slim_item(_without_nulls(item), text) for item in items]


def _without_nulls(item: JsonObject) -> JsonObject:
    """`item` without nulls, in itself and in the objects right inside it (a search's `action`).

    Deeper nulls stay: they may be a tool's own data.
    """
    kept = {name: value for name, value in item.items() if value is not None}
    for name, value in kept.items():
        if isinstance(value, dict):
            kept[name] = {inner: member for inner, member in value.items() if member is not None}
    return kept


def _slim_item(item: JsonObject, text: str) -> JsonObject:
    if item.get("type") == "function_call":
        return {name: value for name, value in item.items() if name not in ("name", "arguments")}
    if item.get("type") == "message" and isinstance(item.get("content"), list):
        return {**item, "content": [_slim_text(part, text) for part in item["content"]]}
    return item


def _slim_text(part: object, text: str) -> Any:
    if not isinstance(part, dict) or part.get("type") != "output_text":
        return part
    # Log probabilities are large, and no API takes them back.
    dropped = ("text", "logprobs") if part.get("text") == text else ("logprobs",)
    return {name: value for name, value in part.items() if name not in dropped}
