"""Responses input items to LangChain's messages: the way back of `OpenAIResponsesConverter`.

https://platform.openai.com/docs/api-reference/responses/create#responses-create-input
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from turngraph.providers.writing.content_readers import read_block
from turngraph.providers.writing.messages import split_calls
from turngraph.providers.writing.roles import DEVELOPER
from turngraph.providers.writing.stored_parts import slim_items
from turngraph.providers.writing.wire_calls import chat_call, id_name_arguments
from turngraph.state.arguments import json_text
from turngraph.state.errors import TurnValueError
from turngraph.state.json_types import JsonMapping, JsonObject

__all__ = ["from_responses"]

_REQUIRED: Final = {
    "function_call": ("call_id", "name"),
    "custom_tool_call": ("call_id", "name", "input"),
}
"""Members that must be text, by the type of the item."""
_RESULTS: Final = ("function_call_output", "custom_tool_call_output")
_PLAIN_MEMBERS: Final = {
    "message": {"type", "role", "content"},
    "function_call": {"type", "call_id", "name", "arguments"},
}
"""Members that a message holds anyway, so that an item with no others need not be stored."""


def from_responses(items: str | Sequence[JsonMapping]) -> list[BaseMessage]:
    """The `input` of a Responses request as messages.

    The items of one answer become one AIMessage. Raises TurnValueError naming an item, a role or a
    part that nobody knows.

        >>> from_responses("Hi")[0].content
        'Hi'
    """
    if isinstance(items, str):
        return [HumanMessage(items)]
    messages: list[BaseMessage] = []
    answer: list[JsonObject] = []
    for n, item in enumerate(items, 1):
        message = _message_from(item, n)
        if message is None:
            answer.append(_answer_item(item, n))
            continue
        messages += [*_answer_message(answer), message]
        answer = []
    return messages + _answer_message(answer)


def _message_from(item: object, n: int) -> BaseMessage | None:
    """The message that `item` is on its own, or None if it is a part of an answer."""
    if not isinstance(item, Mapping):
        raise TurnValueError(f"Item {n} is a `{type(item).__name__}`; write an object.")
    kind, role = item.get("type", "message"), item.get("role")
    if kind in _RESULTS:
        return _result_message(item, n)
    if kind != "message" or role == "assistant":
        return None
    reader = _READERS.get(role) if isinstance(role, str) else None
    if reader is None:
        raise TurnValueError(
            f"Item {n} has the role `{role}`; allowed: {', '.join(_READERS)}, assistant."
        )
    return reader(item, n)


def _result_message(item: JsonMapping, n: int) -> BaseMessage:
    kwargs = {} if item["type"] == "function_call_output" else {"type": item["type"]}
    if not isinstance(item.get("call_id"), str):
        raise TurnValueError(
            f"Item {n} is a tool's result without a `call_id`; give that of its call."
        )
    content = _content({"content": item.get("output")}, n)
    return ToolMessage(content=content, tool_call_id=item["call_id"], additional_kwargs=kwargs)


def _answer_item(item: JsonMapping, n: int) -> JsonObject:
    """An item of an answer, checked, a text in the form in which the API returns it."""
    required = _REQUIRED.get(str(item.get("type")), ())
    if not all(isinstance(item.get(name), str) for name in required):
        raise TurnValueError(
            f"Item {n} is a `{item['type']}`; it needs text in {', '.join(required)}."
        )
    if item.get("type", "message") != "message":
        return dict(item)
    content = item.get("content")
    if isinstance(content, str):
        content = [{"type": "output_text", "text": content}]
    parts = [
        {**part, "type": "output_text"} if part.get("type") in ("input_text", "text") else part
        for part in content or ()
    ]
    return {**item, "type": "message", "content": parts}


def _answer_message(items: list[JsonObject]) -> list[BaseMessage]:
    """The items of one answer as a message; nothing if there are none."""
    if not items:
        return []
    parts = [part for item in items if item.get("type") == "message" for part in item["content"]]
    text = "".join(part["text"] for part in parts if part.get("type") == "output_text")
    calls = [_chat_call_from(item) for item in items if str(item.get("type")) in _REQUIRED]
    kwargs: JsonObject = {}
    if _hold_more_than_message(items):
        kwargs["output_items"] = slim_items(items, text)
    if calls:
        kwargs["tool_calls"] = calls
    if refusal := next((part["refusal"] for part in parts if part.get("type") == "refusal"), None):
        kwargs["refusal"] = refusal
    summary = [
        part["text"]
        for item in items
        if item.get("type") == "reasoning"
        for part in item.get("summary") or ()
    ]
    if summary:
        kwargs["reasoning_content"] = "\n\n".join(summary)
    valid, invalid = split_calls(map(id_name_arguments, calls))
    return [
        AIMessage(
            content=text, tool_calls=valid, invalid_tool_calls=invalid, additional_kwargs=kwargs
        )
    ]


def _hold_more_than_message(items: list[JsonObject]) -> bool:
    """Whether the items must be stored: they hold more than one text followed by calls."""
    if sum(item.get("type") == "message" for item in items) > 1:
        return True
    if any(not set(item) <= _PLAIN_MEMBERS.get(item["type"], set()) for item in items):
        return True
    kinds = [item["type"] for item in items]
    return kinds != sorted(kinds, key=list(_PLAIN_MEMBERS).index)


def _chat_call_from(item: JsonMapping) -> JsonObject:
    if item["type"] == "custom_tool_call":
        return chat_call(item["call_id"], item["name"], item["input"], custom=True)
    return chat_call(item["call_id"], item["name"], item.get("arguments") or "")


def _read_system(item: JsonMapping, n: int) -> BaseMessage:
    kwargs = {DEVELOPER: "developer"} if item["role"] == "developer" else {}
    return SystemMessage(content=_content(item, n), additional_kwargs=kwargs)


def _read_user(item: JsonMapping, n: int) -> BaseMessage:
    return HumanMessage(content=_content(item, n))


_READERS: Final[Mapping[str, Callable[[JsonMapping, int], BaseMessage]]] = {
    "system": _read_system,
    "developer": _read_system,
    "user": _read_user,
}


def _content(item: JsonMapping, n: int) -> str | list[str | JsonObject]:
    content = item.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        return json_text(content, "A message's content")
    if not isinstance(content, list):
        raise TurnValueError(
            f"Item {n} has a content of type `{type(content).__name__}`; write text or a list of "
            "parts."
        )
    for part in content:
        read_block(part, f"item {n}")  # raises for a part that nobody knows
    if len(content) == 1 and set(content[0]) == {"type", "text"}:
        return str(content[0]["text"])
    return [_langchain_part(part) for part in content]


def _langchain_part(part: JsonMapping) -> str | JsonObject:
    """A part in the spelling that LangChain knows."""
    kind = part.get("type")
    if kind in ("input_text", "output_text"):
        return {**part, "type": "text"}
    if kind == "input_image":
        return _langchain_image(part)
    if kind == "input_file":
        if (url := part.get("file_url")) is not None:
            return {"type": "file", "url": url}
        names = ("file_id", "file_data", "filename")
        file = {name: part[name] for name in names if part.get(name) is not None}
        return {"type": "file", "file": file}
    return dict(part)


def _langchain_image(part: JsonMapping) -> JsonObject:
    # `auto` is the default, so it is not worth storing.
    detail = {} if part.get("detail") in (None, "auto") else {"detail": part["detail"]}
    if part.get("file_id") is None:
        return {"type": "image_url", "image_url": {"url": part["image_url"], **detail}}
    extras = {"extras": detail} if detail else {}
    return {"type": "image", "file_id": part["file_id"], **extras}
