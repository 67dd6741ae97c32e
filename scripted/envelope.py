"""What both APIs wrap around an answer: id, time, model, and how a stream splits its texts."""

import json
from dataclasses import dataclass

from turngraph.scripted.responder.text_patterns import split_tokens
from turngraph.state.usage import Usage

__all__ = ["Envelope", "compact_json", "split_text", "total_tokens"]


@dataclass(frozen=True)
class Envelope:
    """Id and time of an answer, and the name of the model that the request asked for."""

    id: str
    created: int
    """Seconds since 1970."""
    model: str
    pieces: int | None = None
    """How many pieces a stream makes of each text; None makes one piece of each word."""


def split_text(text: str, pieces: int | None) -> list[str]:
    """Splits a text as a stream sends it: by words, or into about `pieces` pieces of equal length.

    >>> split_text("one two three", None), split_text("one two three", 2)
    (['one', ' two', ' three'], ['one two', ' three'])
    """
    if pieces is None:
        return split_tokens(text)
    size = max(-(-len(text) // pieces), 1)
    return [text[start : start + size] for start in range(0, len(text), size)]


def compact_json(value: object) -> str:
    """Returns `value` as JSON without blanks, as the vendor writes it."""
    return json.dumps(value, separators=(",", ":"))


def total_tokens(usage: Usage) -> int | None:
    """The total that is sent: the given one, else the sum of both sides.

    Returns None where one side is unknown; then no usage is sent at all.
    """
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    if usage.total_tokens is not None:
        return usage.total_tokens
    return usage.input_tokens + usage.output_tokens
