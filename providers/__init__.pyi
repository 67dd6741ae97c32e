from .capabilities import (
    ProviderCapabilities as ProviderCapabilities,
)
from .chunk_stream import (
    ChunkStream as ChunkStream,
)
from .config import (
    ProviderConfig as ProviderConfig,
)
from .langchain.chat_model import (
    TurngraphChatModel as TurngraphChatModel,
)
from .openai_provider import (
    OpenAIProvider as OpenAIProvider,
)
from .session_memory import (
    UsageStats as UsageStats,
)
from .shared_types import (
    ProviderError as ProviderError,
    ResponsesAPIError as ResponsesAPIError,
    StreamChunk as StreamChunk,
)
from .timeouts import Timeouts as Timeouts
from .vendors.api_selection import (
    explain_api as explain_api,
    select_api as select_api,
)
from .vendors.profiles import (
    VENDORS as VENDORS,
    VendorProfile as VendorProfile,
    register_vendor as register_vendor,
)
from .writing.chat_converter import (
    OpenAIChatConverter as OpenAIChatConverter,
)
from .writing.payload import (
    Payload as Payload,
    build_payload as build_payload,
)
from .writing.responses_converter import (
    OpenAIResponsesConverter as OpenAIResponsesConverter,
)

__all__ = [
    "VENDORS",
    "ChunkStream",
    "OpenAIChatConverter",
    "OpenAIProvider",
    "OpenAIResponsesConverter",
    "Payload",
    "ProviderCapabilities",
    "ProviderConfig",
    "ProviderError",
    "ResponsesAPIError",
    "StreamChunk",
    "Timeouts",
    "TurngraphChatModel",
    "UsageStats",
    "VendorProfile",
    "build_payload",
    "explain_api",
    "register_vendor",
    "select_api",
]
