__version__: str

from .billing.budget import (
    Budget as Budget,
)
from .billing.langchain.callback import (
    LedgerCallback as LedgerCallback,
)
from .billing.langchain.metering import (
    MeteringConfig as MeteringConfig,
)
from .billing.langchain.middleware import (
    LedgerMiddleware as LedgerMiddleware,
)
from .billing.ledger import (
    Ledger as Ledger,
)
from .billing.pricing.overrides import (
    PriceOverride as PriceOverride,
    ToolPrice as ToolPrice,
)
from .billing.pricing.prices import (
    Prices as Prices,
)
from .graphs.attempt_lookup import (
    vendor_lookup as vendor_lookup,
)
from .graphs.builder import (
    build_chat_turn as build_chat_turn,
)
from .graphs.chat import (
    chat_turn as chat_turn,
)
from .graphs.stage_table import (
    CustomStages as CustomStages,
)
from .graphs.turn_builder import (
    TurnBuilder as TurnBuilder,
)
from .graphs.turn_graph import (
    TurnGraph as TurnGraph,
)
from .interfaces.gateway import (
    ahandler as ahandler,
    handler as handler,
)
from .interfaces.stepper.stepper import (
    TurnStepper as TurnStepper,
)
from .interfaces.telemetry.opentelemetry import (
    OpenTelemetry as OpenTelemetry,
)
from .providers.config import (
    ProviderConfig as ProviderConfig,
)
from .providers.langchain.chat_model import (
    TurngraphChatModel as TurngraphChatModel,
)
from .providers.openai_provider import (
    OpenAIProvider as OpenAIProvider,
)
from .providers.writing.openai_messages import (
    openai_messages as openai_messages,
)
from .scripted.server import (
    ScriptedModel as ScriptedModel,
)
from .state.errors import (
    BudgetExceededError as BudgetExceededError,
    ProviderError as ProviderError,
    StoredThreadError as StoredThreadError,
    ToolError as ToolError,
    TurnConfigurationError as TurnConfigurationError,
    TurngraphError as TurngraphError,
    TurnInvocationError as TurnInvocationError,
    TurnPausedError as TurnPausedError,
    TurnValueError as TurnValueError,
)
from .state.events import (
    TurnEvent as TurnEvent,
)
from .state.limits import (
    TurnLimits as TurnLimits,
)
from .state.result import (
    Charge as Charge,
    TurnResult as TurnResult,
)
from .state.stages import (
    StageState as StageState,
    StageUpdate as StageUpdate,
    TurnStage as TurnStage,
    end_turn as end_turn,
)
from .state.turn import (
    TurnSettings as TurnSettings,
)
from .state.turn_error import (
    TurnError as TurnError,
)
from .state.usage import (
    Usage as Usage,
)
from .tools.manifests.loading import (
    load_manifests as load_manifests,
)
from .tools.mcp import (
    McpServers as McpServers,
)
from .tools.retries import (
    Retry as Retry,
)

__all__ = [
    "Budget",
    "BudgetExceededError",
    "Charge",
    "CustomStages",
    "Ledger",
    "LedgerCallback",
    "LedgerMiddleware",
    "McpServers",
    "MeteringConfig",
    "OpenAIProvider",
    "OpenTelemetry",
    "PriceOverride",
    "Prices",
    "ProviderConfig",
    "ProviderError",
    "Retry",
    "ScriptedModel",
    "StageState",
    "StageUpdate",
    "StoredThreadError",
    "ToolError",
    "ToolPrice",
    "TurnBuilder",
    "TurnConfigurationError",
    "TurnError",
    "TurnEvent",
    "TurnGraph",
    "TurnInvocationError",
    "TurnLimits",
    "TurnPausedError",
    "TurnResult",
    "TurnSettings",
    "TurnStage",
    "TurnStepper",
    "TurnValueError",
    "TurngraphChatModel",
    "TurngraphError",
    "Usage",
    "ahandler",
    "build_chat_turn",
    "chat_turn",
    "end_turn",
    "handler",
    "load_manifests",
    "openai_messages",
    "vendor_lookup",
]
