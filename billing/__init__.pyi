from .budget import (
    Budget as Budget,
)
from .errors import (
    BudgetExceededError as BudgetExceededError,
    FencedError as FencedError,
    LedgerError as LedgerError,
    LedgerUnavailableError as LedgerUnavailableError,
    TurnConflictError as TurnConflictError,
    UncappedError as UncappedError,
)
from .langchain.callback import (
    LedgerCallback as LedgerCallback,
)
from .langchain.metering import (
    MeteringConfig as MeteringConfig,
)
from .langchain.middleware import (
    LedgerMiddleware as LedgerMiddleware,
)
from .ledger import (
    Ledger as Ledger,
)
from .operations.results import (
    AttemptRow as AttemptRow,
    BudgetState as BudgetState,
    Repriced as Repriced,
    Spent as Spent,
    Swept as Swept,
    TurnBill as TurnBill,
)
from .operations.sweeper import (
    Outstanding as Outstanding,
    ProviderRecord as ProviderRecord,
)
from .pricing.overrides import (
    PriceFile as PriceFile,
    PriceOverride as PriceOverride,
    ToolPrice as ToolPrice,
    load_prices as load_prices,
)
from .pricing.price_key import (
    PriceKey as PriceKey,
)
from .pricing.prices import (
    Prices as Prices,
)
from .pricing.rates import (
    Rate as Rate,
    Rates as Rates,
    Tier as Tier,
)
from .store.calls import (
    CostAttribution as CostAttribution,
    Settled as Settled,
    ThresholdCrossed as ThresholdCrossed,
)

__all__ = [
    "AttemptRow",
    "Budget",
    "BudgetExceededError",
    "BudgetState",
    "CostAttribution",
    "FencedError",
    "Ledger",
    "LedgerCallback",
    "LedgerError",
    "LedgerMiddleware",
    "LedgerUnavailableError",
    "MeteringConfig",
    "Outstanding",
    "PriceFile",
    "PriceKey",
    "PriceOverride",
    "Prices",
    "ProviderRecord",
    "Rate",
    "Rates",
    "Repriced",
    "Settled",
    "Spent",
    "Swept",
    "ThresholdCrossed",
    "Tier",
    "ToolPrice",
    "TurnBill",
    "TurnConflictError",
    "UncappedError",
    "load_prices",
]
