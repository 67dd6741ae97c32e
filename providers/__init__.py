"""The wire: how a request is built, sent and read; what each vendor does differently; the scripted model."""

from typing import TYPE_CHECKING

from turngraph.state.front_door import front_door

if TYPE_CHECKING:
    from turngraph.providers.capabilities import ProviderCapabilities
    from turngraph.providers.chat_model import TurngraphChatModel
    from turngraph.providers.chunk_stream import ChunkStream
    from turngraph.providers.config import ProviderConfig, Timeouts
    from turngraph.providers.openai_provider import OpenAIProvider
    from turngraph.providers.session_memory import UsageStats
    from turngraph.providers.vendors.choosing import explain_api, select_api
    from turngraph.providers.vendors.profiles import VENDORS, VendorProfile
    from turngraph.providers.writing.chat_converter import OpenAIChatConverter
    from turngraph.providers.writing.payload import Payload, build_payload
    from turngraph.providers.writing.responses_converter import OpenAIResponsesConverter

__all__ = [
    "VENDORS",
    "ChunkStream",
    "OpenAIChatConverter",
    "OpenAIProvider",
    "OpenAIResponsesConverter",
    "Payload",
    "ProviderCapabilities",
    "ProviderConfig",
    "Timeouts",
    "TurngraphChatModel",
    "UsageStats",
    "VendorProfile",
    "build_payload",
    "explain_api",
    "select_api",
]

__getattr__, __dir__ = front_door(
    __name__,
    {
        "VENDORS": "vendors.profiles",
        "ChunkStream": "chunk_stream",
        "OpenAIChatConverter": "writing.chat_converter",
        "OpenAIProvider": "openai_provider",
        "OpenAIResponsesConverter": "writing.responses_converter",
        "Payload": "writing.payload",
        "ProviderCapabilities": "capabilities",
        "ProviderConfig": "config",
        "Timeouts": "config",
        "TurngraphChatModel": "chat_model",
        "UsageStats": "session_memory",
        "VendorProfile": "vendors.profiles",
        "build_payload": "writing.payload",
        "explain_api": "vendors.choosing",
        "select_api": "vendors.choosing",
    },
)
