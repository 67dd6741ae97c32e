"""Before a request is sent: holds the most it can cost, or ends the turn there.

Without a ledger nothing is held.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from langchain_core.messages import AnyMessage

from turngraph.billing.errors import UncappedError
from turngraph.billing.store.calls import Call, CostAttribution, Reservation
from turngraph.nodes.support.call_bounds import answer_caps, no_cap_message, worst_case_of
from turngraph.nodes.support.ledger_calls import ask_ledger, ledger_call, start_call
from turngraph.nodes.support.next_call import NextCall, PreparedCall
from turngraph.nodes.support.stage_context import StageContext
from turngraph.nodes.support.stop_reason import unsendable
from turngraph.providers.writing.payload import Payload
from turngraph.state.errors import BudgetExceededError, TurnValueError
from turngraph.state.events import ChargeAuthorized, ChargeDeclined
from turngraph.state.flow import Flow
from turngraph.state.request import ChatRequest
from turngraph.state.turn import TurnOutcome
from turngraph.state.turn_error import TurnError

__all__ = ["Reserved", "reserve_call"]

_ANSWER_TOKENS: Final = 4096
"""The cap that an answer gets if a budget applies and nobody has set one: without a cap, a call has
no greatest cost.
"""


class Reserved(NamedTuple):
    """What a stage may send."""

    request: ChatRequest
    """The request, perhaps with a cap on its answer, or without its tools."""
    outcome: TurnOutcome | None
    """Why the request may not be sent; None if it may."""


def reserve_call(
    request: ChatRequest,
    messages: Sequence[AnyMessage],
    attribution: CostAttribution,
    seq: int,
    context: StageContext,
) -> Flow[Reserved]:
    """Holds the most that `request` can cost, before it is sent. If that is refused, the turn ends.

    `seq` is the call's place in its turn. Nothing is held for a call that gets a recorded answer.
    """
    deps = context.deps
    if deps.ledger is None:
        return Reserved(request, None)
    has_budget = bool(deps.budgets or deps.ledger.budgets)
    if has_budget:
        request = _capped(request)
    try:
        payload = deps.provider.payload(request, messages)
        if has_budget and not answer_caps(payload):
            return Reserved(request, unsendable(no_cap_message(payload)))
        call = ledger_call(request, payload, attribution, seq, deps)
        hold = _Hold(call, request, payload, worst_case_of(request, payload, deps), context)
    except TurnValueError as exc:
        return Reserved(request, unsendable(exc))
    try:
        yield from hold.place()
    except UncappedError:
        # Only the ledger knows the budgets that are stored in it, so it may be the first to ask for
        # a cap.
        if (capped := _capped(request)) is not request:
            return (yield from reserve_call(capped, messages, attribution, seq, context))
        return Reserved(request, unsendable(no_cap_message(payload)))
    except BudgetExceededError as exc:
        return (yield from _last_call(request, messages, exc, hold))
    return Reserved(request, None)


def _capped(request: ChatRequest) -> ChatRequest:
    if request.max_tokens is not None or request.body is not None:
        return request
    return request.model_copy(update={"max_tokens": _ANSWER_TOKENS})


def _last_call(
    request: ChatRequest,
    messages: Sequence[AnyMessage],
    refused: BudgetExceededError,
    hold: "_Hold",
) -> Flow[Reserved]:
    """Tries one last call without tools, from the budget's reserve for it; else the turn is over.

    Without tools the model must answer with what it knows, and the turn ends with an answer.
    """
    error, context = refused, hold.context
    if refused.closing_possible and request.tools:
        last = request.model_copy(update={"tools": (), "builtin_tools": (), "tool_choice": None})
        payload = context.deps.provider.payload(last, messages)
        worst_usd = worst_case_of(last, payload, context.deps)
        try:
            yield from _Hold(hold.call, last, payload, worst_usd, context).place(closing=True)
        except BudgetExceededError as exc:
            error = exc
        else:
            return Reserved(last, None)
    context.emit(ChargeDeclined(turn_id=hold.turn_id, reason=str(error)))
    outcome = TurnOutcome(status="budget", error=TurnError(kind="budget", message=str(error)))
    return Reserved(request, outcome)


@dataclass(frozen=True)
class _Hold:
    """The money that is held for one request."""

    call: Call
    request: ChatRequest
    payload: Payload
    worst_usd: Decimal | None
    context: StageContext

    @property
    def turn_id(self) -> str:
        return self.call.attribution.turn or ""

    @property
    def reservation(self) -> str:
        """The id of the reservation."""
        return self._id("reservation")

    def place(self, *, closing: bool = False) -> Flow[None]:
        """Holds the money, unless the call gets a recorded answer.

        Where the call is sent in the same step, it is marked as sent too, in one transaction.
        `closing` takes the money from the budget's reserve for a last call. Raises
        BudgetExceededError or UncappedError.
        """
        context = self.context
        if context.replays_recorded:
            if (yield from self._is_recorded()):
                return
            held_usd = yield from self._reserve(closing=closing)
        elif context.next_call is None:
            held_usd = yield from self._reserve(closing=closing)
        else:
            held_usd = yield from self._start(context.next_call, closing=closing)
        context.emit(
            ChargeAuthorized(turn_id=self.turn_id, call_id=self.reservation, held_usd=held_usd)
        )

    def _is_recorded(self) -> Flow[bool]:
        from turngraph.billing.store.replay import is_recorded

        recorded: bool = yield ask_ledger(
            self.context.deps, is_recorded, self.call, request_sha=self.payload.sha
        )
        return recorded

    def _reserve(self, *, closing: bool) -> Flow[Decimal]:
        from turngraph.billing.store.attempts import reserve

        held: Reservation = yield ask_ledger(
            self.context.deps,
            reserve,
            self.call,
            usd=self.worst_usd,
            closing=closing,
            # A last call has the cap of the request that it replaces.
            capped=closing or bool(answer_caps(self.payload)),
            reservation=self.reservation,
            budgets=self.context.deps.budgets,
            fence=self.context.fence,
        )
        return held.held_usd

    def _start(self, next_call: NextCall, *, closing: bool) -> Flow[Decimal]:
        started = yield from start_call(
            self.call,
            self.payload,
            self.worst_usd,
            self.context,
            call_id=self._id("completion"),
            closing=closing,
        )
        next_call.prepared = PreparedCall(self.request, self.payload, started)
        return started.held_usd

    def _id(self, kind: str) -> str:
        assert self.call.seq is not None, "a call to the model has a place in its turn"
        return self.context.call_id(kind, self.call.seq)
