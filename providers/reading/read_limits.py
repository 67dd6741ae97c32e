"""How much of an answer is read before reading stops."""

from typing import Annotated

from pydantic import Field

from turngraph.state.base import Frozen
from turngraph.state.errors import ProviderError

__all__ = ["ReadLimits", "too_large"]

Count = Annotated[int, Field(ge=1)]


class ReadLimits(Frozen):
    """What one answer may hold. Beyond a limit, reading ends with a `ProviderError` (`too_large`).

    >>> ReadLimits(tool_calls=5).tool_calls
    5
    """

    body_bytes: Count = 32 * 2**20
    """Bytes of the whole answer after decompression; of a stream, all its bytes."""
    event_bytes: Count = 4 * 2**20
    """Bytes of one server-sent event."""
    error_bytes: Count = 64 * 2**10
    """Bytes kept of an answer with status 300 or more; the rest is dropped, without an error."""
    tool_calls: Count = 128
    """Tool calls in one answer."""
    argument_chars: Count = 2**20
    """Characters in the arguments of one tool call."""
    depth: Annotated[int, Field(ge=8, le=200)] = 64
    """How deep arrays and objects may be nested, anywhere in the answer's JSON."""


def too_large(text: str) -> ProviderError:
    """The error for an answer beyond a limit, for the caller to raise.

    What the answer cost is not known, since usage stands at its end, which was not read.

        >>> too_large("The answer has more than 128 tool calls.").kind
        'too_large'
    """
    return ProviderError(text, kind="too_large", billed="unknown")
