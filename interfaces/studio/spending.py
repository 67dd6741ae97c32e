"""What a ledger's charts show, as JSON: amounts are texts for readers, shares are for bars."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from turngraph.billing.ledger import Ledger
from turngraph.billing.operations.results import BudgetState, Dimension, Spent
from turngraph.interfaces.plain_text import money, printable
from turngraph.state.json_types import JsonObject

__all__ = ["spending_report"]

_CHARTS: Final[tuple[Dimension, ...]] = ("day", "model", "account", "plugin")
_MOST_ROWS: Final = {"day": 31}
_OTHER_ROWS: Final = 12


def spending_report(
    ledger: Ledger, days: int, account: str | None = None, now: datetime | None = None
) -> JsonObject:
    """Returns what was spent in the last `days` days (UTC) by day, model, account and plugin, and
    how full the budgets are; with `account`, all of that account alone.
    """
    now = now or datetime.now(UTC)
    since = (now - timedelta(days=days - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    total = ledger.total(since=since, account=account)
    return {
        "days": days,
        "total": money(total.usd),
        "calls": total.attempts,
        "notes": _notes(total),
        "charts": [
            {
                "by": by,
                "rows": _rows(
                    ledger.spending(
                        by, since=since, account=account, limit=_MOST_ROWS.get(by, _OTHER_ROWS)
                    )
                ),
            }
            for by in _CHARTS
        ],
        "budgets": [_budget(state) for state in ledger.budget_states(account=account, limit=100)],
    }


def _rows(lines: Sequence[Spent]) -> list[JsonObject]:
    most = max((line.usd for line in lines), default=Decimal(0))
    return [
        {
            "name": printable(line.value) or "(none)",
            "amount": money(line.usd),
            "share": float(line.usd / most) if most else 0.0,
            "calls": line.attempts,
            "notes": _notes(line),
        }
        for line in lines
    ]


def _notes(line: Spent) -> str:
    estimated = f"{money(line.estimated_usd)} estimated" if line.estimated_usd else ""
    unpriced = f"{line.unpriced} without a price" if line.unpriced else ""
    return ", ".join(filter(None, (estimated, unpriced)))


def _budget(state: BudgetState) -> JsonObject:
    used = state.spent_usd + state.held_usd
    # A limit of zero is always full; dividing by it is avoided.
    share = float(used / state.limit_usd) if used < state.limit_usd else 1.0
    return {
        "name": printable(state.label),
        "window": state.window,
        "limit": money(state.limit_usd),
        "spent": money(state.spent_usd),
        "held": money(state.held_usd),
        "share": share,
    }
