"""How much a turn may use. Limits are data; the stages compare them with what the state records."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from turngraph.state.base import Frozen

__all__ = ["MESSAGE_CHARS", "TurnLimits"]

MESSAGE_CHARS: Final = 2_000_000
"""Characters that one message may have, unless `TurnLimits.message_chars` says otherwise."""

_LONGEST_S: Final = 2_592_000
"""Thirty days, in seconds. Clocks and sockets overflow on much longer times and on infinity."""


class TurnLimits(Frozen):
    """What one turn may use; `None` means that there is no such limit.

    A turn that reaches a limit ends with the status `limit`, and its error names the limit.

        >>> TurnLimits(calls=3, seconds=30).calls
        3
    """

    calls: Annotated[int, Field(ge=1)] = 16
    """Calls to the model. A retry of a failed call counts too."""
    tool_calls: Annotated[int, Field(ge=0)] = 128
    """Tool calls of the whole turn."""
    tokens: Annotated[int, Field(ge=1)] | None = None
    """Tokens of all calls together, input and output."""
    usd: Annotated[Decimal, Field(gt=0)] | None = None
    """USD spent by all calls together. It is compared before each call with what was charged so
    far; a ledger's budget also counts what the next call may cost.
    """
    seconds: Annotated[float, Field(gt=0, le=_LONGEST_S)] | None = None
    """Seconds since the turn's first stage."""
    tool_seconds: Annotated[float, Field(gt=0, le=_LONGEST_S)] = 60.0
    """Seconds that one tool call may run."""
    tool_result_chars: Annotated[int, Field(ge=100)] = 100_000
    """Characters of one tool result. A longer result is cut, with a notice for the model."""
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    """Attempts at one call to the model, the first included, when a retry may help."""
    message_chars: Annotated[int, Field(ge=1)] = MESSAGE_CHARS
    """Characters of text in one message; media does not count. A longer message is refused before
    anything is sent.
    """

    # For type checkers: amounts may be given as text, too. Pydantic makes Decimals of them.
    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            calls: int = 16,
            tool_calls: int = 128,
            tokens: int | None = None,
            usd: Decimal | str | None = None,
            seconds: float | None = None,
            tool_seconds: float = 60.0,
            tool_result_chars: int = 100_000,
            attempts: int = 3,
            message_chars: int = MESSAGE_CHARS,
        ) -> None: ...
