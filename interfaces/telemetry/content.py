"""What was said, in the form of OpenTelemetry's `gen_ai.input.messages` and `…output.messages`.

Source: https://github.com/open-telemetry/semantic-conventions-genai/tree/main/docs/gen-ai
(`gen-ai-input-messages.json`, `gen-ai-output-messages.json`). Pictures, sounds and files are named,
and left out.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from turngraph.providers.writing.payload import Payload
from turngraph.state.json_types import JsonObject
from turngraph.state.reply import ProviderReply

__all__ = ["input_messages", "output_messages"]


def input_messages(payload: Payload) -> list[JsonObject]:
    """Returns the conversation of a request.

    >>> input_messages(Payload("chat", {"messages": [{"role": "user", "content": "Hi"}]}))
    [{'role': 'user', 'parts': [{'type': 'text', 'content': 'Hi'}]}]
    """
    given = payload.body.get("messages" if payload.api == "chat" else "input")
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    return [{"role": _role(item), "parts": list(_parts(item))} for item in _objects(given)]


def output_messages(reply: ProviderReply) -> list[JsonObject]:
    """Returns an answer as a list of one message."""
    parts: list[Any] = [{"type": "text", "content": reply.text}] if reply.text else []
    if reply.reasoning:
        parts.insert(0, {"type": "reasoning", "content": reply.reasoning})
    parts += [
        {"type": "tool_call", "id": call.id, "name": call.name, "arguments": call.arguments}
        for call in reply.tool_calls
    ]
    reason = reply.finish_reason or "error"
    return [{"role": "assistant", "parts": parts, "finish_reason": reason}]


def _role(item: Mapping[str, Any]) -> str:
    of_type = {"function_call": "assistant", "reasoning": "assistant"}
    of_type["function_call_output"] = "tool"
    return str(item.get("role") or of_type.get(str(item.get("type")), "user"))


def _parts(item: Mapping[str, Any]) -> Iterator[JsonObject]:
    if item.get("type") == "function_call":
        yield _call_part(item.get("call_id"), item)
    elif item.get("type") == "function_call_output":
        yield _answer_part(item.get("call_id"), item.get("output"))
    elif item.get("role") == "tool":
        yield _answer_part(item.get("tool_call_id"), item.get("content"))
    else:
        yield from _content_parts(item.get("content"))
        for call in _objects(item.get("tool_calls")):
            function = call.get("function")
            yield _call_part(call.get("id"), function if isinstance(function, dict) else {})


def _content_parts(content: object) -> Iterator[JsonObject]:
    if isinstance(content, str):
        yield {"type": "text", "content": content}
    for part in _objects(content):
        text = part.get("text")
        kind = str(part.get("type"))
        yield {"type": "text", "content": text} if isinstance(text, str) else {"type": kind}


def _objects(items: object) -> list[JsonObject]:
    """The objects in a list. A client whose request is forwarded may have written anything."""
    return [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []


def _call_part(call_id: Any, function: Mapping[str, Any]) -> JsonObject:
    name, arguments = function.get("name"), function.get("arguments")
    return {"type": "tool_call", "id": call_id, "name": name, "arguments": arguments}


def _answer_part(call_id: Any, content: Any) -> JsonObject:
    return {"type": "tool_call_response", "id": call_id, "response": content}
