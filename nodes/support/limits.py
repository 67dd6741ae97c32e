"""May the turn go on? Checked before every request, on what the turn has used so far."""

from collections.abc import Sequence
from decimal import Decimal

from turngraph.state.limits import TurnLimits
from turngraph.state.result import Attempt, Charge, OwnErrorKind, ToolRun, TurnError
from turngraph.state.turn import TurnOutcome
from turngraph.state.usage import total_usage

__all__ = ["CANCELLED", "over_limit", "over_time"]

CANCELLED = TurnOutcome(
    status="cancelled", error=TurnError(kind="cancelled", message="The caller cancelled the turn.")
)


def over_limit(
    limits: TurnLimits,
    *,
    attempts: Sequence[Attempt] = (),
    tool_runs: Sequence[ToolRun] = (),
    charges: Sequence[Charge] = (),
    asked: int = 0,
    seconds: float = 0.0,
) -> TurnOutcome | None:
    """The limit that a next request, or `asked` more tool calls, would break; `None` while there is
    room.
    """
    if len(attempts) >= limits.calls and not asked:
        return _stop(
            "limit",
            f"The turn has made {len(attempts)} calls to the model; `limits.calls` is {limits.calls}.",
        )
    if len(tool_runs) + asked > limits.tool_calls:
        wanted = len(tool_runs) + asked
        return _stop(
            "limit",
            f"The model wants {wanted} tool calls; `limits.tool_calls` is {limits.tool_calls}.",
        )
    used = total_usage(
        [attempt.reply.usage for attempt in attempts if attempt.reply and attempt.reply.usage]
    )
    tokens = 0 if used is None else (used.input_tokens or 0) + (used.output_tokens or 0)
    if limits.tokens is not None and tokens >= limits.tokens:
        return _stop(
            "limit", f"The turn has used {tokens:,} tokens; `limits.tokens` is {limits.tokens:,}."
        )
    spent = sum(
        (charge.amount_usd for charge in charges if charge.amount_usd is not None), Decimal(0)
    )
    if limits.usd is not None and spent >= limits.usd:
        return _stop(
            "cost_limit", f"The turn has spent {spent:f} USD; `limits.usd` is {limits.usd:f}."
        )
    return over_time(limits, seconds)


def over_time(limits: TurnLimits, seconds: float) -> TurnOutcome | None:
    """The time limit, where `seconds` of the turn have used it up."""
    if limits.seconds is None or seconds < limits.seconds:
        return None
    return _stop(
        "time_limit",
        f"The turn has run for {seconds:.1f} seconds; `limits.seconds` is {limits.seconds:g}.",
    )


def _stop(kind: OwnErrorKind, message: str) -> TurnOutcome:
    return TurnOutcome(status="limit", error=TurnError(kind=kind, message=message))
