"""The wire: how a request is built, sent and read; what each vendor does differently; the scripted model."""

from typing import TYPE_CHECKING

from turngraph.state.front_door import front_door

if TYPE_CHECKING:
    from turngraph.providers.chat_converter import OpenAIChatConverter
    from turngraph.providers.config import ProviderConfig, Timeouts
    from turngraph.providers.openai_provider import OpenAIProvider
    from turngraph.providers.payload import Payload, build_payload
    from turngraph.providers.profiles import VENDORS, VendorProfile
    from turngraph.providers.responses_converter import OpenAIResponsesConverter
    from turngraph.providers.choosing import explain_api, select_api

__all__ = [
    "VENDORS",
    "OpenAIChatConverter",
    "OpenAIProvider",
    "OpenAIResponsesConverter",
    "Payload",
    "ProviderConfig",
    "Timeouts",
    "VendorProfile",
    "build_payload",
    "explain_api",
    "select_api",
]

__getattr__, __dir__ = front_door(
    __name__,
    {
        "VENDORS": "profiles",
        "OpenAIChatConverter": "chat_converter",
        "OpenAIProvider": "openai_provider",
        "OpenAIResponsesConverter": "responses_converter",
        "Payload": "payload",
        "ProviderConfig": "config",
        "Timeouts": "config",
        "VendorProfile": "profiles",
        "build_payload": "payload",
        "explain_api": "choosing",
        "select_api": "choosing",
    },
)
