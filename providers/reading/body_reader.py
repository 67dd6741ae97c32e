"""Reads an answer that came whole, as one JSON body, and cuts it into the pieces of a stream."""

from typing import Any, Final, Literal

from turngraph.providers.reading.asked import Asked
from turngraph.providers.reading.body_format import BLANK
from turngraph.providers.reading.chat_reader import read_chat
from turngraph.providers.reading.error_reader import error_of_event, is_error, unusable
from turngraph.providers.reading.json_text import parse_json
from turngraph.providers.reading.read_limits import ReadLimits
from turngraph.providers.reading.responses_reader import read_responses
from turngraph.state.reply import ProviderReply, StreamChunk
from turngraph.state.request import Api

__all__ = ["chunks_of", "read_body"]

_READERS: Final = {"chat": read_chat, "responses": read_responses}


def read_body(
    data: bytes, api: Api, *, vendor: str, limits: ReadLimits, asked: Asked
) -> tuple[ProviderReply, bool]:
    """Returns the reply in `data`, and whether characters had to be replaced in it.

    Raises ProviderError for an error of the vendor, and for what is no answer.
    """
    body, cleaned = _parsed(data.strip(BLANK), limits)
    if is_error(body):
        raise error_of_event(body, vendor=vendor, api=api)
    if not isinstance(body, dict):
        raise unusable(f"The answer is JSON, but not an object (a `{type(body).__name__}`).")
    return _READERS[api](body, vendor=vendor, limits=limits, asked=asked), cleaned


def chunks_of(reply: ProviderReply) -> list[StreamChunk]:
    """`reply` as chunks, for a listener to a stream that the vendor answered with a JSON body.

    >>> [chunk.type for chunk in chunks_of(ProviderReply(reasoning="2+2", text="4"))]
    ['reasoning', 'text']
    """
    texts: list[tuple[Literal["reasoning", "text", "refusal"], str | None]] = [
        ("reasoning", reply.reasoning),
        ("text", reply.text),
        ("refusal", reply.refusal),
    ]
    chunks = [StreamChunk(type=kind, text=text) for kind, text in texts if text]
    # A call that may have been cut off is not announced, just as in a stream.
    if not reply.unfinished:
        chunks += [StreamChunk(type="tool_call", tool_call=call) for call in reply.tool_calls]
    if reply.usage is not None:
        chunks.append(StreamChunk(type="usage", usage=reply.usage))
    return chunks


def _parsed(data: bytes, limits: ReadLimits) -> tuple[Any, bool]:
    if not data:
        raise unusable("The answer is empty.")
    if data.startswith(b"<"):
        raise unusable("The answer is a page (HTML or XML), not JSON.")
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        raise unusable(f"The answer is not UTF-8: byte {exc.start}.") from exc
    return parse_json(text, depth=limits.depth, unfinished="truncated")
