"""Prices, charges, budgets and the ledger."""

from typing import TYPE_CHECKING

from turngraph.state.front_door import front_door

if TYPE_CHECKING:
    from turngraph.billing.budgets import Budget
    from turngraph.billing.errors import BudgetExceededError, TurnConflictError
    from turngraph.billing.ledger import Ledger
    from turngraph.billing.overrides import PriceOverride, ToolPrice
    from turngraph.billing.prices import Prices

__all__ = ["Budget", "BudgetExceededError", "Ledger", "PriceOverride", "Prices", "ToolPrice", "TurnConflictError"]

__getattr__, __dir__ = front_door(
    __name__,
    {
        "Budget": "budgets",
        "BudgetExceededError": "errors",
        "Ledger": "ledger",
        "PriceOverride": "overrides",
        "Prices": "prices",
        "ToolPrice": "overrides",
        "TurnConflictError": "errors",
    },
)
