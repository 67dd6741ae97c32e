"""Sums what was spent, by any dimension, and what it would have cost elsewhere. Amounts are net."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import case, desc, func, select, true
from sqlalchemy.sql import ColumnElement

from turngraph.billing.argument_kinds import check_ledger_arguments
from turngraph.billing.errors import LedgerError
from turngraph.billing.operations.attempt_rows import DURING, NET_NANO, bounds
from turngraph.billing.operations.results import Dimension, Repriced, Spent
from turngraph.billing.pricing.money import from_nano
from turngraph.billing.pricing.price_key import PriceKey
from turngraph.billing.pricing.prices import Prices
from turngraph.billing.store.json_columns import TEXTS
from turngraph.billing.store.schema import attempt_t
from turngraph.billing.store.transaction import LedgerTransaction
from turngraph.state.usage import Usage

__all__ = ["COLUMNS", "reprice", "spending", "total"]

_a = attempt_t.c

COLUMNS: Final[Mapping[Dimension, ColumnElement[Any]]] = {
    "account": _a.account,
    "api_key_id": _a.api_key_id,
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
"""The column of each dimension."""

_CALENDAR: Final = ("day", "month")
"""Dimensions that are listed by date: a calendar sorted by amount cannot be read."""


def spending(
    tx: LedgerTransaction,
    by: Dimension,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    account: str | None = None,
    limit: int = 20,
) -> tuple[Spent, ...]:
    """Returns what the accounts (models, threads, …) spent, the highest amounts first; with
    `account`, what that one spent.

    Days and months come in their order, the latest `limit` of them. An attempt with several tags
    counts for each of them. Only attempts that were begun from `since` to before `until` count.
    Raises `LedgerError` for an unknown dimension.
    """
    check_ledger_arguments(by=by, account=account, limit=limit)
    if by not in COLUMNS:
        raise LedgerError(f"No report by `{by}`. Allowed: {', '.join(COLUMNS)}.")
    query = (
        select(
            func.coalesce(COLUMNS[by], "").label("value"),
            func.sum(NET_NANO).label("nano"),
            func.count().label("attempts"),
            func.sum(case((_a.estimated, NET_NANO), else_=0)).label("estimated"),
            func.sum(case((_a.unpriced, 1), else_=0)).label("unpriced"),
        )
        # A released attempt cost nothing; open ones count, with zero so far.
        .where(*DURING, _a.state != "released")
        .where(true() if account is None else _a.account == account)
        .group_by("value")
    )
    if by == "tag":
        return _by_tag(tx.rows(query, bounds(since, until)), limit)
    ordered = (
        query.order_by(desc("value")) if by in _CALENDAR else query.order_by(desc("nano"), "value")
    )
    rows = tx.rows(ordered.limit(limit), bounds(since, until))
    lines = [_spent(row[0], *map(int, row[1:])) for row in rows]
    return tuple(reversed(lines) if by in _CALENDAR else lines)


def _by_tag(rows: Iterable[Any], limit: int) -> tuple[Spent, ...]:
    # Each row is one set of tags, as JSON; the databases have no common way to split it.
    sums: dict[str, list[int]] = {}
    for row in rows:
        for tag in TEXTS.validate_json(row[0]) or [""]:
            so_far = sums.setdefault(tag, [0] * 4)
            sums[tag] = [have + int(number) for have, number in zip(so_far, row[1:], strict=True)]
    lines = (_spent(tag, *numbers) for tag, numbers in sums.items())
    return tuple(sorted(lines, key=lambda line: (-line.usd, line.value))[:limit])


def _spent(value: str, nano: int, attempts: int, estimated: int, unpriced: int) -> Spent:
    return Spent(value, from_nano(nano), attempts, from_nano(estimated), unpriced)


def total(
    tx: LedgerTransaction,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    account: str | None = None,
) -> Spent:
    """Returns everything that was spent in a period, by everyone or by one account, as one line.
    Its `value` is empty.
    """
    lines = spending(tx, "kind", since=since, until=until, account=account)
    return Spent(
        "",
        sum((line.usd for line in lines), start=Decimal(0)),
        sum(line.attempts for line in lines),
        sum((line.estimated_usd for line in lines), start=Decimal(0)),
        sum(line.unpriced for line in lines),
    )


def reprice(
    tx: LedgerTransaction,
    prices: Prices,
    *,
    vendor: str,
    model: str,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Repriced:
    """Returns what a period's calls cost, and what `vendor`'s `model` would have cost at the same
    times.

    The tokens are taken as they were counted; another model's tokenizer would count differently.
    """
    check_ledger_arguments(prices=prices, vendor=vendor, model=model)
    columns = (_a.usage, _a.unpriced, _a.created, NET_NANO.label("nano"))
    query = select(*columns).where(*DURING, _a.kind == "completion", _a.state == "settled")
    actual = other = Decimal(0)
    compared = skipped = 0
    for row in (each._mapping for each in tx.rows(query, bounds(since, until))):
        priced = None
        if row["usage"] is not None and not row["unpriced"]:
            # Without the old vendor's own amount, which would win over the other model's rates.
            usage = Usage.model_validate_json(row["usage"]).model_copy(update={"cost_usd": None})
            at = datetime.fromtimestamp(row["created"], UTC)
            priced = prices.charge(usage, PriceKey(vendor, model, at=at))
        if priced is None:
            skipped += 1
        else:
            compared += 1
            actual, other = actual + from_nano(int(row["nano"])), other + priced.usd
    return Repriced(compared, actual, other, skipped)
