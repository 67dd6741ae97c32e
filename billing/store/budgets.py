"""Budgets: how much, for whom, for how long, and what happens at the limit. Checked and held in one
statement.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import Field
from sqlalchemy import Connection, bindparam, select, update

from turngraph.billing.pricing.money import from_nano, to_nano
from turngraph.billing.store.calls import Call, ThresholdCrossed
from turngraph.billing.store.schema import budget_t, hold_t, window_t
from turngraph.billing.store.transaction import INSERT, Tx
from turngraph.state.base import Frozen
from turngraph.state.errors import BudgetExceededError

__all__ = [
    "Budget",
    "close_windows",
    "hold_nano_for",
    "hold_windows",
    "list_budgets",
    "remove_budget",
    "set_budget",
    "windows_for",
]


_PERIODS: Final = ("always", "day", "month")


class Budget(Frozen):
    """A limit on spending, in USD.

    `per` says what has the limit each: every turn, thread, account, API key, tag, or the whole
    ledger; `of` narrows it to one of them. A hard budget refuses a call before anything is sent; a
    soft one only tells. Days and months are those of UTC.

        >>> Budget(usd=Decimal(20), per="account", period="month").id
        'account-month'
        >>> Budget(usd=Decimal(100), per="account", of="acme", period="month", hard=False).id
        'account-month-acme'
    """

    usd: Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
    per: Literal["turn", "thread", "account", "key", "tag", "ledger"] = "turn"
    of: str | None = None
    period: Literal["always", "day", "month"] = "always"
    hard: bool = True
    name: str | None = None
    warn_at: tuple[Annotated[float, Field(gt=0)], ...] = (0.8, 1.0)
    """Shares of the limit at which spending is told."""
    last_answer_usd: Annotated[Decimal, Field(ge=0)] = Decimal(0)
    """Kept back for one closing call without tools, so that a turn can end with an answer."""
    unpriced: Literal["refuse", "mark"] | Decimal = "refuse"
    """A call without a known price: refused, made and marked, or held and charged at this many USD.
    """

    @property
    def id(self) -> str:
        """The name, or what it is for."""
        if self.name:
            return self.name
        # «always» goes without saying, unless what follows could be read as a period.
        period = (
            ""
            if self.period == "always" and not (self.of or "").startswith(_PERIODS)
            else self.period
        )
        return "-".join(part for part in (self.per, period, self.of) if part)

    def windows(self, call: Call, now: float) -> Iterator["Window"]:
        """The windows of this budget that `call` falls into."""
        day = datetime.fromtimestamp(now, UTC).date().isoformat()
        window = {"always": "always", "day": day, "month": day[:7]}[self.period]
        for value in call.attribution.values(self.per):
            if self.of is None or self.of == value:
                yield Window(f"{self.id}:{value}", window, self)


class Window(NamedTuple):
    """One budget of one account (thread, turn, …) in one period."""

    budget_id: str
    window: str
    budget: Budget


_w = window_t.c
_this = (_w.budget_id == bindparam("b_budget"), _w.window == bindparam("b_window"))
_INSERT: Final = hold_t.insert()
_KEPT: Final = select(budget_t.c.definition).order_by(budget_t.c.name)
_SPENT: Final = select(_w.settled_nano, _w.held_nano).where(*_this)
_OF_ATTEMPT: Final = (
    select(hold_t.c.budget_id, hold_t.c.window)
    .where(hold_t.c.attempt_id == bindparam("b_attempt"))
    .order_by(hold_t.c.budget_id, hold_t.c.window)
)
_CLOSE: Final = (
    update(window_t)
    .where(*_this)
    .values(
        held_nano=_w.held_nano - bindparam("b_held"),
        settled_nano=_w.settled_nano + bindparam("b_charged"),
    )
    .returning(_w.settled_nano, _w.limit_nano, _w.warn_at)
)


@cache
def _hold_statement(dialect: str, *, hard: bool) -> Any:
    """Check and hold in one statement: between two there would be room for everybody else."""
    held = _w.held_nano + bindparam("b_nano")
    fits = _w.settled_nano + held <= bindparam("b_allowed") if hard else None
    row = INSERT[dialect](window_t)
    changed = {
        "held_nano": held,
        "limit_nano": row.excluded.limit_nano,
        "warn_at": row.excluded.warn_at,
    }
    upsert = row.on_conflict_do_update(
        index_elements=["budget_id", "window"], set_=changed, where=fits
    )
    return upsert.returning(_w.held_nano)


def set_budget(tx: Tx, budget: Budget) -> None:
    """Keep a budget in the ledger: it holds for every call from now on, whoever makes it."""
    values = {"name": budget.id, "definition": budget.model_dump_json()}
    statement = INSERT[tx.conn.dialect.name](budget_t)
    changed = {"definition": statement.excluded.definition}
    tx.conn.execute(statement.on_conflict_do_update(index_elements=["name"], set_=changed), values)


def remove_budget(tx: Tx, name: str) -> bool:
    """Forget a kept budget. Returns whether there was one; what it has seen stays for reports."""
    return tx.conn.execute(budget_t.delete().where(budget_t.c.name == name)).rowcount == 1


def list_budgets(tx: Tx) -> tuple[Budget, ...]:
    """The budgets kept in the ledger."""
    return tuple(Budget.model_validate_json(row) for row in tx.conn.execute(_KEPT).scalars())


def windows_for(tx: Tx, call: Call, budgets: Iterable[Budget], now: float) -> list[Window]:
    """Every window `call` falls into, in one order for all workers, so that no two wait for each
    other.

    Of two budgets with one name the stricter counts: no turn can widen a budget that the ledger
    keeps.
    """
    found: dict[tuple[str, str], Window] = {}
    for budget in (*list_budgets(tx), *tx.budgets, *budgets):
        for window in budget.windows(call, now):
            key = window.budget_id, window.window
            found[key] = _stricter(found[key], window) if key in found else window
    return [found[key] for key in sorted(found)]


def _stricter(one: Window, other: Window) -> Window:
    kept = min(one, other, key=lambda window: (not window.budget.hard, window.budget.usd))
    refuses = any(
        window.budget.hard and window.budget.unpriced == "refuse" for window in (one, other)
    )
    return (
        kept._replace(budget=kept.budget.model_copy(update={"unpriced": "refuse"}))
        if refuses
        else kept
    )


def hold_nano_for(usd: Decimal | None, windows: Sequence[Window], conn: Connection) -> int:
    """What to hold for a call that may cost `usd`. Raises `BudgetExceededError` for an unknown
    price it refuses.
    """
    if usd is not None:
        return to_nano(usd)
    ceiling = Decimal(0)
    for window in windows:
        policy = window.budget.unpriced
        if isinstance(policy, Decimal):
            ceiling = max(ceiling, policy)
        elif policy == "refuse" and window.budget.hard:
            raise _refused(conn, window, None)
    return to_nano(ceiling)


def hold_windows(
    tx: Tx, attempt_id: str, nano: int, windows: Sequence[Window], *, closing: bool = False
) -> None:
    """Hold `nano` in every window, or raise `BudgetExceededError` naming the first that has not so
    much.
    """
    for window in windows:
        if not _hold(tx.conn, window, nano, closing=closing):
            raise _refused(tx.conn, window, nano)
    for window in windows:
        # One by one: many rows at once make psycopg send a pipeline, in which PostgreSQL does not
        # disconnect a frozen client, and everybody who needs the same window waits for it.
        row = {"attempt_id": attempt_id, "budget_id": window.budget_id, "window": window.window}
        tx.conn.execute(_INSERT, row)


def _hold(conn: Connection, window: Window, nano: int, *, closing: bool) -> bool:
    budget = window.budget
    limit = to_nano(budget.usd)
    allowed = limit - (0 if closing else to_nano(budget.last_answer_usd))
    if budget.hard and nano > allowed:
        return False
    row = {
        "budget_id": window.budget_id,
        "window": window.window,
        "settled_nano": 0,
        "held_nano": nano,
    }
    kept = {"limit_nano": limit, "warn_at": json.dumps(budget.warn_at)}
    check = {"b_nano": nano, **({"b_allowed": allowed} if budget.hard else {})}
    statement = _hold_statement(conn.dialect.name, hard=budget.hard)
    return conn.execute(statement, {**row, **kept, **check}).first() is not None


def _refused(conn: Connection, window: Window, nano: int | None) -> BudgetExceededError:
    row = conn.execute(_SPENT, {"b_budget": window.budget_id, "b_window": window.window}).first()
    settled, held = (0, 0) if row is None else (row.settled_nano, row.held_nano)
    limit = to_nano(window.budget.usd)
    return BudgetExceededError(
        window.budget_id,
        window=window.window,
        limit=from_nano(limit),
        spent=from_nano(settled),
        held=from_nano(held),
        needed=None if nano is None else from_nano(nano),
        closing_possible=window.budget.last_answer_usd > 0 and settled + held < limit,
    )


def close_windows(
    conn: Connection, attempt_id: str, *, held: int, charged: int
) -> tuple[ThresholdCrossed, ...]:
    """Let go of `held` and add `charged` in every window of an attempt. Returns the thresholds this
    crossed.
    """
    crossed: list[ThresholdCrossed] = []
    for budget_id, window in conn.execute(_OF_ATTEMPT, {"b_attempt": attempt_id}).all():
        which = {"b_budget": budget_id, "b_window": window, "b_held": held, "b_charged": charged}
        after, limit, warn_at = conn.execute(_CLOSE, which).one()
        crossed.extend(
            ThresholdCrossed(budget_id, window, share, from_nano(after), from_nano(limit))
            for share in json.loads(warn_at)
            if after - charged < share * limit <= after
        )
    return tuple(crossed)
