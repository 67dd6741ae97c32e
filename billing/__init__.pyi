from .errors import (
    BudgetExceededError as BudgetExceededError,
    FencedError as FencedError,
    LedgerError as LedgerError,
    LedgerUnavailableError as LedgerUnavailableError,
    TurnConflictError as TurnConflictError,
)
from .langchain.callback import (
    LedgerCallback as LedgerCallback,
)
from .langchain.metering import (
    Metered as Metered,
)
from .langchain.middleware import (
    LedgerMiddleware as LedgerMiddleware,
)
from .ledger import (
    Ledger as Ledger,
)
from .operations.corrections import (
    decide as decide,
)
from .operations.existing import (
    open_existing as open_existing,
)
from .operations.export import (
    export as export,
)
from .operations.reports import (
    budget_states as budget_states,
    reprice as reprice,
    show as show,
    top as top,
    total as total,
)
from .operations.retention import (
    forget_answers as forget_answers,
)
from .operations.sweeper import (
    Swept as Swept,
    sweep as sweep,
)
from .operations.verification import (
    verify as verify,
)
from .pricing.overrides import (
    PriceFile as PriceFile,
    PriceOverride as PriceOverride,
    ToolPrice as ToolPrice,
    load_prices as load_prices,
)
from .pricing.prices import (
    Prices as Prices,
)
from .pricing.rates import (
    Rate as Rate,
    Rates as Rates,
    Tier as Tier,
)
from .store.budgets import (
    Budget as Budget,
    list_budgets as list_budgets,
    remove_budget as remove_budget,
    set_budget as set_budget,
)
from .store.calls import (
    CostAttribution as CostAttribution,
)

__all__ = [
    "Budget",
    "BudgetExceededError",
    "CostAttribution",
    "FencedError",
    "Ledger",
    "LedgerCallback",
    "LedgerError",
    "LedgerMiddleware",
    "LedgerUnavailableError",
    "Metered",
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
