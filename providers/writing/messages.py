"""How a model's answer rides on a LangChain message, whole or in pieces.

What a vendor needs back stands beside the text, once, so that a later request can replay it byte
for byte (prompt caches compare bytes) and an edit of `content` or `tool_calls` still takes effect:

additional_kwargs      what
tool_calls             the calls as on the wire, arguments as sent
reasoning_content      the reasoning the vendor shows, as text
extra                  other message fields a vendor wants back, under their own names (`reasoning_details`, …)
content_parts          Chat Completions: the parts of a content that came as a list, its text left out
output_items           Responses: the output items in order, the text and arguments already held elsewhere left out
refusal                a refusal's text
"""

from collections.abc import Iterable, Mapping
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, InvalidToolCall
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import (
    ToolCall as LangChainToolCall,
    invalid_tool_call,
    tool_call as langchain_tool_call,
    tool_call_chunk,
)

from turngraph.state.arguments import parse_arguments
from turngraph.state.errors import ToolArgumentsError
from turngraph.state.reply import ProviderReply, StreamChunk, ToolCall
from turngraph.state.request import Api
from turngraph.state.usage import Usage

__all__ = [
    "CUSTOM",
    "REASONING_FIELDS",
    "slim_items",
    "slim_parts",
    "split_calls",
    "to_ai_message",
    "to_chunk",
    "triple",
    "usage_metadata",
]

REASONING_FIELDS = ("reasoning_content", "reasoning")
"""The names vendors have for the text of the reasoning in a Chat Completions message."""

CUSTOM = ("custom", "custom_tool_call")
"""What the two APIs call the calls of tools that take free text; turngraph hands them on, and runs
none.
"""

_CUT = "The answer stopped before its end, so these arguments may be incomplete."


def to_ai_message(reply: ProviderReply, *, message_id: str, vendor: str, api: Api) -> AIMessage:
    """`reply` as the message that stands for it in the conversation.

    A call whose arguments are not a JSON object, or did not arrive whole, is an
    `invalid_tool_call`.

        >>> reply = ProviderReply(text="Four.", finish_reason="stop", response_id="r1")
        >>> to_ai_message(reply, message_id="m1", vendor="openai", api="chat").response_metadata["finish_reason"]
        'stop'
    """
    calls, invalid = split_calls((c.id, c.name, c.arguments) for c in reply.tool_calls)
    if reply.truncated:
        invalid += [
            invalid_tool_call(id=c.id, name=c.name, args=c.arguments, error=_CUT)
            for c in _cut(reply, invalid)
        ]
        calls = []
    return AIMessage(
        id=message_id,
        content=reply.text,
        tool_calls=calls,
        invalid_tool_calls=invalid,
        usage_metadata=usage_metadata(reply.usage),
        response_metadata=_response_metadata(reply, vendor, api),
        additional_kwargs=_additional(reply, api),
    )


def to_chunk(chunk: StreamChunk, *, message_id: str) -> AIMessageChunk:
    """`chunk` as a piece of the message, for whoever watches the tokens.

    >>> to_chunk(StreamChunk(type="text", text="Fo"), message_id="m1").content
    'Fo'
    """
    piece = AIMessageChunk(id=message_id, content=chunk.text if chunk.type == "text" else "")
    if chunk.type == "reasoning":
        piece.additional_kwargs = {"reasoning_content": chunk.text}
    elif chunk.type == "refusal":
        piece.additional_kwargs = {"refusal": chunk.text}
    elif chunk.type == "error":
        piece.response_metadata = {"error": chunk.text}
    elif chunk.type == "usage":
        piece.usage_metadata = usage_metadata(chunk.usage)
    elif chunk.tool_call is not None:
        call = chunk.tool_call
        pieces = [tool_call_chunk(id=call.id, name=call.name, args=call.arguments, index=None)]
        return AIMessageChunk(id=message_id, content="", tool_call_chunks=pieces)
    return piece


def split_calls(
    calls: Iterable[tuple[str, str, str]],
) -> tuple[list[LangChainToolCall], list[InvalidToolCall]]:
    """Calls as (id, name, arguments text), sorted into those that parse and those that do not.

    >>> valid, invalid = split_calls([("1", "f", "{}"), ("2", "f", "{")])
    >>> valid[0]["args"], invalid[0]["args"]
    ({}, '{')
    """
    valid: list[LangChainToolCall] = []
    invalid: list[InvalidToolCall] = []
    for id_, name, arguments in calls:
        try:
            valid.append(langchain_tool_call(id=id_, name=name, args=parse_arguments(arguments)))
        except ToolArgumentsError as error:
            invalid.append(invalid_tool_call(id=id_, name=name, args=arguments, error=str(error)))
    return valid, invalid


def triple(wire: Mapping[str, Any]) -> tuple[str, str, str]:
    """A wire call as (id, name, arguments text); a custom tool's text stands for its arguments.

    >>> triple({"id": "1", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}})
    ('1', 'sql', 'SELECT 1')
    """
    if wire.get("type") == "custom":
        return wire["id"], wire["custom"]["name"], wire["custom"]["input"]
    return wire["id"], wire["function"]["name"], wire["function"]["arguments"]


def usage_metadata(usage: Usage | None) -> UsageMetadata | None:
    """LangChain's form of `usage`. It has no «not reported» for input and output, so `None` where
    neither was.

    >>> usage_metadata(Usage(input_tokens=9, output_tokens=1, cache_read_tokens=4))["input_token_details"]
    {'cache_read': 4}
    """
    if usage is None or (usage.input_tokens is None and usage.output_tokens is None):
        return None
    asked, answered = usage.input_tokens or 0, usage.output_tokens or 0
    total = asked + answered if usage.total_tokens is None else usage.total_tokens
    metadata = UsageMetadata(input_tokens=asked, output_tokens=answered, total_tokens=total)
    read = InputTokenDetails()
    if usage.cache_read_tokens is not None:
        read["cache_read"] = usage.cache_read_tokens
    if usage.cache_write_tokens is not None:
        read["cache_creation"] = usage.cache_write_tokens
    if usage.input_audio_tokens is not None:
        read["audio"] = usage.input_audio_tokens
    written = OutputTokenDetails()
    if usage.reasoning_tokens is not None:
        written["reasoning"] = usage.reasoning_tokens
    if usage.output_audio_tokens is not None:
        written["audio"] = usage.output_audio_tokens
    if read:
        metadata["input_token_details"] = read
    if written:
        metadata["output_token_details"] = written
    return metadata


def _cut(reply: ProviderReply, invalid: list[InvalidToolCall]) -> list[ToolCall]:
    told = {call["id"] for call in invalid}
    return [call for call in reply.tool_calls if call.id not in told]


def _response_metadata(reply: ProviderReply, vendor: str, api: Api) -> dict[str, Any]:
    found = {
        "model_name": reply.model,
        "model_provider": vendor,
        "api": api,
        "id": reply.response_id,
        "finish_reason": reply.finish_reason,
        "service_tier": reply.service_tier,
        "logprobs": {"content": list(reply.logprobs)} if reply.logprobs else None,
        "citations": list(reply.citations) or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _additional(reply: ProviderReply, api: Api) -> dict[str, Any]:
    # An audio answer's id expires within the hour; its transcript, which is the text, does not.
    extra = {
        name: value
        for name, value in reply.extra.items()
        if name not in (*REASONING_FIELDS, "audio")
    }
    spelling = next(
        (name for name in REASONING_FIELDS if reply.extra.get(name) == reply.reasoning), None
    )
    if reply.reasoning is not None and spelling not in (None, "reasoning_content"):
        extra["reasoning_field"] = spelling
    found = {
        "tool_calls": [_wire_call(call) for call in reply.tool_calls],
        "reasoning_content": reply.reasoning,
        "extra": extra,
        "refusal": reply.refusal,
    }
    if reply.items:
        name, slim = (
            ("output_items", slim_items) if api == "responses" else ("content_parts", slim_parts)
        )
        found[name] = slim(reply.items, reply.text)
    return {name: value for name, value in found.items() if value not in (None, [], {})}


def _wire_call(call: ToolCall) -> dict[str, Any]:
    if call.extra and call.extra.get("type") in CUSTOM:
        return {
            "id": call.id,
            "type": "custom",
            "custom": {"name": call.name, "input": call.arguments},
        }
    wire: dict[str, Any] = {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }
    if call.extra and (content := call.extra.get("extra_content")) is not None:
        wire["extra_content"] = content
    return wire


def slim_parts(parts: Iterable[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """The `parts` of a Chat Completions content, its text left out where it equals `text`: one
    place stands for it.

    >>> slim_parts([{"type": "thinking", "thinking": []}, {"type": "text", "text": "Hi"}], "Hi")
    [{'type': 'thinking', 'thinking': []}, {'type': 'text'}]
    """
    kept = list(parts)
    texts = [part for part in kept if part.get("type") == "text"]
    if "".join(str(part.get("text", "")) for part in texts) != text:
        return kept
    first = texts[0] if texts else None
    return [
        {"type": "text"} if part is first else part
        for part in kept
        if part is first or part not in texts
    ]


def slim_items(items: Iterable[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """Responses output `items` without what the message holds elsewhere, and without nulls, which
    are not sent back.

    A text that equals the message's own is left out, and so are a call's name and arguments.

        >>> slim_items([{"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": "Hi"}]}], "Hi")
        [{'type': 'message', 'id': 'msg_1', 'content': [{'type': 'output_text'}]}]
    """
    return [_slim_item(_without_nulls(item), text) for item in items]


def _without_nulls(item: dict[str, Any]) -> dict[str, Any]:
    """`item` and the objects right inside it (a search's `action`); deeper ones may mean their
    nulls.
    """
    kept = {name: value for name, value in item.items() if value is not None}
    for name, value in kept.items():
        if isinstance(value, dict):
            kept[name] = {inner: member for inner, member in value.items() if member is not None}
    return kept


def _slim_item(item: dict[str, Any], text: str) -> dict[str, Any]:
    if item.get("type") == "function_call":
        return {name: value for name, value in item.items() if name not in ("name", "arguments")}
    if item.get("type") == "message" and isinstance(item.get("content"), list):
        return {**item, "content": [_slim_text(part, text) for part in item["content"]]}
    return item


def _slim_text(part: Any, text: str) -> Any:
    if not isinstance(part, dict) or part.get("type") != "output_text":
        return part
    dropped = ("text", "logprobs") if part.get("text") == text else ("logprobs",)
    return {name: value for name, value in part.items() if name not in dropped}
