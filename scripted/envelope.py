"""What an answer travels in, whichever API it is: its id, its time, its model, and how a stream is
cut in pieces.
"""

import json
from dataclasses import dataclass
from typing import Any

from turngraph.scripted.responder.text_patterns import tokens

__all__ = ["Envelope", "cut", "dump"]


@dataclass(frozen=True)
class Envelope:
    """Id and time of an answer, and the model it is said to come from: the one that was asked for."""

    id: str
    created: int
    """Seconds since 1970."""
    model: str
    pieces: int | None = None
    """In how many pieces a stream sends each text; None is one for each word."""


def cut(text: str, pieces: int | None) -> list[str]:
    """The text as a stream sends it: a piece a word, or so many pieces of about the same length.

    >>> cut("one two three", None), cut("one two three", 2)
    (['one', ' two', ' three'], ['one two', ' three'])
    """
    if pieces is None:
        return tokens(text)
    size = max(-(-len(text) // pieces), 1)
    return [text[start : start + size] for start in range(0, len(text), size)]


def dump(value: Any) -> str:
    """JSON as the vendor writes it, without blanks."""
    return json.dumps(value, separators=(",", ":"))
