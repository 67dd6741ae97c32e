"""What was spent: a turn's bill, the top of any dimension, every charge as a row, and budgets.
Amounts are net.

Each report is an operation: `ledger.read(top, by="model")`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import Select, bindparam, case, desc, func, select

from turngraph.billing.errors import LedgerError
from turngraph.billing.pricing.money import from_nano
from turngraph.billing.pricing.prices import Prices
from turngraph.billing.store.schema import OPEN, attempt_t, entry_t, price_t, turn_t, window_t
from turngraph.billing.store.transaction import Tx
from turngraph.state.usage import Usage

__all__ = [
    "BY",
    "CHARGE_COLUMNS",
    "BudgetState",
    "Repriced",
    "Spent",
    "TurnBill",
    "budget_states",
    "charges",
    "reprice",
    "show",
    "top",
    "total",
]

_a, _e = attempt_t.c, entry_t.c

BY: Final[Mapping[str, Any]] = {
    "account": _a.account,
    "key": _a.key_id,
    "vendor": _a.vendor,
    "model": _a.model,
    "plugin": _a.plugin,
    "tool": _a.tool,
    "connection": _a.connection,
    "thread": _a.thread_id,
    "turn": _a.turn_id,
    "day": _a.day,
    "month": func.substr(_a.day, 1, 7),
    "kind": _a.kind,
    "tag": _a.tags,
}
"""The dimensions a report may be made by."""

By = Literal[
    "account",
    "key",
    "vendor",
    "model",
    "plugin",
    "tool",
    "connection",
    "thread",
    "turn",
    "day",
    "month",
    "kind",
    "tag",
]

_IN_TIME: Final = ("day", "month")
"""Dimensions told in their order: a calendar sorted by its amounts cannot be read."""

# Looked up for each attempt by its key: added up for all first, a report of a day would read the
# entries of years.
_net = (
    select(func.sum(_e.amount_nano))
    .where(_e.attempt_id == _a.attempt_id)
    .correlate(attempt_t)
    .scalar_subquery()
)
_amount = func.coalesce(_net, 0)
_during = (_a.created >= bindparam("b_since"), _a.created < bindparam("b_until"))


class Spent(NamedTuple):
    """One line of a report."""

    value: str
    usd: Decimal
    attempts: int
    estimated_usd: Decimal
    """The part of it that is a guess: no usage was reported."""
    unpriced: int
    """Attempts without a known price: what they cost is not in `usd`, or is the ceiling set for
    them.
    """


class TurnBill(NamedTuple):
    """A turn, its total and its attempts."""

    turn_id: str
    status: str
    usd: Decimal
    open_usd: Decimal
    """Held for attempts that are not closed."""
    attempts: tuple[dict[str, Any], ...]


class BudgetState(NamedTuple):
    """A budget in one of its windows, in USD."""

    budget: str
    window: str
    limit_usd: Decimal
    spent_usd: Decimal
    held_usd: Decimal


class Repriced(NamedTuple):
    """What a period cost, and what it would have cost at another model's prices."""

    attempts: int
    actual_usd: Decimal
    other_usd: Decimal
    not_comparable: int
    """Attempts without usage, or without a price, here or there: in neither sum."""


def _bounds(since: datetime | None, until: datetime | None) -> dict[str, float]:
    return {
        "b_since": 0.0 if since is None else since.timestamp(),
        "b_until": 1e12 if until is None else until.timestamp(),
    }


def top(
    tx: Tx, by: By, *, since: datetime | None = None, until: datetime | None = None, limit: int = 20
) -> tuple[Spent, ...]:
    """The dearest accounts, models, plugins, threads, …, of attempts begun from `since` to before
    `until`.

    Days and months stand in their order, the latest `limit` of them. An attempt with several tags
    counts for each of them. Raises `LedgerError` for another dimension.
    """
    if by not in BY:
        raise LedgerError(f"No report by `{by}`. Allowed: {', '.join(BY)}.")
    query = (
        select(
            func.coalesce(BY[by], "").label("value"),
            func.sum(_amount).label("nano"),
            func.count().label("attempts"),
            func.sum(case((_a.estimated, _amount), else_=0)).label("estimated"),
            func.sum(case((_a.unpriced, 1), else_=0)).label("unpriced"),
        )
        .where(*_during, _a.state != "released")
        .group_by("value")
    )
    if by == "tag":
        return _by_tag(tx.conn.execute(query, _bounds(since, until)), limit)
    ordered = (
        query.order_by(desc("value")) if by in _IN_TIME else query.order_by(desc("nano"), "value")
    )
    rows = tx.conn.execute(ordered.limit(limit), _bounds(since, until))
    spent = [_spent(row.value, *(int(number) for number in row[1:])) for row in rows]
    return tuple(reversed(spent) if by in _IN_TIME else spent)


def _by_tag(rows: Iterable[Any], limit: int) -> tuple[Spent, ...]:
    """Rows stand for sets of tags; each of them counts."""
    sums: dict[str, list[int]] = {}
    for row in rows:
        for tag in json.loads(row.value) or [""]:
            so_far = sums.setdefault(tag, [0] * 4)
            sums[tag] = [have + int(number) for have, number in zip(so_far, row[1:], strict=True)]
    spent = (_spent(tag, *numbers) for tag, numbers in sums.items())
    return tuple(sorted(spent, key=lambda line: (-line.usd, line.value))[:limit])


def _spent(value: str, nano: int, attempts: int, estimated: int, unpriced: int) -> Spent:
    return Spent(value, from_nano(nano), attempts, from_nano(estimated), unpriced)


def total(tx: Tx, *, since: datetime | None = None, until: datetime | None = None) -> Spent:
    """Everything of a period together; its `value` is empty."""
    lines = top(tx, "kind", since=since, until=until)
    return Spent(
        "",
        sum((line.usd for line in lines), start=Decimal(0)),
        sum(line.attempts for line in lines),
        sum((line.estimated_usd for line in lines), start=Decimal(0)),
        sum(line.unpriced for line in lines),
    )


def show(tx: Tx, turn_id: str) -> TurnBill:
    """One turn's bill. Raises `LedgerError` for a turn this ledger has not seen."""
    query = _rows().where(_a.turn_id == turn_id).order_by(_a.created, _a.attempt_id)
    attempts = tuple(map(_plain, tx.conn.execute(query).mappings()))
    status = tx.conn.execute(select(turn_t.c.status).where(turn_t.c.turn_id == turn_id)).scalar()
    if not attempts and status is None:
        raise LedgerError(f"No turn `{turn_id}` in this ledger.")
    held = sum((row["held_usd"] for row in attempts if row["state"] in OPEN), start=Decimal(0))
    total = sum((row["usd"] for row in attempts), start=Decimal(0))
    return TurnBill(turn_id, status or "", total, held, attempts)


def charges(
    tx: Tx, *, since: datetime | None = None, until: datetime | None = None
) -> Iterator[dict[str, Any]]:
    """Every attempt as one flat row, in order, for a file or a data frame. Read it inside the
    operation.
    """
    query = (
        _rows()
        .where(*_during)
        .order_by(_a.created, _a.attempt_id)
        .execution_options(yield_per=1000)
    )
    for row in tx.conn.execute(query, _bounds(since, until)).mappings():
        yield _plain(row)


_KEPT: Final = (
    "attempt_id",
    "call_id",
    "kind",
    "account",
    "key_id",
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


_TYPES: Final = {
    "call_seq": int,
    "http_status": int,
    "estimated": bool,
    "overrun": bool,
    "unpriced": bool,
}
_COUNTS: Final = tuple(name for name in Usage.model_fields if name != "cost_usd")

CHARGE_COLUMNS: Final[Mapping[str, type]] = {
    "at": str,
    **{name: _TYPES.get(name, str) for name in _KEPT},
    "tags": str,
    "usd": Decimal,
    "held_usd": Decimal,
    "price_source": str,
    "price": str,
    **dict.fromkeys(_COUNTS, int),
}
"""The columns of `charges`, and what stands in them; `price` is JSON, with what it stood in before
USD.
"""


def _rows() -> Select[Any]:
    columns = [attempt_t.c[name] for name in (*_KEPT, "tags", "usage", "hold_nano", "created")]
    query = select(*columns, _amount.label("nano"), price_t.c.source, price_t.c.price)
    return query.join(price_t, price_t.c.price_id == _a.price_id, isouter=True)


def _plain(row: Any) -> dict[str, Any]:
    usage = Usage() if row["usage"] is None else Usage.model_validate_json(row["usage"])
    return {
        "at": datetime.fromtimestamp(row["created"], UTC).isoformat(),
        **{name: row[name] for name in _KEPT},
        "tags": ",".join(json.loads(row["tags"])),
        "usd": from_nano(int(row["nano"])),
        "held_usd": from_nano(row["hold_nano"]),
        "price_source": row["source"],
        "price": row["price"],
        **{name: getattr(usage, name) for name in _COUNTS},
    }


def budget_states(tx: Tx, *, limit: int = 1000) -> tuple[BudgetState, ...]:
    """What budgets hold and have spent in their windows of now, the fullest first."""
    w, day = window_t.c, datetime.fromtimestamp(tx.now, UTC).date().isoformat()
    share = (w.settled_nano + w.held_nano) * 1.0 / func.nullif(w.limit_nano, 0)
    current = select(window_t).where(w.window.in_(("always", day, day[:7])))
    rows = tx.conn.execute(
        current.order_by(share.desc().nulls_first(), w.budget_id, w.window).limit(limit)
    )
    return tuple(
        BudgetState(
            r.budget_id,
            r.window,
            from_nano(r.limit_nano),
            from_nano(r.settled_nano),
            from_nano(r.held_nano),
        )
        for r in rows
    )


def reprice(
    tx: Tx,
    prices: Prices,
    *,
    vendor: str,
    model: str,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Repriced:
    """What a period's calls would have cost with `vendor`'s `model`, at its prices of the same
    moments.

    The tokens are taken as they were counted: another model's tokenizer would count somewhat
    otherwise.
    """
    query = _rows().where(*_during, _a.kind == "completion", _a.state == "settled")
    actual = other = Decimal(0)
    compared = skipped = 0
    for row in tx.conn.execute(query, _bounds(since, until)).mappings():
        priced = None
        if row["usage"] is not None and not row["unpriced"]:
            usage = Usage.model_validate_json(row["usage"]).model_copy(update={"cost_usd": None})
            at = datetime.fromtimestamp(row["created"], UTC)
            priced = prices.charge(usage, vendor=vendor, model=model, at=at)
        if priced is None:
            skipped += 1
        else:
            compared, actual, other = (
                compared + 1,
                actual + from_nano(int(row["nano"])),
                other + priced.usd,
            )
    return Repriced(compared, actual, other, skipped)
