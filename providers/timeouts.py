"""How long to wait for a vendor, in seconds."""

from typing import Annotated

from pydantic import Field

from turngraph.state.base import Frozen

__all__ = ["Timeouts"]

_Seconds = Annotated[float, Field(gt=0)]


class Timeouts(Frozen):
    """How long to wait for a vendor, in seconds. All are greater than 0.

    A wait that is over ends the attempt with a ProviderError of kind `timeout`. It is retryable
    only if no answer had begun, and the time for the whole exchange was not over.
    A turn's own limit (`TurnLimits.seconds`) shortens these waits and never lengthens them.

    >>> Timeouts(total_s=30).connect_s
    10.0
    """

    connect_s: _Seconds = 10.0
    """To open a connection. Nothing is sent before that, so this attempt costs nothing. A server
    that is alive takes far less than 10 seconds."""
    first_byte_s: _Seconds = 120.0
    """From the request to the first byte of the answer. A reasoning model thinks before it writes,
    and an answer that is not streamed comes only when it is finished: so this is the longest
    silence that is normal."""
    idle_s: _Seconds = 60.0
    """Between two events of a streamed answer. A model that has begun to write does not pause for a
    minute: the connection is probably lost."""
    total_s: _Seconds = 600.0
    """From the request to the end of the answer, however lively it is. Ten minutes is also the
    default of OpenAI's own SDK (https://github.com/openai/openai-python#timeouts)."""
