"""Budgets in the ledger: stored, and enforced where money is held.

Checking a limit and holding the money is one SQL statement, so that no other worker comes between.
"""

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    true,
    update,
)

from turngraph.billing.argument_kinds import check_ledger_arguments
from turngraph.billing.budget import Budget, Window
from turngraph.billing.pricing.money import from_nano, to_nano
from turngraph.billing.store.calls import Call, ThresholdCrossed
from turngraph.billing.store.json_columns import SHARES
from turngraph.billing.store.prepared import DamagedValueError, execute
from turngraph.billing.store.schema import budget_t, hold_t, window_t
from turngraph.billing.store.transaction import INSERT, LedgerTransaction
from turngraph.state.errors import BudgetExceededError

__all__ = [
    "close_windows",
    "hold_nano_for",
    "hold_windows",
    "list_budgets",
    "remove_budget",
    "set_budget",
    "windows_for",
]

_w = window_t.c
_this = (_w.budget_id == bindparam("b_budget"), _w.window == bindparam("b_window"))
_INSERT: Final = hold_t.insert()
_STORED: Final = select(budget_t.c.definition).order_by(budget_t.c.name)
_SPENT: Final = select(_w.settled_nano, _w.held_nano).where(*_this)
_OF_ATTEMPT: Final = (
    select(hold_t.c.budget_id, hold_t.c.window)
    .where(hold_t.c.attempt_id == bindparam("b_attempt"))
    .order_by(hold_t.c.budget_id, hold_t.c.window)
)


@cache
def _close_statement(dialect: str) -> Any:
    """Returns the update that moves an attempt's hold to what is settled in a window."""
    changed = {
        "held_nano": _w.held_nano - bindparam("b_held"),
        "settled_nano": _w.settled_nano + bindparam("b_charged"),
    }
    update_ = update(window_t).where(*_this, _has_amounts(dialect)).values(changed)
    return update_.returning(_w.settled_nano, _w.limit_nano, _w.warn_at)


def _has_amounts(dialect: str) -> ColumnElement[bool]:
    """Returns the condition that a window's amounts are numbers. SQLite keeps anything in their
    columns, and counts a text as zero where it adds: a budget would be spent twice.
    """
    if dialect != "sqlite":
        return true()
    columns = (_w.settled_nano, _w.held_nano)
    return and_(*(func.typeof(column) == literal_column("'integer'") for column in columns))


@cache
def _hold_statement(dialect: str, *, hard: bool) -> Any:
    """Returns the upsert that holds money in a window, and for a hard budget only if it fits."""
    held = _w.held_nano + bindparam("b_nano")
    fits = _w.settled_nano + held <= bindparam("b_allowed") if hard else true()
    row = INSERT[dialect](window_t)
    changed = {
        "held_nano": held,
        "limit_nano": row.excluded.limit_nano,
        "warn_at": row.excluded.warn_at,
    }
    upsert = row.on_conflict_do_update(
        index_elements=["budget_id", "window"],
        set_=changed,
        where=and_(fits, _has_amounts(dialect)),
    )
    return upsert.returning(_w.held_nano)


def set_budget(tx: LedgerTransaction, budget: Budget) -> None:
    """Stores a budget, or replaces the one with the same id. It applies to every call from now on,
    whoever makes it.
    """
    check_ledger_arguments(budget=budget)
    values = {"name": budget.id, "definition": budget.model_dump_json()}
    statement = INSERT[tx.conn.dialect.name](budget_t)
    changed = {"definition": statement.excluded.definition}
    tx.conn.execute(statement.on_conflict_do_update(index_elements=["name"], set_=changed), values)


def remove_budget(tx: LedgerTransaction, name: str) -> bool:
    """Removes a stored budget. Returns whether there was one. What it counted stays for reports."""
    check_ledger_arguments(budget_id=name)
    return tx.conn.execute(budget_t.delete().where(budget_t.c.name == name)).rowcount == 1


def list_budgets(tx: LedgerTransaction) -> tuple[Budget, ...]:
    """Returns the stored budgets, by name."""
    return tuple(Budget.model_validate_json(row) for (row,) in tx.execute(_STORED).all())


def windows_for(
    tx: LedgerTransaction,
    call: Call,
    budgets: Iterable[Budget],
    now: float,
    *,
    stored: bool = True,
) -> list[Window]:
    """Returns every window that `call` counts in: of stored budgets, the ledger's, and `budgets`.

    Of two budgets with one id the stricter counts, so that no turn can widen a stored budget.
    `stored` is False where the ledger is known to have no stored budgets.
    """
    windows: dict[tuple[str, str], Window] = {}
    for budget in (*(list_budgets(tx) if stored else ()), *tx.budgets, *budgets):
        for window in budget.windows(call, now):
            key = window.budget_id, window.window
            windows[key] = _stricter(windows[key], window) if key in windows else window
    # All workers lock the windows in this order, so that no two wait for each other.
    return [windows[key] for key in sorted(windows)]


def _stricter(one: Window, other: Window) -> Window:
    """Returns the hard or else the lower one, which refuses unpriced calls if either does."""
    strict = min(one, other, key=lambda window: (not window.budget.hard, window.budget.usd))
    refuses = any(
        window.budget.hard and window.budget.unpriced == "refuse" for window in (one, other)
    )
    if not refuses:
        return strict
    return strict._replace(budget=strict.budget.model_copy(update={"unpriced": "refuse"}))


def hold_nano_for(usd: Decimal | None, windows: Sequence[Window], conn: Connection) -> int:
    """Returns the nano-dollars to hold for a call that may cost `usd`; `None` is an unknown price.

    For an unknown price that is the highest amount any budget sets for such calls. Raises
    `BudgetExceededError` where a hard budget refuses them.
    """
    if usd is not None:
        return to_nano(usd)
    # Soft budgets never refuse, so only their amount counts.
    ceiling = Decimal(0)
    for window in windows:
        policy = window.budget.unpriced
        if isinstance(policy, Decimal):
            ceiling = max(ceiling, policy)
        elif policy == "refuse" and window.budget.hard:
            raise _exceeded(conn, window, None)
    return to_nano(ceiling)


def hold_windows(
    tx: LedgerTransaction,
    attempt_id: str,
    nano: int,
    windows: Sequence[Window],
    *,
    closing: bool = False,
) -> None:
    """Holds `nano` in every window. Raises `BudgetExceededError` naming the first without room."""
    for window in windows:
        if not _hold(tx.conn, window, nano, closing=closing):
            raise _exceeded(tx.conn, window, nano)
    for window in windows:
        # One by one: many rows at once make psycopg send a pipeline, in which PostgreSQL does not
        # disconnect a frozen client, and everybody who needs the same window waits for it.
        row = {"attempt_id": attempt_id, "budget_id": window.budget_id, "window": window.window}
        tx.execute(_INSERT, row)


def _hold(conn: Connection, window: Window, nano: int, *, closing: bool) -> bool:
    budget = window.budget
    limit = to_nano(budget.usd)
    allowed = limit - (0 if closing else to_nano(budget.last_answer_usd))
    # The upsert compares only where the window has a row already; this covers a new one.
    if budget.hard and nano > allowed:
        return False
    row = {
        "budget_id": window.budget_id,
        "window": window.window,
        "settled_nano": 0,
        "held_nano": nano,
        "limit_nano": limit,
        "warn_at": json.dumps(budget.warn_at),
        "b_nano": nano,
        **({"b_allowed": allowed} if budget.hard else {}),
    }
    statement = _hold_statement(conn.dialect.name, hard=budget.hard)
    return execute(conn, statement, row).first() is not None


def _exceeded(conn: Connection, window: Window, nano: int | None) -> BudgetExceededError:
    which = {"b_budget": window.budget_id, "b_window": window.window}
    row = execute(conn, _SPENT, which).first()
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
        of_one_turn=window.budget.per == "turn",
    )


def close_windows(
    conn: Connection, attempt_id: str, *, held: int, charged: int
) -> tuple[ThresholdCrossed, ...]:
    """Releases `held` and adds `charged` nano-dollars in every window of an attempt.

    Returns the warning thresholds that this crossed. `charged` is negative for a refund.
    """
    crossed: list[ThresholdCrossed] = []
    # `hold` is kept after an attempt is closed, so that a later correction finds its windows.
    for budget_id, window in execute(conn, _OF_ATTEMPT, {"b_attempt": attempt_id}).all():
        which = {"b_budget": budget_id, "b_window": window, "b_held": held, "b_charged": charged}
        row = execute(conn, _close_statement(conn.dialect.name), which).first()
        if row is None:
            execute(conn, _SPENT, which)  # which says what is wrong with it
            raise DamagedValueError(f"the window {window} of the budget {budget_id} is missing")
        after, limit, warn_at = row
        crossed.extend(
            ThresholdCrossed(budget_id, window, share, from_nano(after), from_nano(limit))
            for share in SHARES.validate_json(warn_at)
            if after - charged < share * limit <= after
        )
    return tuple(crossed)
