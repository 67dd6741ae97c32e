"""Charges an attempt, once. Whatever is learned later is a further, signed entry."""

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, Final

from sqlalchemy import BigInteger, Integer, Text, bindparam, cast, func, select, update

from turngraph.billing.errors import LedgerError
from turngraph.billing.pricing.money import from_nano, to_nano
from turngraph.billing.store.attempt_rows import NEW_PROVIDER_ID, THIS_ATTEMPT
from turngraph.billing.store.budgets import close_windows
from turngraph.billing.store.calls import ChargedResponse, Settled, Settlement
from turngraph.billing.store.outcomes import ANSWER, IS_CURRENT, answer, answer_columns
from turngraph.billing.store.schema import attempt_t, entry_t, is_in, price_t
from turngraph.billing.store.states import OPEN_STATES, EntryKind
from turngraph.billing.store.transaction import INSERT, LedgerTransaction
from turngraph.state.result import PriceUsed

__all__ = ["correct_closed", "settle", "settle_all", "settle_answer"]

_a, _e = attempt_t.c, entry_t.c
_STATE: Final = select(_a.state, _a.estimated).where(THIS_ATTEMPT).with_for_update()
# Without a price the hold is charged: the ceiling that a budget sets for such calls, or zero.
_charged = func.coalesce(cast(bindparam("b_charge"), BigInteger), _a.hold_nano)
_CHARGE: Final = {"charge_nano": _charged, "overrun": _charged > _a.hold_nano}
_CHARGED: Final = (_a.hold_nano, _a.charge_nano, _a.windows)
_SETTLE: Final = (
    update(attempt_t)
    .where(THIS_ATTEMPT, is_in(*OPEN_STATES))
    .values(**_CHARGE)
    .returning(*_CHARGED)
)
_SETTLE_ANSWER: Final = ANSWER.values(**_CHARGE).returning(*_CHARGED, IS_CURRENT)
_UPDATE: Final = update(attempt_t).where(THIS_ATTEMPT)
_STORE_ANSWER: Final = _UPDATE.values(
    provider_id=NEW_PROVIDER_ID,
    response=func.coalesce(cast(bindparam("b_response"), Text), _a.response),
    http_status=func.coalesce(cast(bindparam("b_status"), Integer), _a.http_status),
)
_INSERT: Final = entry_t.insert()
_NET: Final = select(
    func.coalesce(func.sum(_e.amount_nano), 0), func.coalesce(func.max(_e.rev), 0)
).where(_e.attempt_id == bindparam("b_attempt"))


def settle(tx: LedgerTransaction, settlement: Settlement) -> Settled:
    """Charges an attempt, once.

    A second time changes nothing, unless the first charge was a guess (or a release) and this one
    is a real amount: then the difference is written as a further entry. Raises `LedgerError` for
    an attempt that was never begun.
    """
    row = tx.execute(_SETTLE, _settled_columns(tx, settlement)).first()
    if row is None:
        return _true_up(tx, settlement)
    _store_answer(tx, settlement)
    return _entered(tx, settlement.charge.attempt_id, row)


def settle_answer(tx: LedgerTransaction, charged: ChargedResponse) -> tuple[bool, Settled]:
    """`answer` and `settle` in one, of an answer that has just come. Returns what they return."""
    columns = {**answer_columns(tx, charged.response), **_settled_columns(tx, charged.settlement)}
    row = tx.execute(_SETTLE_ANSWER, columns).first()
    if row is None:  # it was answered, or closed, before
        return answer(tx, charged.response), settle(tx, charged.settlement)
    return row.is_current in (None, True), _entered(tx, charged.response.attempt_id, row)


def _entered(tx: LedgerTransaction, attempt_id: str, row: Any) -> Settled:
    """Enters the charge of an attempt that was just settled, and closes its hold."""
    # The database computed the charge: without a price it is the hold.
    held, nano = row.hold_nano, row.charge_nano
    _enter(tx, attempt_id, 1, "charge", nano)
    crossed = close_windows(tx.conn, attempt_id, held=held, charged=nano) if row.windows else ()
    return Settled(True, from_nano(nano), overrun=nano > held, crossed=crossed)


def settle_all(tx: LedgerTransaction, settlements: Sequence[Settlement]) -> tuple[Settled, ...]:
    """Settles several attempts in one transaction."""
    # Sorted, so that two workers lock the rows in the same order.
    return tuple(
        settle(tx, one) for one in sorted(settlements, key=lambda one: one.charge.attempt_id)
    )


def _settled_columns(tx: LedgerTransaction, settlement: Settlement) -> dict[str, object]:
    usd = settlement.charge.amount_usd
    nano = None if usd is None else to_nano(usd)
    return {**_columns_of(tx, settlement), "state": "settled", "b_charge": nano}


def _columns_of(tx: LedgerTransaction, settlement: Settlement) -> dict[str, object]:
    charge = settlement.charge
    return {
        "b_attempt": charge.attempt_id,
        "basis": "unpriced" if charge.amount_usd is None else settlement.basis,
        "estimated": charge.estimated or charge.amount_usd is None,
        "unpriced": charge.unpriced,
        "usage": None if charge.usage is None else charge.usage.model_dump_json(exclude_none=True),
        "price_id": None if charge.price is None else _store_price(tx, charge.price),
        "updated": tx.now,
    }


def _store_answer(tx: LedgerTransaction, settlement: Settlement) -> None:
    values = {
        "b_provider_id": settlement.provider_id,
        "b_response": settlement.response,
        "b_status": settlement.http_status,
    }
    # Most answers were stored when they arrived; then a settlement carries none of these.
    if any(value is not None for value in values.values()):
        tx.execute(_STORE_ANSWER, {**values, "b_attempt": settlement.charge.attempt_id})


def _true_up(tx: LedgerTransaction, settlement: Settlement) -> Settled:
    """Replaces a charge that was a guess by the amount of `settlement`, if that is none."""
    charge = settlement.charge
    row = tx.execute(_STATE, {"b_attempt": charge.attempt_id}).first()
    if row is None:
        raise LedgerError(
            f"No attempt `{charge.attempt_id}` in this ledger; `begin` comes before `settle`."
        )
    was_guess = row.state == "released" or row.estimated
    if charge.amount_usd is None or charge.estimated or not was_guess:
        return Settled(False, from_nano(_net(tx, charge.attempt_id)[0]))
    tx.execute(_UPDATE, _columns_of(tx, settlement))
    _store_answer(tx, settlement)
    return _adjust(tx, charge.attempt_id, to_nano(charge.amount_usd), "true_up", None)


def correct_closed(tx: LedgerTransaction, attempt_id: str, usd: Decimal, *, note: str) -> Settled:
    """Makes `usd` the net charge of a closed attempt, by a further entry with `note`.

    Raises `LedgerError` for an attempt that is not closed.
    """
    row = tx.execute(_STATE, {"b_attempt": attempt_id}).first()
    if row is None:
        raise LedgerError(f"Attempt `{attempt_id}` is not in this ledger.")
    if row.state in OPEN_STATES:
        raise LedgerError(
            f"Attempt `{attempt_id}` is {row.state}, not closed: a worker may still be using it."
        )
    return _adjust(tx, attempt_id, to_nano(usd), "correction", note)


def _adjust(
    tx: LedgerTransaction, attempt_id: str, nano: int, kind: EntryKind, note: str | None
) -> Settled:
    net, rev = _net(tx, attempt_id)
    # Repeated, or already at this amount: no further entry.
    if nano == net:
        return Settled(False, from_nano(nano))
    _enter(tx, attempt_id, rev + 1, kind, nano - net, note)
    crossed = close_windows(tx.conn, attempt_id, held=0, charged=nano - net)
    return Settled(False, from_nano(nano), crossed=crossed)


def _net(tx: LedgerTransaction, attempt_id: str) -> tuple[int, int]:
    """Returns the sum of an attempt's entries in nano-dollars, and the last revision (0: none)."""
    row = tx.execute(_NET, {"b_attempt": attempt_id}).first()
    return int(row[0]), int(row[1])


def _enter(
    tx: LedgerTransaction,
    attempt_id: str,
    rev: int,
    kind: EntryKind,
    nano: int,
    note: str | None = None,
) -> None:
    row = {
        "attempt_id": attempt_id,
        "rev": rev,
        "kind": kind,
        "amount_nano": nano,
        "at": tx.now,
        "note": note,
    }
    tx.execute(_INSERT, row)


def _store_price(tx: LedgerTransaction, price: PriceUsed) -> str:
    """Stores a price once, under a hash of its content. Returns the hash."""
    row = _price_row(price)
    price_id = row["price_id"]
    if price_id not in tx.stored_prices:
        tx.execute(_price_statement(tx.conn.dialect.name), row)
        tx.new_prices.add(price_id)
    return price_id


@lru_cache(maxsize=256)
def _price_row(price: PriceUsed) -> dict[str, str]:
    text = price.model_dump_json(exclude_none=True)
    price_id = hashlib.sha256(text.encode()).hexdigest()[:24]
    return {"price_id": price_id, "source": price.source, "price": text}


@cache
def _price_statement(dialect: str) -> Any:
    return INSERT[dialect](price_t).on_conflict_do_nothing()
