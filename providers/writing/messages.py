"""A model's answer as a LangChain message, whole or in pieces.

What a vendor needs back is stored beside the text, once. A later request can then send it byte for
byte (prompt caches compare bytes), and an edit of `content` or `tool_calls` still takes effect.

additional_kwargs      what
tool_calls             the calls in the Chat Completions form, arguments as the model wrote them
reasoning_content      the reasoning that the vendor shows, as text
extra                  other members of the answer that a vendor wants back, under their own names
                       (`reasoning_details`), and `reasoning_field`: the member in which
                       `reasoning_content` came, if that is another one
content_parts          Chat Completions: the parts of a content that came as a list, without its
                       text
output_items           Responses: the output items in order, without what is stored elsewhere
refusal                the text of a refusal
annotations            the pages and files that the text cites, as LangChain has them
"""

from collections.abc import Iterable
from copy import copy
from typing import Final

from langchain_core.messages import AIMessage, AIMessageChunk, InvalidToolCall
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import (
    ToolCall as LangChainToolCall,
    invalid_tool_call,
    tool_call as langchain_tool_call,
    tool_call_chunk,
)

from turngraph.providers.vendors.reasoning_fields import DEFAULT_TEXT_FIELD, REASONING_TEXT_FIELDS
from turngraph.providers.writing.annotations import langchain_annotation
from turngraph.providers.writing.reasoning_replay import received_text_field
from turngraph.providers.writing.stored_parts import slim_items, slim_parts
from turngraph.providers.writing.wire_calls import chat_call
from turngraph.state.arguments import parse_arguments
from turngraph.state.errors import ToolArgumentsError
from turngraph.state.json_types import JsonObject
from turngraph.state.reply import ProviderReply, StreamChunk, ToolCall
from turngraph.state.request import ECHOED_TYPE, Api
from turngraph.state.usage import Usage

__all__ = ["CUSTOM", "split_calls", "to_ai_message", "to_chunk", "usage_metadata"]

CUSTOM: Final = ("custom", "custom_tool_call")
"""The two APIs' types for calls of tools that take free text. Turngraph passes them on and runs
none.
"""

_EMPTY_CHUNK: Final = AIMessageChunk(content="")
"""Copied for each piece of a stream: LangChain's validation of a new one takes three times as long.
"""
_TRUNCATED: Final = "The answer stopped before its end, so these arguments may be incomplete."


def to_ai_message(reply: ProviderReply, *, message_id: str, vendor: str, api: Api) -> AIMessage:
    """`reply` as the message that stands for it in the conversation.

    A call is an `invalid_tool_call` if its arguments are not a JSON object, or if the answer was
    cut off or not finished, since they may then lack their end.

        >>> reply = ProviderReply(text="Four.", finish_reason="stop", response_id="r1")
        >>> message = to_ai_message(reply, message_id="m1", vendor="openai", api="chat")
        >>> message.response_metadata["finish_reason"]
        'stop'
    """
    valid, invalid = split_calls((c.id, c.name, c.arguments) for c in reply.tool_calls)
    if reply.unfinished:
        # Even arguments that parse may have lost an item of a list: none of these calls is run.
        invalid += [
            invalid_tool_call(id=c.id, name=c.name, args=c.arguments, error=_TRUNCATED)
            for c in _calls_not_in(invalid, reply)
        ]
        valid = []
    return AIMessage(
        id=message_id,
        content=reply.text,
        tool_calls=valid,
        invalid_tool_calls=invalid,
        usage_metadata=usage_metadata(reply.usage),
        response_metadata=_response_metadata(reply, vendor, api),
        additional_kwargs=_additional_kwargs(reply, api),
    )


def to_chunk(chunk: StreamChunk, *, message_id: str) -> AIMessageChunk:
    """`chunk` as a piece of the message, for listeners to tokens.

    >>> to_chunk(StreamChunk(type="text", text="Fo"), message_id="m1").content
    'Fo'
    """
    piece = copy(_EMPTY_CHUNK)
    vars(piece).update(
        id=message_id,
        content=chunk.text if chunk.type == "text" else "",
        # Every chunk gets its own: a listener may add to them.
        additional_kwargs={},
        response_metadata={},
        tool_calls=[],
        invalid_tool_calls=[],
        tool_call_chunks=[],
    )
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
    """Splits calls (id, name, text of the arguments) into those that parse and those that do not.

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


def usage_metadata(usage: Usage | None) -> UsageMetadata | None:
    """`usage` in LangChain's form.

    None if neither input nor output tokens were reported, because that form cannot say so.

        >>> usage = Usage(input_tokens=9, output_tokens=1, cache_read_tokens=4)
        >>> usage_metadata(usage)["input_token_details"]
        {'cache_read': 4}
    """
    if usage is None or (usage.input_tokens is None and usage.output_tokens is None):
        return None
    input_tokens, output_tokens = usage.input_tokens or 0, usage.output_tokens or 0
    total = input_tokens + output_tokens if usage.total_tokens is None else usage.total_tokens
    metadata = UsageMetadata(
        input_tokens=input_tokens, output_tokens=output_tokens, total_tokens=total
    )
    input_details = InputTokenDetails()
    if usage.cache_read_tokens is not None:
        input_details["cache_read"] = usage.cache_read_tokens
    if usage.cache_write_tokens is not None:
        input_details["cache_creation"] = usage.cache_write_tokens
    if usage.input_audio_tokens is not None:
        input_details["audio"] = usage.input_audio_tokens
    output_details = OutputTokenDetails()
    if usage.reasoning_tokens is not None:
        output_details["reasoning"] = usage.reasoning_tokens
    if usage.output_audio_tokens is not None:
        output_details["audio"] = usage.output_audio_tokens
    if input_details:
        metadata["input_token_details"] = input_details
    if output_details:
        metadata["output_token_details"] = output_details
    return metadata


def _calls_not_in(invalid: list[InvalidToolCall], reply: ProviderReply) -> list[ToolCall]:
    ids = {call["id"] for call in invalid}
    return [call for call in reply.tool_calls if call.id not in ids]


def _response_metadata(reply: ProviderReply, vendor: str, api: Api) -> JsonObject:
    members = {
        "model_name": reply.model,
        "model_provider": vendor,
        "api": api,
        "id": reply.response_id,
        "finish_reason": reply.finish_reason,
        "service_tier": reply.service_tier,
        "logprobs": {"content": list(reply.logprobs)} if reply.logprobs else None,
    }
    return {name: value for name, value in members.items() if value is not None}


def _additional_kwargs(reply: ProviderReply, api: Api) -> JsonObject:
    # An audio answer's id expires within the hour; its transcript, which is the text, does not.
    elsewhere = (*REASONING_TEXT_FIELDS, "audio")
    extra = {name: value for name, value in reply.extra.items() if name not in elsewhere}
    if reply.reasoning is not None:
        field = received_text_field(reply.extra, reply.reasoning)
        if field not in (None, DEFAULT_TEXT_FIELD):
            extra["reasoning_field"] = field
    members = {
        "tool_calls": [_call_to_store(call) for call in reply.tool_calls],
        "reasoning_content": reply.reasoning,
        "extra": extra,
        "refusal": reply.refusal,
        "annotations": [langchain_annotation(citation) for citation in reply.citations],
    }
    if reply.items and api == "responses":
        members["output_items"] = slim_items(reply.items, reply.text)
    elif reply.items:
        members["content_parts"] = slim_parts(reply.items, reply.text)
    return {name: value for name, value in members.items() if value not in (None, [], {})}


def _call_to_store(call: ToolCall) -> JsonObject:
    extra = call.extra or {}
    if extra.get("type") in CUSTOM:
        return chat_call(call.id, call.name, call.arguments, custom=True)
    wire = chat_call(call.id, call.name, call.arguments)
    if extra.get("type") == ECHOED_TYPE:
        wire["type"] = ECHOED_TYPE
    if (content := extra.get("extra_content")) is not None:
        wire["extra_content"] = content
    return wire
