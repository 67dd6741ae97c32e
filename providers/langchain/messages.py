"""Answers as LangChain's messages, whole and in pieces that add up to the same, their content as
text or as blocks.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk

from turngraph.providers.writing.messages import to_ai_message
from turngraph.state.reply import ProviderReply, StreamChunk
from turngraph.state.request import Api

__all__ = ["ChunkWriter", "blocks_of", "message_of"]

_V1: Final = {"output_version": "v1"}
_TOLD: Final = ("reasoning_content", "refusal")
"""What grows piece by piece beside the text, and is not repeated at the end."""


def message_of(
    reply: ProviderReply,
    *,
    vendor: str,
    api: Api,
    warnings: tuple[str, ...] = (),
    blocks: bool = False,
) -> AIMessage:
    """`reply` as a message; LangChain gives it an id. `blocks`: its content as standard blocks.

    >>> message_of(ProviderReply(text="4", reasoning="2+2"), vendor="x", api="chat", blocks=True).content
    [{'type': 'reasoning', 'reasoning': '2+2'}, {'type': 'text', 'text': '4'}]
    """
    message = to_ai_message(reply, message_id="", vendor=vendor, api=api)
    message.id = None
    if warnings:
        message.response_metadata["warnings"] = list(warnings)
    if blocks:
        message.content = list(blocks_of(reply, message))
        message.response_metadata |= _V1
    return message


def blocks_of(reply: ProviderReply, message: AIMessage) -> Iterator[dict[str, Any]]:
    """`reply` as LangChain's standard content blocks:
    https://docs.langchain.com/oss/python/langchain/messages
    """
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


def _text_block(text: str, citations: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": text}
    return (
        {**block, "annotations": [_annotation(note) for note in citations]} if citations else block
    )


def _annotation(note: Mapping[str, Any]) -> dict[str, Any]:
    """A citation of a page as LangChain's own, anything else wrapped."""
    cited = note.get("url_citation", note)
    if note.get("type") != "url_citation" or not isinstance(cited, Mapping):
        return {"type": "non_standard_annotation", "value": dict(note)}
    kept = {
        name: cited[name] for name in ("url", "title", "start_index", "end_index") if name in cited
    }
    return {"type": "citation", **kept}


class ChunkWriter:
    """The pieces of one answer as message chunks, whose sum is what `message_of` makes of the
    whole.

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
        self._told: dict[str, str] = {"text": "", "reasoning": "", "refusal": ""}
        self._calls = 0
        self._block, self._kind = -1, ""

    def piece(self, chunk: StreamChunk) -> AIMessageChunk | None:
        """`chunk` as a piece of the message; `None` for a usage, which the last piece tells, and
        for calls.

        Calls come with the last piece, when it is known which of them can be run: LangChain would
        repair the others.
        """
        if chunk.type not in self._told or not chunk.text:
            return None
        self._told[chunk.type] += chunk.text
        return self._said(chunk.type, chunk.text)

    def last(self, reply: ProviderReply) -> AIMessageChunk:
        """Everything about `reply` that was not told yet."""
        whole = message_of(reply, vendor=self._vendor, api=self._api, warnings=self._warnings)
        said = {"reasoning": reply.reasoning, "text": reply.text, "refusal": reply.refusal}
        chunk = self._empty()
        for kind, text in said.items():
            if (
                text
                and text.startswith(self._told[kind])
                and (left := text[len(self._told[kind]) :])
            ):
                chunk = chunk + self._said(kind, left)
        return chunk + AIMessageChunk(
            content=self._last_blocks(reply, whole) if self._blocks else "",
            additional_kwargs={
                name: value for name, value in whole.additional_kwargs.items() if name not in _TOLD
            },
            response_metadata=whole.response_metadata | (_V1 if self._blocks else {}),
            usage_metadata=whole.usage_metadata,
            tool_call_chunks=_call_chunks(whole),
            chunk_position="last",
        )

    def _empty(self) -> AIMessageChunk:
        if self._blocks:
            return AIMessageChunk(content=[], response_metadata=dict(_V1))
        return AIMessageChunk(content="")

    def _said(self, kind: str, text: str) -> AIMessageChunk:
        chunk = self._empty()
        if kind == "text":
            chunk.content = [self._placed("text", {"text": text})] if self._blocks else text
        else:
            chunk.additional_kwargs = {"reasoning_content" if kind == "reasoning" else kind: text}
            if self._blocks and kind == "reasoning":
                chunk.content = [self._placed("reasoning", {"reasoning": text})]
        return chunk

    def _placed(self, kind: str, members: dict[str, Any]) -> dict[str, Any]:
        """A block with its index: pieces of one block have the same."""
        if kind != self._kind:
            self._kind, self._block = kind, self._block + 1
        return {"type": kind} | members | {"index": self._block}

    def _last_blocks(self, reply: ProviderReply, whole: AIMessage) -> list[str | dict[str, Any]]:
        """The blocks that do not grow piece by piece: the text's citations, a refusal, calls."""
        blocks: list[str | dict[str, Any]] = []
        for n, block in enumerate(blocks_of(reply, whole)):
            if block["type"] == "text" and "annotations" in block:
                blocks.append(
                    self._placed("text", {"text": "", "annotations": block["annotations"]})
                )
            elif block["type"] not in ("text", "reasoning"):
                blocks.append(self._placed(f"{block['type']} {n}", block))
        return blocks


def _call_chunks(whole: AIMessage) -> list[Any]:
    """The calls in the only form that chunks keep: text, which LangChain parses, mending what is
    cut off.

    Arguments that are no object are therefore told as a JSON string, which it cannot take for one.
    """
    sent = {call["id"]: call["function"]["arguments"] for call in _wire(whole)}
    valid = [(call, sent.get(call["id"]) or json.dumps(call["args"])) for call in whole.tool_calls]
    invalid = [
        (call, json.dumps(call["args"], ensure_ascii=False)) for call in whole.invalid_tool_calls
    ]
    return [
        tool_call_chunk(id=call["id"], name=call["name"], args=args, index=n)
        for n, (call, args) in enumerate([*valid, *invalid])
    ]


def _wire(whole: AIMessage) -> list[dict[str, Any]]:
    return [call for call in whole.additional_kwargs.get("tool_calls", ()) if "function" in call]
