"""What a model sends back: one whole answer, and the chunks it arrives in."""

from typing import Any, Final, Literal

from pydantic import Field, JsonValue

from turngraph.state.base import Frozen, unchecked
from turngraph.state.json_types import JsonObject
from turngraph.state.usage import Usage

__all__ = [
    "UNFINISHED_REASONS",
    "UNFINISHED_STATUSES",
    "ProviderReply",
    "StreamChunk",
    "TextKind",
    "ToolCall",
    "text_chunk",
]

UNFINISHED_STATUSES: Final = frozenset(
    {"cancelled", "failed", "in_progress", "incomplete", "queued"}
)
"""Finish reasons of a Responses answer that the vendor has not finished: its own status."""
UNFINISHED_REASONS: Final = frozenset({"length", "content_filter"}) | UNFINISHED_STATUSES
"""Finish reasons after which a tool call may not have arrived whole."""


class ToolCall(Frozen):
    """A tool call as the model wrote it.

    >>> ToolCall(id="call_1", name="weather", arguments='{"city": "Oslo"}').name
    'weather'
    """

    id: str
    name: str
    arguments: str
    """The text the model sent. It may not be JSON: `parse_arguments` checks it."""
    extra: dict[str, JsonValue] | None = None
    """What the vendor wants back with this call: Gemini's `extra_content` with the thought
    signature, item ids.
    """


class ProviderReply(Frozen):
    """One answer of a model, in the same shape for every API and vendor.

    >>> usage = Usage(input_tokens=9, output_tokens=1)
    >>> ProviderReply(text="4", usage=usage, finish_reason="stop").text
    '4'
    """

    text: str = ""
    reasoning: str | None = None
    """The reasoning that the vendor shows, as text: `reasoning_content`, `reasoning`, or the
    summary of a response.
    """
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    """None if the vendor reported none."""
    finish_reason: str | None = None
    """`stop`, `length`, `tool_calls` or `content_filter`; other values are the vendor's own."""
    refusal: str | None = None
    """The model's own words, if it declined to answer."""
    response_id: str | None = None
    model: str | None = None
    """The model that answered. It may be more exact than the one in the request."""
    truncated: bool = False
    """The answer stopped before its end: there was no terminal event and no finish reason. Its tool
    calls must not run.
    """
    items: tuple[JsonObject, ...] = ()
    """Responses: the output items in order. Chat Completions: the parts of the message that a
    vendor wants back.
    """
    extra: JsonObject = Field(default_factory=dict)
    """Members of the message beyond the standard ones that must be sent back in later requests:
    `reasoning_content`, `reasoning_details`, …
    """
    citations: tuple[JsonObject, ...] = ()
    """Annotations of the text (`url_citation`, `file_citation`) as the vendor wrote them."""
    logprobs: tuple[JsonObject, ...] = ()
    service_tier: str | None = None
    status: int = 200
    """The HTTP status."""
    request_id: str | None = None
    """The vendor's id of the HTTP request, for support tickets."""
    notes: tuple[str, ...] = ()
    """Departures from the documented format that the reader accepted, one sentence each."""
    raw: Any = None
    """The answer as one JSON value: as received, or the sum of a stream's events."""

    @property
    def unfinished(self) -> bool:
        """Whether the answer stopped early, so that a tool call in it may not be whole.

        >>> ProviderReply(finish_reason="length").unfinished
        True
        """
        return self.truncated or self.finish_reason in UNFINISHED_REASONS


TextKind = Literal["text", "reasoning", "refusal"]
"""What a piece of text in an answer is."""


class StreamChunk(Frozen):
    """A piece of an answer, as it arrives.

    `type` says which field is set: `text` for the types `text`, `reasoning`, `refusal` and `error`
    (the error's message; an error is the last chunk); `tool_call` for a call that arrived whole;
    `usage` for the usage so far.

        >>> StreamChunk(type="text", text="Hel").text
        'Hel'
    """

    type: Literal["text", "reasoning", "refusal", "tool_call", "usage", "error"]
    text: str = ""
    tool_call: ToolCall | None = None
    usage: Usage | None = None


_TEXT_FIELDS: Final = {"type", "text"}


def text_chunk(kind: TextKind, text: str) -> StreamChunk:
    """Returns a chunk of `text`, which must be one.

    >>> text_chunk("text", "Hel") == StreamChunk(type="text", text="Hel")
    True
    """
    fields = {"type": kind, "text": text, "tool_call": None, "usage": None}
    return unchecked(StreamChunk, fields, _TEXT_FIELDS)
