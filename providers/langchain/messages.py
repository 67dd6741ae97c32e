"""Answers as LangChain messages: whole, or as chunks that add up to the same message.

Their content is text, or LangChain's standard content blocks
(https://docs.langchain.com/oss/python/langchain/messages).
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk

from turngraph.providers.writing.annotations import langchain_annotation
from turngraph.providers.writing.messages import to_ai_message
from turngraph.state.json_types import JsonObject
from turngraph.state.reply import ProviderReply, StreamChunk
from turngraph.state.request import Api

__all__ = ["ChunkWriter", "blocks_of", "message_of"]

_V1: Final = {"output_version": "v1"}
_STREAMED_KWARGS: Final = ("reasoning_content", "refusal")
"""Members of `additional_kwargs` that chunks carry piece by piece. The last chunk does not repeat
them, because LangChain would append them.
"""


def message_of(
    reply: ProviderReply,
    *,
    vendor: str,
    api: Api,
    warnings: tuple[str, ...] = (),
    blocks: bool = False,
) -> AIMessage:
    """Returns `reply` as a message without an id: LangChain gives it one.

    Args:
        reply: the whole answer.
        vendor: the vendor's name, for `response_metadata["model_provider"]`.
        api: the API that it came through.
        warnings: sentences for `response_metadata["warnings"]`.
        blocks: whether the content is standard blocks. If not, it is text.

    >>> reply = ProviderReply(text="4", reasoning="2+2")
    >>> message_of(reply, vendor="x", api="chat", blocks=True).content
    [{'type': 'reasoning', 'reasoning': '2+2'}, {'type': 'text', 'text': '4'}]
    """
    message = to_ai_message(reply, message_id="", vendor=vendor, api=api)
    message.id = None  # LangChain only sets the id of its run if there is none
    if warnings:
        message.response_metadata["warnings"] = list(warnings)
    if blocks:
        message.content = list(blocks_of(reply, message))
        message.response_metadata |= _V1
    return message


def blocks_of(reply: ProviderReply, message: AIMessage) -> Iterator[JsonObject]:
    """Yields `reply` as standard content blocks. `message` is what `reply` was made into."""
    if reply.reasoning is not None:
        yield {"type": "reasoning", "reasoning": reply.reasoning}
    if reply.text:
        yield _text_block(reply.text, reply.citations)
    if reply.refusal is not None:
        yield {"type": "non_standard", "value": {"type": "refusal", "refusal": reply.refusal}}
    for call in message.tool_calls:
        yield {"type": "tool_call", "id": call["id"], "name": call["name"], "args": call["args"]}
    for invalid in message.invalid_tool_calls:
        yield {**invalid, "type": "invalid_tool_call"}


def _text_block(text: str, citations: tuple[JsonObject, ...]) -> JsonObject:
    block: JsonObject = {"type": "text", "text": text}
    if citations:
        block["annotations"] = [langchain_annotation(citation) for citation in citations]
    return block


class ChunkWriter:
    """Writes the pieces of one answer as message chunks. Their sum equals `message_of` the whole.

    >>> writer = ChunkWriter(vendor="x", api="chat")
    >>> first = writer.piece(StreamChunk(type="text", text="Four"))
    >>> last = writer.last(ProviderReply(text="Four.", finish_reason="stop"))
    >>> (first + last).content, last.chunk_position
    ('Four.', 'last')
    """

    def __init__(
        self, *, vendor: str, api: Api, warnings: tuple[str, ...] = (), blocks: bool = False
    ) -> None:
        self._vendor, self._api, self._warnings, self._blocks = vendor, api, warnings, blocks
        self._written: dict[str, str] = {"text": "", "reasoning": "", "refusal": ""}
        self._block_index, self._block_kind = -1, ""

    def piece(self, chunk: StreamChunk) -> AIMessageChunk | None:
        """Returns `chunk` as a message chunk, or None for a tool call or a usage.

        Those come with the last chunk. LangChain would repair the JSON of a call that is cut off;
        only at the end is it known which calls are whole.
        """
        if chunk.type not in self._written or not chunk.text:
            return None
        self._written[chunk.type] += chunk.text
        return self._text_chunk(chunk.type, chunk.text)

    def last(self, reply: ProviderReply) -> AIMessageChunk:
        """Returns the last chunk: everything in `reply` that no chunk has carried yet."""
        message = message_of(reply, vendor=self._vendor, api=self._api, warnings=self._warnings)
        # A vendor may have sent its whole text only in the last event, or in one JSON body.
        chunk = self._empty_chunk()
        texts = {"reasoning": reply.reasoning, "text": reply.text, "refusal": reply.refusal}
        for kind, text in texts.items():
            if text and (rest := self._not_written(kind, text)):
                chunk = chunk + self._text_chunk(kind, rest)
        kwargs = message.additional_kwargs.items()
        return chunk + AIMessageChunk(
            content=self._last_blocks(reply, message) if self._blocks else "",
            additional_kwargs={
                name: value for name, value in kwargs if name not in _STREAMED_KWARGS
            },
            response_metadata=message.response_metadata | (_V1 if self._blocks else {}),
            usage_metadata=message.usage_metadata,
            tool_call_chunks=_call_chunks(message),
            chunk_position="last",
        )

    def _not_written(self, kind: str, text: str) -> str:
        written = self._written[kind]
        # A text that does not continue the pieces cannot be appended to them.
        return text[len(written) :] if text.startswith(written) else ""

    def _empty_chunk(self) -> AIMessageChunk:
        if self._blocks:
            return AIMessageChunk(content=[], response_metadata=dict(_V1))
        return AIMessageChunk(content="")

    def _text_chunk(self, kind: str, text: str) -> AIMessageChunk:
        chunk = self._empty_chunk()
        if kind == "text":
            chunk.content = [self._block("text", {"text": text})] if self._blocks else text
        else:
            chunk.additional_kwargs = {"reasoning_content" if kind == "reasoning" else kind: text}
            if self._blocks and kind == "reasoning":
                chunk.content = [self._block("reasoning", {"reasoning": text})]
        return chunk

    def _block(self, kind: str, members: JsonObject) -> JsonObject:
        """Returns a block with its index. LangChain joins blocks that have the same index."""
        if kind != self._block_kind:
            self._block_kind, self._block_index = kind, self._block_index + 1
        return {"type": kind} | members | {"index": self._block_index}

    def _last_blocks(self, reply: ProviderReply, message: AIMessage) -> list[str | JsonObject]:
        """Returns the blocks that do not come piece by piece: citations, a refusal, tool calls."""
        blocks: list[str | JsonObject] = []
        for number, block in enumerate(blocks_of(reply, message)):
            if block["type"] == "text" and "annotations" in block:
                annotations = {"text": "", "annotations": block["annotations"]}
                blocks.append(self._block("text", annotations))
            elif block["type"] not in ("text", "reasoning"):
                # The number keeps two calls apart: each is a block of its own.
                blocks.append(self._block(f"{block['type']} {number}", block))
        return blocks


def _call_chunks(message: AIMessage) -> list[Any]:
    """Returns the tool calls as text, the only form that chunks have for them.

    LangChain parses this text and repairs it if it is cut off. The arguments of an invalid call are
    therefore written as a JSON string, which it cannot take for an object.
    """
    written = {
        call["id"]: call["function"]["arguments"]
        for call in message.additional_kwargs.get("tool_calls", ())
        if "function" in call
    }
    valid = [
        (call, written.get(call["id"]) or json.dumps(call["args"])) for call in message.tool_calls
    ]
    invalid = [
        (call, json.dumps(call["args"], ensure_ascii=False)) for call in message.invalid_tool_calls
    ]
    return [
        tool_call_chunk(id=call["id"], name=call["name"], args=arguments, index=index)
        for index, (call, arguments) in enumerate([*valid, *invalid])
    ]
