"""Charges in the ledger: of an answer as it is stored, and of everything that has none yet."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from turngraph.billing.errors import FencedError
from turngraph.billing.pricing.charges import charge_for
from turngraph.billing.pricing.price_key import PriceKey
from turngraph.billing.store.calls import (
    AttemptResponse,
    ChargedResponse,
    Settled,
    Settlement,
)
from turngraph.nodes.support.dependencies import TurnDependencies
from turngraph.nodes.support.ledger_calls import keep_in_ledger
from turngraph.nodes.support.stage_context import StageContext
from turngraph.state.errors import TurnValueError
from turngraph.state.events import BudgetWarning
from turngraph.state.flow import Flow
from turngraph.state.result import Attempt, Charge

if TYPE_CHECKING:
    from turngraph.billing.store.transaction import Record

__all__ = ["as_settled", "charge_for_attempt", "cost_of_attempt", "keep_answer", "settle_charges"]


def charge_for_attempt(
    attempt: Attempt, deps: TurnDependencies, account: str | None
) -> Charge | None:
    """Returns the charge of one attempt, or None if the vendor charges nothing for it."""
    request, reply = attempt.request, attempt.reply
    key = PriceKey(
        request.vendor,
        (reply.model if reply is not None else None) or request.model,
        at=datetime.fromtimestamp(attempt.started_at, UTC),
        base_url=deps.provider.config.base_url,
        service_tier=None if reply is None else reply.service_tier,
    )
    return charge_for(
        deps.prices,
        key,
        attempt_id=attempt.id,
        asked_model=request.model,
        usage=None if reply is None else reply.usage,
        billed=attempt.billed,
        estimate=attempt.estimate,
        held_usd=attempt.held_usd,
        account=account,
    )


def cost_of_attempt(attempt: Attempt, deps: TurnDependencies) -> Decimal | None:
    """Returns what an attempt cost in USD: as the ledger has charged it, or by the price; None if
    no price is known.
    """
    if attempt.settled_usd is not None:
        return attempt.settled_usd
    charge = _charge_with_answer(attempt, deps)
    return None if charge is None else charge.amount_usd


def keep_answer(attempt: Attempt, turn_id: str, context: StageContext) -> Flow[Attempt]:
    """Stores the answer on its attempt the moment it is complete, and charges it: both or neither.

    Returns the attempt with the amount that the ledger charged, if it charged one. Raises
    FencedError if another worker has taken over the turn.
    """
    from turngraph.billing.store.outcomes import answer
    from turngraph.billing.store.settlement import settle_answer

    reply = attempt.reply
    assert reply is not None, "only an answer is kept"
    response = AttemptResponse(
        attempt_id=attempt.id,
        response=reply.model_dump_json(),
        usage=reply.usage,
        provider_id=reply.response_id,
        http_status=reply.status,
        model=reply.model,
        service_tier=reply.service_tier,
    )
    charge = _charge_with_answer(attempt, context.deps)
    if charge is None:
        record: Record = answer, response
    else:
        both = ChargedResponse(response=response, settlement=_settlement(charge))
        record = settle_answer, both
    results = yield keep_in_ledger(context.deps, record)
    if results is None:
        return attempt  # spooled: nobody knows yet whose turn it is, and what was charged
    is_current, settled = (results[0], None) if charge is None else results[0]
    if not is_current:
        raise FencedError(turn_id)
    if settled is None:
        return attempt
    _warn(settled, turn_id, context)
    return attempt.model_copy(update={"settled_usd": settled.amount_usd})


def _charge_with_answer(attempt: Attempt, deps: TurnDependencies) -> Charge | None:
    try:
        charge = charge_for_attempt(attempt, deps, None)
    except TurnValueError:
        # An amount that cannot be stored must not lose the answer. `bill` reports the amount.
        return None
    return None if charge is None or charge.usage is None else charge


def settle_charges(
    charges: Sequence[Charge], turn_id: str, context: StageContext
) -> Flow[list[Charge]]:
    """Records `charges` in the ledger, in one transaction, and returns them as they stand there.

    A call whose usage nobody knows yet stays open in the ledger, until the sweeper finds out or
    charges what was held.
    """
    known = [one for one in charges if one.kind != "completion" or one.usage is not None]
    if context.deps.ledger is None or not known:
        return list(charges)
    from turngraph.billing.store.settlement import settle

    # Sorted, so that two workers lock the rows in the same order.
    known.sort(key=lambda one: one.id)
    results = yield keep_in_ledger(context.deps, *((settle, _settlement(one)) for one in known))
    if results is None:
        return list(charges)  # spooled, because the database is away; they are recorded later
    settled: dict[str, Settled] = {
        one.id: result for one, result in zip(known, results, strict=True)
    }
    for one in settled.values():
        _warn(one, turn_id, context)
    return [
        as_settled(one, settled[one.id].amount_usd, overrun=settled[one.id].overrun)
        if one.id in settled
        else one
        for one in charges
    ]


def as_settled(charge: Charge, amount_usd: Decimal, *, overrun: bool) -> Charge:
    """Returns `charge` with what the ledger charged for it."""
    # A price that nobody knows is None, never zero; the ledger stores zero for it.
    known = None if charge.unpriced and amount_usd == 0 else amount_usd
    return charge.model_copy(update={"amount_usd": known, "overrun": overrun})


def _settlement(charge: Charge) -> Settlement:
    return Settlement(charge=charge, basis="partial" if charge.estimated else "actual")


def _warn(settled: Settled, turn_id: str, context: StageContext) -> None:
    for crossed in settled.crossed:
        context.emit(
            BudgetWarning(
                turn_id=turn_id,
                budget=crossed.budget,
                threshold=crossed.threshold,
                spent_usd=crossed.spent_usd,
                limit_usd=crossed.limit_usd,
            )
        )
