"""The protections, left out one at a time: the harness must notice each.

Without the intent an attempt is entered when its answer is charged, as a naive `bill` node does.
Without the memo an answer that was paid for is not looked for. Without the unique key a settlement
does not ask whether its attempt was charged before. (The fourth, the fence, is left out where the
workers are: it is nothing but an argument.)
"""

from typing import Any

from sqlalchemy import func, select

from turngraph.billing.pricing.money import to_nano
from turngraph.billing.store import attempts, outcomes, settlement
from turngraph.billing.store.calls import (
    AttemptResponse,
    Call,
    CostAttribution,
    Settled,
    Settlement,
    StartedAttempt,
)
from turngraph.billing.store.schema import entry_t
from turngraph.billing.store.transaction import LedgerTransaction

__all__ = ["forgetful_begin", "leave_out", "settle_again"]

_begin, _settle = attempts.begin, settlement.settle


def leave_out(name: str) -> None:
    """Take a protection away from the graph in this process, which will not come back."""
    if name == "memo":
        attempts.begin = forgetful_begin
    elif name == "unique key":
        settlement.settle = settle_again
    elif name == "intent":
        attempts.begin, outcomes.answer, settlement.settle = (
            _begin_nothing,
            _keep_nothing,
            _enter_and_settle,
        )


def forgetful_begin(tx: LedgerTransaction, call: Call, **given: Any) -> StartedAttempt:
    """A `begin` that does not look for an answer already paid for."""
    return _begin(tx, call, **{**given, "request_sha": tx.nonce})


def settle_again(tx: LedgerTransaction, settlement: Settlement) -> Settled:
    """A `settle` that does not ask whether the attempt was charged before."""
    first = _settle(tx, settlement)
    if first.first or settlement.charge.amount_usd is None:
        return first
    e = entry_t.c
    rev = tx.conn.execute(
        select(func.max(e.rev)).where(e.attempt_id == settlement.charge.attempt_id)
    ).scalar_one()
    row = {
        "attempt_id": settlement.charge.attempt_id,
        "rev": rev + 1,
        "kind": "charge",
        "at": tx.now,
    }
    tx.conn.execute(
        entry_t.insert(),
        {**row, "amount_nano": to_nano(settlement.charge.amount_usd), "note": None},
    )
    return first


def _begin_nothing(
    tx: LedgerTransaction, call: Call, *, call_id: str, usd: Any, **_: Any
) -> StartedAttempt:
    return StartedAttempt(f"{call_id}.1", 1, usd)


def _keep_nothing(tx: LedgerTransaction, response: AttemptResponse) -> bool:
    return True


def _enter_and_settle(tx: LedgerTransaction, settlement: Settlement) -> Settled:
    charge = settlement.charge
    call = Call(
        attribution=CostAttribution(account=charge.account or ""),
        vendor=charge.vendor,
        model=charge.model,
    )
    name = (charge.attempt_id or "").rpartition(".")[0]
    _begin(tx, call, call_id=name, request_sha="x", usd=charge.amount_usd)
    return _settle(tx, settlement)
