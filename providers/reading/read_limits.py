"""How much of an answer is read before reading stops."""

from typing import Annotated

from pydantic import Field

from turngraph.state.base import Frozen
from turngraph.state.errors import ProviderError

__all__ = ["ReadLimits", "too_large"]

Count = Annotated[int, Field(ge=1)]


class ReadLimits(Frozen):
    """What one answer may take. Beyond it reading ends with a `ProviderError` (`too_large`).

    >>> ReadLimits(tool_calls=5).tool_calls
    5
    """

    body_bytes: Count = 32 * 2**20
    """The whole answer, decompressed; of a stream, all its bytes."""
    event_bytes: Count = 4 * 2**20
    """One server-sent event."""
    error_bytes: Count = 64 * 2**10
    """Of an answer with status 300 and above; the rest is not kept."""
    tool_calls: Count = 128
    argument_chars: Count = 2**20
    """Of one tool call."""
    depth: Annotated[int, Field(ge=8, le=200)] = 64
    """Arrays and objects within one another, anywhere in the answer's JSON."""


def too_large(text: str) -> ProviderError:
    """The error for an answer beyond a limit, to be raised. What it cost is not known: its end was
    not read.

    >>> too_large("More than 128 tool calls.").kind
    'too_large'
    """
    return ProviderError(text, kind="too_large", billed="unknown")
