from .errors import (
    BudgetExceededError as BudgetExceededError,
)
from .errors import (
    FencedError as FencedError,
)
from .errors import (
    LedgerError as LedgerError,
)
from .errors import (
    LedgerUnavailableError as LedgerUnavailableError,
)
from .errors import (
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
)
from .operations.reports import (
    reprice as reprice,
)
from .operations.reports import (
    show as show,
)
from .operations.reports import (
    top as top,
)
from .operations.reports import (
    total as total,
)
from .operations.retention import (
    forget_answers as forget_answers,
)
from .operations.sweeper import (
    Swept as Swept,
)
from .operations.sweeper import (
    sweep as sweep,
)
from .operations.verification import (
    verify as verify,
)
from .pricing.overrides import (
    PriceFile as PriceFile,
)
from .pricing.overrides import (
    PriceOverride as PriceOverride,
)
from .pricing.overrides import (
    ToolPrice as ToolPrice,
)
from .pricing.overrides import (
    load_prices as load_prices,
)
from .pricing.prices import (
    Prices as Prices,
)
from .pricing.rates import (
    Rate as Rate,
)
from .pricing.rates import (
    Rates as Rates,
)
from .pricing.rates import (
    Tier as Tier,
)
from .store.budgets import (
    Budget as Budget,
)
from .store.budgets import (
    list_budgets as list_budgets,
)
from .store.budgets import (
    remove_budget as remove_budget,
)
from .store.budgets import (
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
