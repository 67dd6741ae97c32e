"""Before a request is sent: the most it can cost is held, or the turn ends there.

Without a ledger nothing is held.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from langchain_core.messages import AnyMessage

from turngraph.billing.errors import UncappedError
from turngraph.billing.store.calls import Call, CostAttribution
from turngraph.nodes.support.dependencies import TurnDeps
from turngraph.nodes.support.ledger_calls import (
    ask_ledger,
    call_of,
    caps_of,
    replays,
    uncapped,
    worst_case_of,
)
from turngraph.nodes.support.stage_context import StageContext
from turngraph.providers.writing.payload import Payload
from turngraph.state.errors import BudgetExceededError, TurnValueError
from turngraph.state.events import ChargeAuthorized, ChargeDeclined
from turngraph.state.flow import Flow, Wait
from turngraph.state.request import ChatRequest
from turngraph.state.result import TurnError
from turngraph.state.turn import TurnOutcome

__all__ = ["Reserved", "reserve_call"]

_ANSWER_TOKENS: Final = 4096
"""The cap put on an answer where a budget applies and nobody set one: without a cap no call has a
worst case.
"""


class Reserved(NamedTuple):
    """What a stage may send: the request, perhaps without its tools, or why it may not."""

    request: ChatRequest
    stop: TurnOutcome | None


def reserve_call(
    request: ChatRequest,
    messages: Sequence[AnyMessage],
    attribution: CostAttribution,
    seq: int,
    deps: TurnDeps,
    here: StageContext,
) -> Flow[Reserved]:
    """Hold the most that `request` can cost, before it is sent. Refused, the turn ends: nothing is
    sent.

    `seq` is the call's place in its turn. Nothing is held for a call that is replayed.
    """
    ledger = deps.ledger
    if ledger is None:
        return Reserved(request, None)
    if request.max_tokens is None and request.body is None and (deps.budgets or ledger.budgets):
        request = request.model_copy(update={"max_tokens": _ANSWER_TOKENS})
    try:
        payload = deps.provider.payload(request, messages)
        if (deps.budgets or ledger.budgets) and not caps_of(payload):
            raise TurnValueError(uncapped(payload))
        usd = worst_case_of(request, payload, deps)
    except TurnValueError as exc:
        return Reserved(
            request, TurnOutcome(status="error", error=TurnError(kind="value", message=str(exc)))
        )
    call = call_of(request, payload, attribution, seq, deps)
    if (yield from _is_replayed(call, payload, deps, here)):
        return Reserved(request, None)
    try:
        held = yield _reserve(deps, call, here, usd, capped=bool(caps_of(payload)))
    except UncappedError:  # only the ledger knows the budgets that are kept in it
        if request.max_tokens is None and request.body is None:
            capped = request.model_copy(update={"max_tokens": _ANSWER_TOKENS})
            return (yield from reserve_call(capped, messages, attribution, seq, deps, here))
        return Reserved(
            request,
            TurnOutcome(status="error", error=TurnError(kind="value", message=uncapped(payload))),
        )
    except BudgetExceededError as exc:
        return (yield from _close(request, messages, call, exc, deps, here))
    here.emit(
        ChargeAuthorized(turn_id=attribution.turn or "", call_id=held.id, held_usd=held.held_usd)
    )
    return Reserved(request, None)


def _close(
    request: ChatRequest,
    messages: Sequence[AnyMessage],
    call: Call,
    refused: BudgetExceededError,
    deps: TurnDeps,
    here: StageContext,
) -> Flow[Reserved]:
    """One last call without tools, out of the budget's reserve for it, where it has one; else the
    turn is over.
    """
    error: BudgetExceededError = refused
    if refused.closing_possible and request.tools:
        last = request.model_copy(update={"tools": (), "builtin_tools": (), "tool_choice": None})
        payload = deps.provider.payload(last, messages)
        if (yield from _is_replayed(call, payload, deps, here)):
            return Reserved(last, None)
        usd = worst_case_of(last, payload, deps)
        try:
            held = yield _reserve(deps, call, here, usd, closing=True)
        except BudgetExceededError as exc:
            error = exc
        else:
            here.emit(
                ChargeAuthorized(
                    turn_id=call.attribution.turn or "", call_id=held.id, held_usd=held.held_usd
                )
            )
            return Reserved(last, None)
    here.emit(ChargeDeclined(turn_id=call.attribution.turn or "", reason=str(error)))
    return Reserved(
        request, TurnOutcome(status="budget", error=TurnError(kind="budget", message=str(error)))
    )


def _is_replayed(call: Call, payload: Payload, deps: TurnDeps, here: StageContext) -> Flow[bool]:
    if not replays(deps, here):
        return False
    from turngraph.billing.store.replay import is_recorded

    recorded: bool = yield ask_ledger(deps, is_recorded, call, request_sha=payload.sha)
    return recorded


def _reserve(
    deps: TurnDeps,
    call: Call,
    here: StageContext,
    usd: Decimal | None,
    *,
    closing: bool = False,
    capped: bool = True,
) -> Wait:
    from turngraph.billing.store.attempts import reserve

    named = {"reservation": here.task_id, "budgets": deps.budgets, "fence": here.fence}
    return ask_ledger(deps, reserve, call, usd=usd, closing=closing, capped=capped, **named)
