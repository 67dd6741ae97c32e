"""The turn and its ledger: mark a call as sent, keep its answer, charge it once. `reserving` holds
the money before.

Without a ledger none of this waits for anything, nothing is kept, and SQLAlchemy is not imported.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final

from turngraph.billing.errors import FencedError
from turngraph.billing.pricing.price_key import PriceKey
from turngraph.billing.pricing.worst_case import (
    CAP_NAMES,
    answer_caps,
    prompt_bound,
    worst_case_usd,
)
from turngraph.billing.store.calls import (
    AttemptResponse,
    Call,
    CostAttribution,
    Released,
    Settled,
    Settlement,
    StartedAttempt,
    UnknownOutcome,
)
from turngraph.nodes.support.dependencies import TurnDeps
from turngraph.nodes.support.stage_context import StageContext
from turngraph.providers.wire.lookup import stored_at
from turngraph.providers.writing.payload import Payload
from turngraph.state.events import BudgetWarning
from turngraph.state.flow import Flow, Wait
from turngraph.state.reply import ProviderReply
from turngraph.state.request import ChatRequest
from turngraph.state.result import Attempt, Charge
from turngraph.state.turn import TurnSettings
from turngraph.state.usage import Usage

__all__ = [
    "ask_ledger",
    "attribution_of",
    "begin_call",
    "call_of",
    "caps_of",
    "estimate_of",
    "finish_turn",
    "keep_answer",
    "keep_in_ledger",
    "note_begun",
    "release_call",
    "replay_call",
    "replays",
    "seq_of",
    "settle_charge",
    "uncapped",
    "worst_case_of",
]

_BYTES_A_TOKEN: Final = 4
"""Of English (https://help.openai.com/en/articles/4936856-what-are-tokens-and-how-to-count-them).
"""


def attribution_of(
    turn_id: str, settings: TurnSettings | None, here: StageContext
) -> CostAttribution:
    """Whom the calls of a turn are charged to."""
    if settings is None:
        return CostAttribution(thread=here.thread_id, turn=turn_id)
    return CostAttribution(
        account=settings.account or "",
        api_key_id=settings.key,
        thread=here.thread_id,
        turn=turn_id,
        tags=settings.tags,
    )


def seq_of(attempts: Sequence[Attempt]) -> int:
    """The place in its turn of the call that follows `attempts`, from 1: what a replay is found by."""
    return 1 + len({made.call_id for made in attempts})


def replays(deps: TurnDeps, here: StageContext) -> bool:
    """Whether a call that was answered before gets that answer."""
    return deps.ledger is not None and (here.replay or deps.replay) == "recorded"


def begin_call(
    request: ChatRequest,
    payload: Payload,
    call: Call,
    reservation: str | None,
    deps: TurnDeps,
    here: StageContext,
) -> Flow[StartedAttempt]:
    """Mark the call as sent, before its first byte leaves; or get the answer it had before the
    worker was killed.

    In a replay, the answer the same request had before is given too.
    """
    from turngraph.billing.store.attempts import begin

    if replays(deps, here):
        replayed = yield from replay_call(call, payload.sha, reservation, deps, here)
        if replayed is not None:
            return replayed
    usd = worst_case_of(request, payload, deps)
    begun: StartedAttempt = yield ask_ledger(
        deps,
        begin,
        call,
        call_id=here.task_id,
        request_sha=payload.sha,
        usd=usd,
        reservation=reservation,
        fence=here.fence,
        budgets=deps.budgets,
        capped=bool(caps_of(payload)),
    )
    return begun


def replay_call(
    call: Call, request_sha: str, reservation: str | None, deps: TurnDeps, here: StageContext
) -> Flow[StartedAttempt | None]:
    """The answer that the same call had before, at no cost; `None` where there is none."""
    from turngraph.billing.store.replay import replay

    named = {"call_id": here.task_id, "request_sha": request_sha, "reservation": reservation}
    begun: StartedAttempt | None = yield ask_ledger(deps, replay, call, **named)
    return begun


def note_begun(attempt_id: str, call: Call, deps: TurnDeps, response_id: str) -> None:
    """Write down what an answer under way can be asked for by, where that is the only way to find
    it again.
    """
    if deps.ledger is not None and call.stored == "responses":
        from turngraph.billing.store.outcomes import note_id

        deps.ledger.store.run_in_background(note_id, attempt_id, response_id)


def keep_answer(attempt_id: str, reply: ProviderReply, turn_id: str, deps: TurnDeps) -> Flow[None]:
    """Write the answer on its attempt the moment it is complete. Raises FencedError where the turn
    is not ours now.
    """
    from turngraph.billing.store.outcomes import answer

    kept = AttemptResponse(
        attempt_id=attempt_id,
        response=reply.model_dump_json(),
        usage=reply.usage,
        provider_id=reply.response_id,
        http_status=reply.status,
        model=reply.model,
        service_tier=reply.service_tier,
    )
    ours = yield keep_in_ledger(deps, answer, kept)
    if ours is False:
        raise FencedError(turn_id)


def release_call(
    attempt_id: str,
    billed: str,
    why: str,
    seen: Usage | None,
    provider_id: str | None,
    deps: TurnDeps,
) -> Flow[None]:
    """What brought no answer: free where the vendor refused it, unknown where it may have been
    served.
    """
    from turngraph.billing.store.outcomes import mark_unknown, release

    if billed == "none":
        yield keep_in_ledger(deps, release, Released(attempt_id=attempt_id, why=why))
    else:
        lost = UnknownOutcome(
            attempt_id=attempt_id, why=why, estimate=seen, provider_id=provider_id
        )
        yield keep_in_ledger(deps, mark_unknown, lost)


def settle_charge(charge: Charge, turn_id: str, deps: TurnDeps, here: StageContext) -> Flow[Charge]:
    """Enter `charge` in the ledger, once; the charge as it stands there.

    A call of which nobody knows yet what it used stays open there, until it is found out or charged
    at its hold.
    """
    if deps.ledger is None or (charge.kind == "completion" and charge.usage is None):
        return charge
    from turngraph.billing.store.settlement import settle

    basis = "partial" if charge.estimated else "actual"
    settled: Settled | None = yield keep_in_ledger(
        deps, settle, Settlement(charge=charge, basis=basis)
    )
    if settled is None:  # spooled: the ledger was away, and will be told later
        return charge
    for crossed in settled.crossed:
        here.emit(
            BudgetWarning(
                turn_id=turn_id,
                budget=crossed.budget,
                threshold=crossed.threshold,
                spent_usd=crossed.spent_usd,
                limit_usd=crossed.limit_usd,
            )
        )
    amount = None if charge.unpriced and settled.amount_usd == 0 else settled.amount_usd
    return charge.model_copy(update={"amount_usd": amount, "overrun": settled.overrun})


def finish_turn(turn_id: str, deps: TurnDeps, here: StageContext) -> Flow[None]:
    """Give up the turn's lease. Raises FencedError where another worker has taken it over."""
    if deps.ledger is not None and here.fence is not None:
        from turngraph.billing.leases.leases import finish

        yield ask_ledger(deps, finish, turn_id, fence=here.fence)
        deps.ledger.leases.mark_finished(turn_id, here.fence)


def estimate_of(reply: ProviderReply | None, payload: Payload) -> Usage | None:
    """What an answer without usage used, as far as can be told: what was asked and said, at a token
    for four bytes.

    `None` where nothing was said: then it is not known whether anything was used at all.
    """
    if reply is None or reply.usage is not None:
        return None
    said = len(reply.text.encode()) + len((reply.reasoning or "").encode())
    asked = prompt_bound(payload.content)
    return Usage(input_tokens=asked // _BYTES_A_TOKEN + 1, output_tokens=said // _BYTES_A_TOKEN + 1)


def worst_case_of(request: ChatRequest, payload: Payload, deps: TurnDeps) -> Decimal | None:
    """Returns the most that `payload` can cost, in USD; `None` where its price is unknown."""
    key = PriceKey(
        request.vendor,
        request.model,
        at=datetime.fromtimestamp(deps.clock(), UTC),
        base_url=deps.provider.config.base_url,
    )
    return worst_case_usd(
        deps.prices, key, api=payload.api, body=payload.body, content=payload.content
    )


def caps_of(payload: Payload) -> list[int]:
    """Returns the caps on the answer that are sent; none where one of them limits nothing."""
    return answer_caps(payload.api, payload.body)


def uncapped(payload: Payload) -> str:
    """What to say of a request that a budget cannot let go."""
    names = " or ".join(CAP_NAMES[payload.api])
    return f"A budget applies, and the request has no cap on its answer: put {names} into it, a whole number from 1 on."


def call_of(
    request: ChatRequest, payload: Payload, attribution: CostAttribution, seq: int, deps: TurnDeps
) -> Call:
    """A call to the model as the ledger knows it; `seq` is its place in the turn."""
    return Call(
        attribution=attribution,
        seq=seq,
        vendor=request.vendor,
        model=request.model,
        base_url=deps.provider.config.base_url,
        stored=stored_at(payload, deps.provider.profile),
    )


def ask_ledger(deps: TurnDeps, op: Callable[..., Any], *args: Any, **named: Any) -> Wait:
    """One operation of the ledger, as something to wait for."""
    ledger = deps.ledger
    assert ledger is not None, "only a turn with a ledger asks it"
    return Wait(
        partial(ledger.store.run, op, *args, **named),
        partial(ledger.store.arun, op, *args, **named),
    )


def keep_in_ledger(deps: TurnDeps, op: Callable[..., Any], value: Any) -> Wait:
    """The same for what must not be lost: where the ledger is away, it is spooled."""
    ledger = deps.ledger
    assert ledger is not None, "only a turn with a ledger asks it"
    return Wait(
        partial(ledger.store.run_or_spool, op, value),
        partial(ledger.store.arun_or_spool, op, value),
    )
