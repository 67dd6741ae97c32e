"""Whether a turn may go on: compares its limits with what it has used so far."""

from collections.abc import Sequence
from decimal import Decimal

from turngraph.state.limits import TurnLimits
from turngraph.state.result import Attempt, Charge, ToolRun
from turngraph.state.turn import TurnOutcome
from turngraph.state.turn_error import OwnErrorKind, TurnError
from turngraph.state.usage import total_usage

__all__ = ["over_limit", "over_time"]


def over_limit(
    limits: TurnLimits,
    *,
    attempts: Sequence[Attempt] = (),
    tool_runs: Sequence[ToolRun] = (),
    charges: Sequence[Charge] = (),
    more_tool_calls: int = 0,
    seconds: float = 0.0,
) -> TurnOutcome | None:
    """Returns the limit that the turn has reached, or None if it may go on.

    Checked before the next request or, with `more_tool_calls`, before that many tool calls run.
    `seconds` is how long the turn has run.

        >>> over_limit(TurnLimits(tool_calls=2), more_tool_calls=3).error.message
        'The model wants 3 tool calls; `limits.tool_calls` is 2.'
    """
    # Tool calls need no request of their own; the request after them is checked when it is due.
    if len(attempts) >= limits.calls and not more_tool_calls:
        made = f"The turn has made {len(attempts)} calls to the model"
        return _reached("limit", f"{made}; `limits.calls` is {limits.calls}.")
    wanted = len(tool_runs) + more_tool_calls
    if wanted > limits.tool_calls:
        limit = f"`limits.tool_calls` is {limits.tool_calls}"
        return _reached("limit", f"The model wants {wanted} tool calls; {limit}.")
    tokens = _tokens_of(attempts)
    if limits.tokens is not None and tokens >= limits.tokens:
        message = f"The turn has used {tokens:,} tokens; `limits.tokens` is {limits.tokens:,}."
        return _reached("limit", message)
    amounts = (charge.amount_usd for charge in charges if charge.amount_usd is not None)
    spent_usd = sum(amounts, Decimal(0))
    if limits.usd is not None and spent_usd >= limits.usd:
        message = f"The turn has spent {spent_usd:f} USD; `limits.usd` is {limits.usd:f}."
        return _reached("cost_limit", message)
    return over_time(limits, seconds)


def over_time(limits: TurnLimits, seconds: float) -> TurnOutcome | None:
    """Returns the time limit if a turn that has run for `seconds` has reached it, else None."""
    if limits.seconds is None or seconds < limits.seconds:
        return None
    message = f"The turn has run for {seconds:.1f} seconds; `limits.seconds` is {limits.seconds:g}."
    return _reached("time_limit", message)


def _tokens_of(attempts: Sequence[Attempt]) -> int:
    replies = [attempt.reply for attempt in attempts if attempt.reply is not None]
    usage = total_usage([reply.usage for reply in replies if reply.usage is not None])
    return 0 if usage is None else (usage.input_tokens or 0) + (usage.output_tokens or 0)


def _reached(kind: OwnErrorKind, message: str) -> TurnOutcome:
    return TurnOutcome(status="limit", error=TurnError(kind=kind, message=message))
