"""Responses input items to LangChain's messages: the way back of `OpenAIResponsesConverter`.

https://platform.openai.com/docs/api-reference/responses/create#responses-create-input
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from turngraph.providers.writing.content import read_block
from turngraph.providers.writing.messages import slim_items, split_calls, triple
from turngraph.providers.writing.roles import DEVELOPER
from turngraph.state.arguments import dump_json
from turngraph.state.errors import TurnValueError

__all__ = ["from_responses"]

_NEEDED: Final = {
    "function_call": ("call_id", "name"),
    "custom_tool_call": ("call_id", "name", "input"),
}
_RESULTS: Final = ("function_call_output", "custom_tool_call_output")


def from_responses(items: str | Sequence[Mapping[str, Any]]) -> list[BaseMessage]:
    """The `input` of a Responses request as messages. What the model said between two others
    becomes one AIMessage.

    Raises TurnValueError naming an item, role or part nobody knows.

        >>> from_responses("Hi")[0].content
        'Hi'
    """
    if isinstance(items, str):
        return [HumanMessage(items)]
    messages: list[BaseMessage] = []
    said: list[dict[str, Any]] = []
    for n, item in enumerate(items, 1):
        message = _message(item, n)
        if message is None:
            said.append(_said(item, n))
            continue
        messages += [*_answer(said), message]
        said = []
    return messages + _answer(said)


def _message(item: Any, n: int) -> BaseMessage | None:
    """The message `item` is on its own, or `None` where it is part of what the model said."""
    if not isinstance(item, Mapping):
        raise TurnValueError(f"Item {n} is a `{type(item).__name__}`; write an object.")
    kind, role = item.get("type", "message"), item.get("role")
    if kind in _RESULTS:
        extra = {} if kind == "function_call_output" else {"type": kind}
        if not isinstance(item.get("call_id"), str):
            raise TurnValueError(f"Item {n} is a tool's result without a `call_id`.")
        content = _content({"content": item.get("output")}, n)
        return ToolMessage(content=content, tool_call_id=item["call_id"], additional_kwargs=extra)
    if kind != "message" or role == "assistant":
        return None
    reader = _READ.get(role) if isinstance(role, str) else None
    if reader is None:
        raise TurnValueError(
            f"Item {n} has the role `{role}`; allowed: {', '.join(_READ)}, assistant."
        )
    return reader(item, n)


def _said(item: Mapping[str, Any], n: int) -> dict[str, Any]:
    """An item of the model's, its call checked."""
    needed = _NEEDED.get(str(item.get("type")), ())
    if not all(isinstance(item.get(name), str) for name in needed):
        raise TurnValueError(
            f"Item {n} is a `{item['type']}`; it needs text in {', '.join(needed)}."
        )
    return _listed(item)


def _answer(items: list[dict[str, Any]]) -> list[BaseMessage]:
    if not items:
        return []
    parts = [part for item in items if item.get("type") == "message" for part in item["content"]]
    text = "".join(part["text"] for part in parts if part.get("type") == "output_text")
    wire = [
        _wire_call(item)
        for item in items
        if item.get("type") in ("function_call", "custom_tool_call")
    ]
    kwargs: dict[str, Any] = {"output_items": slim_items(items, text)} if _tells_more(items) else {}
    if wire:
        kwargs["tool_calls"] = wire
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
    valid, invalid = split_calls(map(triple, wire))
    return [
        AIMessage(
            content=text, tool_calls=valid, invalid_tool_calls=invalid, additional_kwargs=kwargs
        )
    ]


def _listed(item: Mapping[str, Any]) -> dict[str, Any]:
    """An assistant's message item with its `type`, and its content as a list of parts."""
    if item.get("type", "message") != "message":
        return dict(item)
    content = item.get("content")
    parts = (
        [{"type": "output_text", "text": content}]
        if isinstance(content, str)
        else list(content or ())
    )
    spoken = [
        {**part, "type": "output_text"} if part.get("type") in ("input_text", "text") else part
        for part in parts
    ]
    return {**item, "type": "message", "content": spoken}


def _tells_more(items: list[dict[str, Any]]) -> bool:
    """Whether the items hold more than the text and the calls, which stand in the message anyway."""
    if sum(item.get("type") == "message" for item in items) > 1:
        return True
    plain = {
        "message": {"type", "role", "content"},
        "function_call": {"type", "call_id", "name", "arguments"},
    }
    if any(not set(item) <= plain.get(item["type"], set()) for item in items):
        return True
    kinds = [item["type"] for item in items]
    return kinds != sorted(kinds, key=["message", "function_call"].index)


def _wire_call(item: Mapping[str, Any]) -> dict[str, Any]:
    if item["type"] == "custom_tool_call":
        return {
            "id": item["call_id"],
            "type": "custom",
            "custom": {"name": item["name"], "input": item["input"]},
        }
    function = {"name": item["name"], "arguments": item.get("arguments") or ""}
    return {"id": item["call_id"], "type": "function", "function": function}


def _read_system(item: Mapping[str, Any], n: int) -> BaseMessage:
    extra = {DEVELOPER: "developer"} if item["role"] == "developer" else {}
    return SystemMessage(content=_content(item, n), additional_kwargs=extra)


def _read_user(item: Mapping[str, Any], n: int) -> BaseMessage:
    return HumanMessage(content=_content(item, n))


_READ: Final[Mapping[str, Callable[[Mapping[str, Any], int], BaseMessage]]] = {
    "system": _read_system,
    "developer": _read_system,
    "user": _read_user,
}


def _content(item: Mapping[str, Any], n: int) -> str | list[str | dict[str, Any]]:
    content = item.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        return dump_json(content)
    if not isinstance(content, list):
        raise TurnValueError(
            f"Item {n} has a content of type `{type(content).__name__}`; write text or a list of parts."
        )
    for part in content:
        read_block(part, f"item {n}")
    if len(content) == 1 and set(content[0]) == {"type", "text"}:
        return str(content[0]["text"])
    return [_part(part) for part in content]


def _part(part: Mapping[str, Any]) -> str | dict[str, Any]:
    """A part in the spelling LangChain knows."""
    if part.get("type") in ("input_text", "output_text"):
        return {**part, "type": "text"}
    if part.get("type") == "input_image":
        return _image(part)
    if part.get("type") == "input_file":
        held = {
            name: part[name]
            for name in ("file_id", "file_data", "filename")
            if part.get(name) is not None
        }
        url = part.get("file_url")
        return {"type": "file", "file": held} if url is None else {"type": "file", "url": url}
    return dict(part)


def _image(part: Mapping[str, Any]) -> dict[str, Any]:
    detail = (
        {} if part.get("detail") in (None, "auto") else {"detail": part["detail"]}
    )  # `auto` is the default
    if part.get("file_id") is not None:
        return {
            "type": "image",
            "file_id": part["file_id"],
            **({"extras": detail} if detail else {}),
        }
    return {"type": "image_url", "image_url": {"url": part["image_url"], **detail}}
