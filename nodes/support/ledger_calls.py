"""What a turn tells its ledger: a call is sent, has an answer, is charged; the turn is over.

`reservation.py` holds the money before a call. Without a ledger nothing here waits or stores
anything, and SQLAlchemy is not imported.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from turngraph.billing.store.calls import (
    Call,
    CostAttribution,
    Released,
    StartedAttempt,
    UnknownOutcome,
)
from turngraph.nodes.support.call_bounds import answer_caps
from turngraph.nodes.support.dependencies import TurnDependencies
from turngraph.nodes.support.stage_context import StageContext
from turngraph.nodes.support.telemetry import within
from turngraph.providers.wire.lookup import store_of
from turngraph.providers.writing.payload import Payload
from turngraph.state.flow import Flow, Wait
from turngraph.state.kinds import Billed
from turngraph.state.request import ChatRequest
from turngraph.state.result import Attempt
from turngraph.state.turn import NO_SETTINGS, TurnSettings
from turngraph.state.usage import Usage

if TYPE_CHECKING:
    from turngraph.billing.store.transaction import Record

__all__ = [
    "ask_ledger",
    "attribution_of",
    "keep_in_ledger",
    "keep_unanswered",
    "ledger_call",
    "next_seq",
    "note_response_id",
    "note_turn_is_over",
    "recorded_answer",
    "start_call",
]


def ask_ledger(
    deps: TurnDependencies, operation: Callable[..., Any], *args: object, **kwargs: object
) -> Wait:
    """Returns the wait for one operation of the ledger, in a transaction of its own."""
    ledger = deps.ledger
    assert ledger is not None, "only a turn with a ledger asks it"
    wait = Wait(
        partial(ledger.store.run, operation, *args, **kwargs),
        partial(ledger.store.arun, operation, *args, **kwargs),
    )
    return _followed(wait, operation.__name__, deps)


def keep_in_ledger(deps: TurnDependencies, *records: "Record") -> Wait:
    """Returns the wait for operations that record what must not be lost, in one transaction.

    Its value is what each returned; None if the database is away and they were spooled.
    """
    ledger = deps.ledger
    assert ledger is not None, "only a turn with a ledger asks it"
    wait = Wait(
        partial(ledger.store.run_all_or_spool, *records),
        partial(ledger.store.arun_all_or_spool, *records),
    )
    return _followed(wait, ", ".join(operation.__name__ for operation, _ in records), deps)


def _followed(wait: Wait, operations: str, deps: TurnDependencies) -> Wait:
    telemetry = deps.telemetry
    return wait if telemetry is None else within(lambda: telemetry.ledger(operations), wait)


def attribution_of(
    turn_id: str, settings: TurnSettings | None, context: StageContext
) -> CostAttribution:
    """Returns whom and what the calls of a turn are charged to."""
    settings = settings or NO_SETTINGS
    return CostAttribution(
        account=settings.account or "",
        api_key_id=settings.api_key_id,
        thread=context.thread_id,
        turn=turn_id,
        tags=settings.tags,
    )


def next_seq(attempts: Sequence[Attempt]) -> int:
    """Returns the place in its turn of the call that follows `attempts`, from 1.

    A replay finds a call's recorded answer by this number.
    """
    return 1 + len({attempt.call_id for attempt in attempts})


def ledger_call(
    request: ChatRequest,
    payload: Payload,
    attribution: CostAttribution,
    seq: int,
    deps: TurnDependencies,
) -> Call:
    """Returns a call to the model as the ledger knows it; `seq` is its place in the turn."""
    return Call(
        attribution=attribution,
        seq=seq,
        vendor=request.vendor,
        model=request.model,
        base_url=deps.provider.config.base_url,
        stored=store_of(payload, deps.provider.profile),
    )


def start_call(
    call: Call,
    payload: Payload,
    usd: Decimal | None,
    context: StageContext,
    *,
    call_id: str,
    reservation: str | None = None,
    closing: bool = False,
) -> Flow[StartedAttempt]:
    """Marks the call as sent, before its first byte leaves. Holds `usd`, the most it can cost,
    unless `reservation` does.

    The attempt it returns has the answer already if the call was answered before a worker was
    killed, or if the turn is a replay and the same request was answered before.
    `closing` takes the money from the budget's reserve for a last call.
    Raises BudgetExceededError or UncappedError if the budgets do not allow the call.
    """
    from turngraph.billing.store.attempts import begin

    if context.replays_recorded:
        recorded = yield from recorded_answer(call, call_id, payload.sha, reservation, context)
        if recorded is not None:
            return recorded
    ledger, opening = context.deps.ledger, context.opening
    assert ledger is not None, "only a turn with a ledger starts its calls there"
    opens_turn, asked_at = opening is not None and opening.is_pending, ledger.store.now()
    started: StartedAttempt = yield ask_ledger(
        context.deps,
        begin,
        call,
        call_id=call_id,
        request_sha=payload.sha,
        usd=usd,
        reservation=reservation,
        fence=context.fence,
        budgets=context.deps.budgets,
        closing=closing,
        # A last call has the cap of the request that it replaces.
        capped=closing or bool(answer_caps(payload)),
        opens_turn=opens_turn,
    )
    if opening is not None and opens_turn:
        opening.is_pending = False
        turn_id, fence = call.attribution.turn, context.fence
        assert turn_id is not None, "a turn has an id"
        assert fence is not None, "a turn that is admitted has a fence"
        ledger.leases.start_renewing(turn_id, fence, asked_at)
    return started


def recorded_answer(
    call: Call, call_id: str, request_sha: str, reservation: str | None, context: StageContext
) -> Flow[StartedAttempt | None]:
    """Returns the answer that the same call had before, at no cost, or None."""
    from turngraph.billing.store.replay import replay

    recorded: StartedAttempt | None = yield ask_ledger(
        context.deps,
        replay,
        call,
        call_id=call_id,
        request_sha=request_sha,
        reservation=reservation,
    )
    return recorded


def note_response_id(attempt_id: str, call: Call, deps: TurnDependencies, response_id: str) -> None:
    """Stores the id of an answer that has begun to arrive, without waiting.

    Only the Responses API finds an unfinished answer by its id; the sweeper asks for it later.
    """
    if deps.ledger is not None and call.stored == "responses":
        from turngraph.billing.store.outcomes import note_id

        deps.ledger.store.run_in_background(note_id, attempt_id, response_id)


def keep_unanswered(
    attempt_id: str,
    billed: Billed,
    why: str,
    usage: Usage | None,
    response_id: str | None,
    deps: TurnDependencies,
) -> Flow[None]:
    """Records that an attempt brought no answer.

    It is free if the vendor did not serve it. Otherwise its cost is unknown, and the sweeper finds
    out later; `usage` is what is known to be used.
    """
    from turngraph.billing.store.outcomes import mark_unknown, release

    if billed == "none":
        yield keep_in_ledger(deps, (release, Released(attempt_id=attempt_id, why=why)))
    else:
        unknown = UnknownOutcome(
            attempt_id=attempt_id, why=why, estimate=usage, provider_id=response_id
        )
        yield keep_in_ledger(deps, (mark_unknown, unknown))


def note_turn_is_over(turn_id: str, context: StageContext) -> None:
    """Tells the ledger that the last stage has run. The turn is finished in it when the run's last
    checkpoint is stored.
    """
    ledger = context.deps.ledger
    if ledger is not None and context.fence is not None:
        ledger.leases.mark_over(turn_id, context.fence)
