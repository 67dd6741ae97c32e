"""Prices, charges, budgets and the ledger.

What reads and changes a ledger is an operation, run in a transaction of its own: `ledger.read(top, "model")`,
`ledger.do(set_budget, Budget(usd=20, per="account", period="month"))`.
"""

from typing import TYPE_CHECKING

from turngraph.state.front_door import front_door

if TYPE_CHECKING:
    from turngraph.billing.budgets import Budget, list_budgets, remove_budget, set_budget
    from turngraph.billing.callback import LedgerCallback
    from turngraph.billing.calls import Payer
    from turngraph.billing.deciding import decide
    from turngraph.billing.errors import (
        BudgetExceededError,
        FencedError,
        LedgerError,
        LedgerUnavailableError,
        TurnConflictError,
    )
    from turngraph.billing.exporting import export
    from turngraph.billing.forgetting import forget_answers
    from turngraph.billing.langchain_calls import Metered
    from turngraph.billing.ledger import Ledger
    from turngraph.billing.middleware import LedgerMiddleware
    from turngraph.billing.overrides import PriceFile, PriceOverride, ToolPrice, load_prices
    from turngraph.billing.places import open_existing
    from turngraph.billing.prices import Prices
    from turngraph.billing.rates import Rate, Rates, Tier
    from turngraph.billing.reports import budget_states, reprice, show, top, total
    from turngraph.billing.sweeper import Swept, sweep
    from turngraph.billing.verifying import verify

__all__ = [
    "Budget",
    "BudgetExceededError",
    "FencedError",
    "Ledger",
    "LedgerCallback",
    "LedgerError",
    "LedgerMiddleware",
    "LedgerUnavailableError",
    "Metered",
    "Payer",
    "PriceFile",
    "PriceOverride",
    "Prices",
    "Rate",
    "Rates",
    "Swept",
    "Tier",
    "ToolPrice",
    "TurnConflictError",
    "budget_states",
    "decide",
    "export",
    "forget_answers",
    "list_budgets",
    "load_prices",
    "open_existing",
    "remove_budget",
    "reprice",
    "set_budget",
    "show",
    "sweep",
    "top",
    "total",
    "verify",
]

__getattr__, __dir__ = front_door(
    __name__,
    {
        "Budget": "budgets",
        "BudgetExceededError": "errors",
        "FencedError": "errors",
        "Ledger": "ledger",
        "LedgerCallback": "callback",
        "LedgerError": "errors",
        "LedgerMiddleware": "middleware",
        "LedgerUnavailableError": "errors",
        "Metered": "langchain_calls",
        "Payer": "calls",
        "PriceFile": "overrides",
        "PriceOverride": "overrides",
        "Prices": "prices",
        "Rate": "rates",
        "Rates": "rates",
        "Swept": "sweeper",
        "Tier": "rates",
        "ToolPrice": "overrides",
        "TurnConflictError": "errors",
        "budget_states": "reports",
        "decide": "deciding",
        "export": "exporting",
        "forget_answers": "forgetting",
        "list_budgets": "budgets",
        "load_prices": "overrides",
        "open_existing": "places",
        "remove_budget": "budgets",
        "reprice": "reports",
        "set_budget": "budgets",
        "show": "reports",
        "sweep": "sweeper",
        "top": "reports",
        "total": "reports",
        "verify": "verifying",
    },
)
