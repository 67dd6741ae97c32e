"""What an attempt cost: one entry, once; whatever is learned later is a further, signed entry."""

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from typing import Any, Final

from sqlalchemy import BigInteger, Integer, Text, bindparam, cast, func, select, update

from turngraph.billing.errors import LedgerError
from turngraph.billing.pricing.money import from_nano, to_nano
from turngraph.billing.store.attempts import NEW_PROVIDER_ID
from turngraph.billing.store.budgets import close_windows
from turngraph.billing.store.calls import Settled, Settlement
from turngraph.billing.store.schema import OPEN, attempt_t, entry_t, is_in, price_t
from turngraph.billing.store.transaction import INSERT, Tx
from turngraph.state.result import PriceUsed

__all__ = ["correct", "settle", "settle_all"]

_a, _e = attempt_t.c, entry_t.c
_this = _a.attempt_id == bindparam("b_attempt")
_STANDS: Final = select(_a.state, _a.estimated).where(_this).with_for_update()
_charged = func.coalesce(cast(bindparam("b_charge"), BigInteger), _a.hold_nano)
_SETTLE: Final = (
    update(attempt_t)
    .where(_this, is_in(*OPEN))
    .values(charge_nano=_charged, overrun=_charged > _a.hold_nano)
    .returning(_a.hold_nano, _a.charge_nano, _a.windows)
)
_TELL: Final = update(attempt_t).where(_this)
_KEEP_ANSWER: Final = _TELL.values(
    provider_id=NEW_PROVIDER_ID,
    response=func.coalesce(cast(bindparam("b_response"), Text), _a.response),
    http_status=func.coalesce(cast(bindparam("b_status"), Integer), _a.http_status),
)
_INSERT: Final = entry_t.insert()
_NET: Final = select(
    func.coalesce(func.sum(_e.amount_nano), 0), func.coalesce(func.max(_e.rev), 0)
).where(_e.attempt_id == bindparam("b_attempt"))


def settle(tx: Tx, settlement: Settlement) -> Settled:
    """Charge an attempt, once. The second time nothing happens, unless the first was a guess and
    this is none.

    A real amount that comes after an estimate (or after a release) is written as a further entry of
    the difference. Raises `LedgerError` for an attempt nobody reserved.
    """
    charge = settlement.charge
    # Without a price the hold is the ceiling that was set for such calls, or nothing: then the row
    # is marked.
    nano = None if charge.amount_usd is None else to_nano(charge.amount_usd)
    row = tx.conn.execute(
        _SETTLE, {**_told(tx, settlement), "state": "settled", "b_charge": nano}
    ).first()
    if row is None:
        return _true_up(tx, settlement)
    _keep_answer(tx, settlement)
    held, nano = row.hold_nano, row.charge_nano
    _enter(tx, charge.attempt_id, 1, "charge", nano)
    crossed = (
        close_windows(tx.conn, charge.attempt_id, held=held, charged=nano) if row.windows else ()
    )
    return Settled(True, from_nano(nano), overrun=nano > held, crossed=crossed)


def settle_all(tx: Tx, settlements: Sequence[Settlement]) -> tuple[Settled, ...]:
    """Several at once, in one transaction; in one order for all workers."""
    return tuple(
        settle(tx, one) for one in sorted(settlements, key=lambda one: one.charge.attempt_id)
    )


def _told(tx: Tx, settlement: Settlement) -> dict[str, Any]:
    charge = settlement.charge
    return {
        "b_attempt": charge.attempt_id,
        "basis": "unpriced" if charge.amount_usd is None else settlement.basis,
        "estimated": charge.estimated or charge.amount_usd is None,
        "unpriced": charge.unpriced,
        "usage": None if charge.usage is None else charge.usage.model_dump_json(exclude_none=True),
        "price_id": None if charge.price is None else _keep_price(tx, charge.price),
        "updated": tx.now,
    }


def _keep_answer(tx: Tx, settlement: Settlement) -> None:
    """Most were kept before, when they came."""
    kept = {
        "b_provider_id": settlement.provider_id,
        "b_response": settlement.response,
        "b_status": settlement.http_status,
    }
    if any(value is not None for value in kept.values()):
        tx.conn.execute(_KEEP_ANSWER, {**kept, "b_attempt": settlement.charge.attempt_id})


def _true_up(tx: Tx, settlement: Settlement) -> Settled:
    charge = settlement.charge
    row = tx.conn.execute(_STANDS, {"b_attempt": charge.attempt_id}).first()
    if row is None:
        raise LedgerError(
            f"No attempt `{charge.attempt_id}` in this ledger; `begin` comes before `settle`."
        )
    guessed = row.state == "released" or row.estimated
    if charge.amount_usd is None or charge.estimated or not guessed:
        return Settled(False, from_nano(_net(tx, charge.attempt_id)[0]))
    tx.conn.execute(_TELL, _told(tx, settlement))
    _keep_answer(tx, settlement)
    return _adjust(tx, charge.attempt_id, to_nano(charge.amount_usd), "true_up", None)


def correct(tx: Tx, attempt_id: str, usd: Decimal, *, note: str) -> Settled:
    """Make the net charge of a closed attempt `usd`, by a further entry: a refund, an invoice that
    says otherwise.

    Raises `LedgerError` for an attempt that is not closed.
    """
    row = tx.conn.execute(_STANDS, {"b_attempt": attempt_id}).first()
    if row is None or row.state in OPEN:
        raise LedgerError(
            f"Attempt `{attempt_id}` is {'unknown here' if row is None else row.state}, not closed."
        )
    return _adjust(tx, attempt_id, to_nano(usd), "correction", note)


def _adjust(tx: Tx, attempt_id: str, nano: int, kind: str, note: str | None) -> Settled:
    net, rev = _net(tx, attempt_id)
    if nano == net:
        return Settled(False, from_nano(nano))
    _enter(tx, attempt_id, rev + 1, kind, nano - net, note)
    return Settled(
        False,
        from_nano(nano),
        crossed=close_windows(tx.conn, attempt_id, held=0, charged=nano - net),
    )


def _net(tx: Tx, attempt_id: str) -> tuple[int, int]:
    net, rev = tx.conn.execute(_NET, {"b_attempt": attempt_id}).one()
    return int(net), int(rev)


def _enter(
    tx: Tx, attempt_id: str, rev: int, kind: str, nano: int, note: str | None = None
) -> None:
    row = {
        "attempt_id": attempt_id,
        "rev": rev,
        "kind": kind,
        "amount_nano": nano,
        "at": tx.now,
        "note": note,
    }
    tx.conn.execute(_INSERT, row)


def _keep_price(tx: Tx, price: PriceUsed) -> str:
    text = price.model_dump_json(exclude_none=True)
    price_id = hashlib.sha256(text.encode()).hexdigest()[:24]
    row = {"price_id": price_id, "source": price.source, "price": text}
    tx.conn.execute(_keep_statement(tx.conn.dialect.name), row)
    return price_id


@cache
def _keep_statement(dialect: str) -> Any:
    return INSERT[dialect](price_t).on_conflict_do_nothing()
