from .budget import (
    Budget as Budget,
)
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
from .errors import (
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
    BudgetState as BudgetState,
)
from .operations.results import (
    Repriced as Repriced,
)
from .operations.results import (
    Spent as Spent,
)
from .operations.results import (
    Swept as Swept,
)
from .operations.results import (
    TurnBill as TurnBill,
)
from .operations.sweeper import (
    Outstanding as Outstanding,
)
from .operations.sweeper import (
    ProviderRecord as ProviderRecord,
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
from .pricing.price_key import (
    PriceKey as PriceKey,
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
from .store.calls import (
    CostAttribution as CostAttribution,
)
from .store.calls import (
    Settled as Settled,
)
from .store.calls import (
    ThresholdCrossed as ThresholdCrossed,
)

__all__ = [
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
