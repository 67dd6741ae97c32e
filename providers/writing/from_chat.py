"""Chat Completions messages to LangChain's: the way back of `OpenAIChatConverter`.

https://platform.openai.com/docs/api-reference/chat/create#chat-create-messages
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from turngraph.providers.vendors.reasoning_fields import DEFAULT_TEXT_FIELD, REASONING_TEXT_FIELDS
from turngraph.providers.writing.content import NOT_CONTENT
from turngraph.providers.writing.content_readers import read_block
from turngraph.providers.writing.messages import split_calls
from turngraph.providers.writing.reasoning_replay import received_text_field
from turngraph.providers.writing.roles import DEVELOPER
from turngraph.providers.writing.stored_parts import slim_parts
from turngraph.providers.writing.wire_calls import chat_call, id_name_arguments
from turngraph.state.arguments import json_text
from turngraph.state.errors import TurnValueError
from turngraph.state.json_types import JsonMapping, JsonObject

__all__ = ["from_chat"]

_READ_BY_NAME: Final = frozenset(
    (
        *("role", "content", "name", "tool_calls", "refusal", "audio"),
        *("function_call", "annotations"),
        *REASONING_TEXT_FIELDS,
    )
)
"""Members of an assistant message that have their own place; the others are kept in `extra`."""


def from_chat(messages: Sequence[JsonMapping]) -> list[BaseMessage]:
    """Chat Completions `messages` as LangChain's.

    Raises TurnValueError naming a role or a part that nobody knows.

        >>> from_chat([{"role": "user", "content": {"city": "Oslo"}}])[0].content
        '{"city": "Oslo"}'
    """
    return [_read(wire, n) for n, wire in enumerate(messages, 1)]


def _read(wire: JsonMapping, n: int) -> BaseMessage:
    role = wire.get("role") if isinstance(wire, Mapping) else None
    reader = _READERS.get(role) if isinstance(role, str) else None
    if reader is None:
        raise TurnValueError(f"Message {n} has the role `{role}`; allowed: {', '.join(_READERS)}.")
    if not isinstance(wire.get("name"), str | None):
        raise TurnValueError(
            f"Message {n} has a `name` of type `{type(wire['name']).__name__}`; write text."
        )
    return reader(wire, n)


def _read_system(wire: JsonMapping, n: int) -> BaseMessage:
    kwargs = {DEVELOPER: "developer"} if wire["role"] == "developer" else {}
    content = _read_content(wire, n)
    return SystemMessage(content=content, name=wire.get("name"), additional_kwargs=kwargs)


def _read_user(wire: JsonMapping, n: int) -> BaseMessage:
    return HumanMessage(content=_read_content(wire, n), name=wire.get("name"))


def _read_tool_result(wire: JsonMapping, n: int) -> BaseMessage:
    call_id = wire.get("tool_call_id")
    if not isinstance(call_id, str):
        raise TurnValueError(
            f"Message {n} is a tool's result without a `tool_call_id`; give the id of its call."
        )
    return ToolMessage(content=_read_content(wire, n), tool_call_id=call_id, name=wire.get("name"))


def _read_assistant(wire: JsonMapping, n: int) -> BaseMessage:
    if wire.get("function_call"):
        # Its result would need the deprecated role `function`, which vendors no longer take.
        raise TurnValueError(f"Message {n} has the deprecated `function_call`; write `tool_calls`.")
    content, kwargs = _read_answer(wire, n)
    sent_calls = wire.get("tool_calls") or []
    if not isinstance(sent_calls, list):
        raise TurnValueError(
            f"Message {n} has `tool_calls` of type `{type(sent_calls).__name__}`; write a list."
        )
    calls = [_read_call(call, n) for call in sent_calls]
    if calls:
        kwargs["tool_calls"] = calls
    if audio := wire.get("audio"):
        kwargs["audio"] = audio
    valid, invalid = split_calls(map(id_name_arguments, calls))
    return AIMessage(
        content=content,
        tool_calls=valid,
        invalid_tool_calls=invalid,
        name=wire.get("name"),
        additional_kwargs=kwargs,
    )


def _read_answer(wire: JsonMapping, n: int) -> tuple[Any, JsonObject]:
    """The content of an assistant message, and its `additional_kwargs` without the calls."""
    content: Any = "" if wire.get("content") is None else _read_content(wire, n)
    kwargs: JsonObject = {}
    refusal = wire.get("refusal")
    if isinstance(content, list) and content and content[0].get("type") == "refusal":
        content, refusal = "", content[0]["refusal"]
    if isinstance(content, list) and any(part.get("type") != "text" for part in content):
        text = "".join(part["text"] for part in content if part.get("type") == "text")
        kwargs["content_parts"] = slim_parts(content, text)
        content = text
    if refusal:
        kwargs["refusal"] = refusal
    extra = {
        name: value
        for name, value in wire.items()
        if name not in _READ_BY_NAME and value is not None
    }
    field = received_text_field(wire)
    if field is not None:
        kwargs["reasoning_content"] = wire[field]
        if field != DEFAULT_TEXT_FIELD:
            extra["reasoning_field"] = field
    return content, {**kwargs, "extra": extra} if extra else kwargs


def _read_call(call: Any, n: int) -> JsonObject:
    """A tool call, its members checked, without the `index` that numbers it in a stream."""
    if isinstance(call, Mapping) and call.get("type") == "custom" and _is_custom_call(call):
        return {"id": call["id"], "type": "custom", "custom": dict(call["custom"])}
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not all(
        isinstance(text, str) for text in (call.get("id"), function.get("name"))
    ):
        raise TurnValueError(
            f"Message {n} has a tool call without `id` and `function`: {{`name`, `arguments`}}."
        )
    read = chat_call(call["id"], function["name"], _arguments_text(function.get("arguments"), n))
    return read | {name: value for name, value in call.items() if name not in (*read, "index")}


def _arguments_text(arguments: object, n: int) -> str:
    # Clients in other languages send an object or null, which servers accept as well.
    if arguments is None:
        return ""
    if isinstance(arguments, str):
        return arguments
    return json_text(arguments, f"The arguments of a tool call in message {n}")


def _is_custom_call(call: JsonMapping) -> bool:
    custom = call.get("custom")
    if not isinstance(custom, Mapping):
        return False
    texts = (call.get("id"), custom.get("name"), custom.get("input"))
    return all(isinstance(text, str) for text in texts)


def _read_content(wire: JsonMapping, n: int) -> str | list[Any]:
    content = wire.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        return json_text(content, "A message's content")
    role = wire["role"]
    if not isinstance(content, list):
        kind = type(content).__name__
        raise TurnValueError(
            f"Message {n} ({role}) has a content of type `{kind}`; write text or a list."
        )
    for part in content:
        part_type = part.get("type") if isinstance(part, Mapping) else None
        if role != "assistant" or part_type not in NOT_CONTENT:
            read_block(part, f"message {n} ({role})")  # raises for a part that nobody knows
    return [
        {"type": "text", "text": part} if isinstance(part, str) else dict(part) for part in content
    ]


_READERS: Final[Mapping[str, Callable[[JsonMapping, int], BaseMessage]]] = {
    "system": _read_system,
    "developer": _read_system,
    "user": _read_user,
    "assistant": _read_assistant,
    "tool": _read_tool_result,
}
