"""What budgets have spent and hold at present."""

from datetime import UTC, datetime

from sqlalchemy import func, select

from turngraph.billing.argument_kinds import check_ledger_arguments
from turngraph.billing.budget import Budget
from turngraph.billing.operations.results import BudgetState
from turngraph.billing.pricing.money import from_nano
from turngraph.billing.store.budgets import list_budgets
from turngraph.billing.store.schema import window_t
from turngraph.billing.store.transaction import LedgerTransaction

__all__ = ["budget_states"]


def budget_states(
    tx: LedgerTransaction, *, account: str | None = None, limit: int = 1000
) -> tuple[BudgetState, ...]:
    """Returns the budgets in their current windows, the fullest first, at most `limit`.

    Budgets that a program passes with its calls are included: they are not stored, but what they
    count is. With `account`, only the stored budgets per account are, as far as they are that
    account's: of any other budget nobody can tell who may know of it.
    """
    check_ledger_arguments(account=account, limit=limit)
    w, day = window_t.c, datetime.fromtimestamp(tx.now, UTC).date().isoformat()
    # A limit of zero has no share: NULL, which sorts as the fullest.
    share = (w.settled_nano + w.held_nano) * 1.0 / func.nullif(w.limit_nano, 0)
    current = select(window_t).where(w.window.in_(("always", day, day[:7])))
    if account is not None:
        current = current.where(w.budget_id.in_(_ids_of(tx, account)))
    order = (share.desc().nulls_first(), w.budget_id, w.window)
    return tuple(
        BudgetState(
            *Budget.name_and_value(row.budget_id),
            row.window,
            from_nano(row.limit_nano),
            from_nano(row.settled_nano),
            from_nano(row.held_nano),
        )
        for row in tx.rows(current.order_by(*order).limit(limit))
    )


def _ids_of(tx: LedgerTransaction, account: str) -> list[str]:
    stored = [each for each in list_budgets(tx) if each.per == "account"]
    return [each.window_id(account) for each in stored if each.of in (None, account)]
