"""Every attempt as one flat row, for a turn's bill, a file or a data frame. Amounts are net."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, cast

from sqlalchemy import RowMapping, Select, bindparam, func, select

from turngraph.billing.argument_kinds import check_ledger_arguments
from turngraph.billing.errors import LedgerError
from turngraph.billing.operations.results import AttemptRow, TurnBill
from turngraph.billing.pricing.money import from_nano
from turngraph.billing.store.json_columns import TEXTS
from turngraph.billing.store.schema import attempt_t, entry_t, price_t, turn_t
from turngraph.billing.store.states import OPEN_STATES
from turngraph.billing.store.transaction import LedgerTransaction
from turngraph.state.usage import Usage

__all__ = ["COLUMN_TYPES", "DURING", "NET_NANO", "attempt_rows", "bounds", "turn_bill"]

_a, _e = attempt_t.c, entry_t.c

# A subquery per attempt, which uses the key of `entry`. A sum over all entries first would make the
# report of a day read the entries of years.
_net = (
    select(func.sum(_e.amount_nano))
    .where(_e.attempt_id == _a.attempt_id)
    .correlate(attempt_t)
    .scalar_subquery()
)
NET_NANO: Final = func.coalesce(_net, 0)
"""An attempt's net charge in nano-dollars."""

DURING: Final = (_a.created >= bindparam("b_since"), _a.created < bindparam("b_until"))
"""Attempts of a period. `bounds` gives its parameters."""

_COPIED: Final = (
    "attempt_id",
    "call_id",
    "kind",
    "account",
    "api_key_id",
    "thread_id",
    "turn_id",
    "call_seq",
    "vendor",
    "model",
    "plugin",
    "connection",
    "tool",
    "state",
    "basis",
    "currency",
    "estimated",
    "overrun",
    "unpriced",
    "provider_id",
    "http_status",
    "note",
)
"""Columns of the table that a row has unchanged."""

_TYPES: Final = {
    "call_seq": int,
    "http_status": int,
    "estimated": bool,
    "overrun": bool,
    "unpriced": bool,
}
_TOKEN_COUNTS: Final = tuple(name for name in Usage.model_fields if name != "cost_usd")

COLUMN_TYPES: Final[Mapping[str, type]] = {
    "at": str,
    **{name: _TYPES.get(name, str) for name in _COPIED},
    "tags": str,
    "usd": Decimal,
    "held_usd": Decimal,
    "price_source": str,
    "price": str,
    **dict.fromkeys(_TOKEN_COUNTS, int),
}
"""The columns of a row and their types. `price` is JSON."""


def bounds(since: datetime | None, until: datetime | None) -> dict[str, float]:
    """Returns the parameters of `DURING`; `None` is no bound."""
    check_ledger_arguments(since=since, until=until)
    return {
        "b_since": 0.0 if since is None else since.timestamp(),
        "b_until": 1e12 if until is None else until.timestamp(),
    }


def attempt_rows(
    tx: LedgerTransaction, *, since: datetime | None = None, until: datetime | None = None
) -> Iterator[AttemptRow]:
    """Yields every attempt that was begun from `since` to before `until`, oldest first.

    Read it inside the operation: the rows come from the open transaction, a thousand at a time.
    """
    query = (
        _query()
        .where(*DURING)
        .order_by(_a.created, _a.attempt_id)
        .execution_options(yield_per=1000)
    )
    for row in tx.rows(query, bounds(since, until)):
        yield _flat(row._mapping)


def turn_bill(tx: LedgerTransaction, turn_id: str) -> TurnBill:
    """Returns one turn's bill. Raises `LedgerError` for a turn that is not in this ledger."""
    check_ledger_arguments(turn_id=turn_id)
    query = _query().where(_a.turn_id == turn_id).order_by(_a.created, _a.attempt_id)
    attempts = tuple(_flat(row._mapping) for row in tx.rows(query))
    status = tx.conn.execute(select(turn_t.c.status).where(turn_t.c.turn_id == turn_id)).scalar()
    if not attempts and status is None:
        raise LedgerError(f"No turn `{turn_id}` in this ledger.")
    held = (row["held_usd"] for row in attempts if row["state"] in OPEN_STATES)
    usd = (row["usd"] for row in attempts)
    zero = Decimal(0)
    return TurnBill(turn_id, status or "", sum(usd, start=zero), sum(held, start=zero), attempts)


def _query() -> Select[Any]:
    columns = [attempt_t.c[name] for name in (*_COPIED, "tags", "usage", "hold_nano", "created")]
    query = select(*columns, NET_NANO.label("nano"), price_t.c.source, price_t.c.price)
    return query.join(price_t, price_t.c.price_id == _a.price_id, isouter=True)


def _flat(row: RowMapping) -> AttemptRow:
    usage = Usage() if row["usage"] is None else Usage.model_validate_json(row["usage"])
    flat = {
        "at": datetime.fromtimestamp(row["created"], UTC).isoformat(),
        **{name: row[name] for name in _COPIED},
        "tags": ",".join(TEXTS.validate_json(row["tags"])),
        "usd": from_nano(int(row["nano"])),
        "held_usd": from_nano(row["hold_nano"]),
        "price_source": row["source"],
        "price": row["price"],
        **{name: getattr(usage, name) for name in _TOKEN_COUNTS},
    }
    # A test compares the columns of a row with the keys of `AttemptRow`.
    return cast(AttemptRow, flat)
