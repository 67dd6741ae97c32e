"""What comes back from a model: the answer whole, and in the pieces it arrives in."""

from typing import Any, Literal

from pydantic import Field, JsonValue

from turngraph.state.base import Frozen
from turngraph.state.usage import Usage

__all__ = ["ProviderReply", "StreamChunk", "ToolCall"]


class ToolCall(Frozen):
    """A tool call as the model wrote it. `arguments` is the text as sent: it may not be JSON."""

    id: str
    name: str
    arguments: str
    extra: dict[str, JsonValue] | None = None
    """What the vendor wants back with this call (Gemini's `extra_content` with the thought
    signature; item ids).
    """


class ProviderReply(Frozen):
    """One answer of a model, whatever API and vendor it came from.

    >>> ProviderReply(text="4", usage=Usage(input_tokens=9, output_tokens=1), finish_reason="stop").text
    '4'
    """

    text: str = ""
    reasoning: str | None = None
    """The reasoning the vendor shows (reasoning_content, reasoning, a Responses summary), as text.
    """
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    finish_reason: str | None = None
    """`stop`, `length`, `tool_calls`, `content_filter`; anything else is the vendor's own word."""
    refusal: str | None = None
    response_id: str | None = None
    model: str | None = None
    truncated: bool = False
    """The answer stopped before its end: no terminal event, no finish reason. Its tool calls must
    not be run.
    """
    items: tuple[dict[str, Any], ...] = ()
    """Responses: the output items in order. Chat Completions: parts of the message a vendor wants
    back.
    """
    extra: dict[str, Any] = Field(default_factory=dict)
    """Message fields beyond the standard ones, to be kept and replayed: `reasoning_content`,
    `reasoning_details`, …
    """
    citations: tuple[dict[str, Any], ...] = ()
    """Annotations of the text (`url_citation`, `file_citation`) as the vendor wrote them."""
    logprobs: tuple[dict[str, Any], ...] = ()
    service_tier: str | None = None
    status: int = 200
    request_id: str | None = None
    notes: tuple[str, ...] = ()
    """Departures from the documented format that were tolerated, a sentence each."""
    raw: Any = None
    """The answer as one JSON value: as received, or for a stream what its events add up to."""


class StreamChunk(Frozen):
    """A piece of an answer as it arrives.

    `text`, `reasoning` and `refusal` carry `text`; `tool_call` carries a call as soon as it is
    whole and confirmed; `usage` carries the running or final usage; `error` carries the error's
    message in `text` and is the last one.
    """

    type: Literal["text", "reasoning", "refusal", "tool_call", "usage", "error"]
    text: str = ""
    tool_call: ToolCall | None = None
    usage: Usage | None = None
