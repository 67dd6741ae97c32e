"""How much a turn may use before it is ended: data, checked between the stages, never a counter in
code.
"""

from decimal import Decimal
from typing import Annotated, Final

from pydantic import Field

from turngraph.state.base import Frozen

__all__ = ["TurnLimits"]

_LONGEST_S: Final = 2_592_000
"""Thirty days, in seconds. Clocks and sockets overflow on what is much longer, infinity above all.
"""


class TurnLimits(Frozen):
    """What one turn may use. `None` is no limit. A turn over a limit ends with status `limit`,
    naming it.

    >>> TurnLimits(calls=3).calls
    3
    """

    calls: Annotated[int, Field(ge=1)] = 16
    """Calls to the model; a retry of a failed call is counted too."""
    tool_calls: Annotated[int, Field(ge=0)] = 128
    """Tool calls of the whole turn. LangGraph's own recursion limit of 10 007 steps is no limit."""
    tokens: Annotated[int, Field(ge=1)] | None = None
    """Tokens of all calls together, prompt and completion."""
    usd: Annotated[Decimal, Field(gt=0)] | None = None
    """Spent by all calls together, in USD. Checked before each call; a ledger's budget is checked
    before and held.
    """
    seconds: Annotated[float, Field(gt=0, le=_LONGEST_S)] | None = None
    """From the turn's first stage."""
    tool_seconds: Annotated[float, Field(gt=0, le=_LONGEST_S)] = 60.0
    """For each tool call."""
    tool_result_chars: Annotated[int, Field(ge=100)] = 100_000
    """A longer tool result is cut, with a notice the model can read."""
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    """Attempts at one call, the first included, where a retry may help."""
    message_chars: Annotated[int, Field(ge=1)] = 2_000_000
    """Text of one message, media not counted. A longer one is refused before anything is sent."""
