"""Chat Completions messages to LangChain's: the way back of `OpenAIChatConverter`.

https://platform.openai.com/docs/api-reference/chat/create#chat-create-messages
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from turngraph.providers.writing.content import NOT_CONTENT, read_block
from turngraph.providers.writing.messages import REASONING_FIELDS, slim_parts, split_calls, triple
from turngraph.providers.writing.roles import DEVELOPER
from turngraph.state.arguments import dump_json
from turngraph.state.errors import TurnValueError

__all__ = ["from_chat"]

_STANDARD: Final = frozenset(
    ("role", "content", "name", "tool_calls", "refusal", "audio", "function_call", "annotations")
)


def from_chat(messages: Sequence[Mapping[str, Any]]) -> list[BaseMessage]:
    """Chat Completions `messages` as LangChain's. Raises TurnValueError naming a role or part
    nobody knows.

    >>> from_chat([{"role": "user", "content": {"city": "Oslo"}}])[0].content
    '{"city": "Oslo"}'
    """
    return [_read(wire, n) for n, wire in enumerate(messages, 1)]


def _read(wire: Mapping[str, Any], n: int) -> BaseMessage:
    role = wire.get("role") if isinstance(wire, Mapping) else None
    reader = _READ.get(role) if isinstance(role, str) else None
    if reader is None:
        raise TurnValueError(f"Message {n} has the role `{role}`; allowed: {', '.join(_READ)}.")
    if not isinstance(wire.get("name"), str | None):
        raise TurnValueError(
            f"Message {n} has a `name` of type `{type(wire['name']).__name__}`; write text."
        )
    return reader(wire, n)


def _read_system(wire: Mapping[str, Any], n: int) -> BaseMessage:
    extra = {DEVELOPER: "developer"} if wire["role"] == "developer" else {}
    return SystemMessage(
        content=_read_content(wire, n), name=wire.get("name"), additional_kwargs=extra
    )


def _read_user(wire: Mapping[str, Any], n: int) -> BaseMessage:
    return HumanMessage(content=_read_content(wire, n), name=wire.get("name"))


def _read_tool(wire: Mapping[str, Any], n: int) -> BaseMessage:
    if not isinstance(wire.get("tool_call_id"), str):
        raise TurnValueError(f"Message {n} is a tool's result without a `tool_call_id`.")
    return ToolMessage(
        content=_read_content(wire, n), tool_call_id=wire["tool_call_id"], name=wire.get("name")
    )


def _read_assistant(wire: Mapping[str, Any], n: int) -> BaseMessage:
    if wire.get("function_call"):
        raise TurnValueError(f"Message {n} has the retired `function_call`; write `tool_calls`.")
    content, kwargs = _read_answer(wire, n)
    asked = wire.get("tool_calls") or []
    if not isinstance(asked, list):
        raise TurnValueError(
            f"Message {n} has `tool_calls` of type `{type(asked).__name__}`; write a list."
        )
    calls = [_read_call(call, n) for call in asked]
    if calls:
        kwargs["tool_calls"] = calls
    if audio := wire.get("audio"):
        kwargs["audio"] = audio
    valid, invalid = split_calls(map(triple, calls))
    return AIMessage(
        content=content,
        tool_calls=valid,
        invalid_tool_calls=invalid,
        name=wire.get("name"),
        additional_kwargs=kwargs,
    )


def _read_answer(wire: Mapping[str, Any], n: int) -> tuple[Any, dict[str, Any]]:
    """The content of an assistant message, and what rides beside it."""
    content: Any = "" if wire.get("content") is None else _read_content(wire, n)
    kwargs: dict[str, Any] = {}
    refusal = wire.get("refusal")
    if isinstance(content, list) and content and content[0].get("type") == "refusal":
        content, refusal = "", content[0]["refusal"]
    if isinstance(content, list) and any(part.get("type") != "text" for part in content):
        text = "".join(part["text"] for part in content if part.get("type") == "text")
        kwargs["content_parts"] = slim_parts(content, text)
        content = text
    if refusal:
        kwargs["refusal"] = refusal
    spelling = next((name for name in REASONING_FIELDS if wire.get(name)), None)
    if spelling is not None:
        kwargs["reasoning_content"] = wire[spelling]
    extra = {
        k: v
        for k, v in wire.items()
        if k not in _STANDARD and k not in REASONING_FIELDS and v is not None
    }
    if spelling not in (None, "reasoning_content"):
        extra["reasoning_field"] = spelling
    return content, {**kwargs, "extra": extra} if extra else kwargs


def _read_call(call: Any, n: int) -> dict[str, Any]:
    """A wire call, its parts checked, without the `index` that streams number it by."""
    if isinstance(call, Mapping) and call.get("type") == "custom" and _is_custom(call):
        return {"id": call["id"], "type": "custom", "custom": dict(call["custom"])}
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not all(
        isinstance(t, str) for t in (call.get("id"), function.get("name"))
    ):
        raise TurnValueError(
            f"Message {n} has a tool call without `id` and `function`: {{`name`, `arguments`}}."
        )
    arguments = function.get("arguments")
    text = (
        arguments
        if isinstance(arguments, str)
        else ""
        if arguments is None
        else dump_json(arguments)
    )
    known = {
        "id": call["id"],
        "type": "function",
        "function": {"name": function["name"], "arguments": text},
    }
    return known | {k: v for k, v in call.items() if k not in ("id", "type", "function", "index")}


def _is_custom(call: Mapping[str, Any]) -> bool:
    custom = call.get("custom")
    texts = (
        (call.get("id"), custom.get("name"), custom.get("input"))
        if isinstance(custom, Mapping)
        else (None,)
    )
    return all(isinstance(value, str) for value in texts)


def _read_content(wire: Mapping[str, Any], n: int) -> str | list[Any]:
    content = wire.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        return dump_json(content)
    if not isinstance(content, list):
        kind = type(content).__name__
        raise TurnValueError(
            f"Message {n} ({wire['role']}) has a content of type `{kind}`; write text or a list."
        )
    for part in content:
        if (
            isinstance(part, Mapping)
            and part.get("type") in NOT_CONTENT
            and wire["role"] == "assistant"
        ):
            continue
        read_block(part, f"message {n} ({wire['role']})")
    return [
        {"type": "text", "text": part} if isinstance(part, str) else dict(part) for part in content
    ]


_READ: Final[Mapping[str, Callable[[Mapping[str, Any], int], BaseMessage]]] = {
    "system": _read_system,
    "developer": _read_system,
    "user": _read_user,
    "assistant": _read_assistant,
    "tool": _read_tool,
}
