"""The OpenAI SDK's clients, as turngraph wants them: no retries, no redirects, no proxy from the
environment.
"""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from turngraph.providers.config import ProviderConfig
from turngraph.providers.wire.transport import Transport, refuse_large_errors

if TYPE_CHECKING:
    from langchain_openai.chat_models.base import BaseChatOpenAI
    from openai import AsyncOpenAI, OpenAI

__all__ = ["transport_of", "transport_of_chat_model"]

_ERROR_BYTES: Final = 1_000_000
_ERROR_S: Final = 10.0
_NO_KEY: Final = "no-key"
"""The SDK insists on one; servers that need none ignore it."""


def transport_of(config: ProviderConfig) -> Transport:
    """The way to the endpoint of `config`. Clients are made when first used: importing the SDK
    takes a second.
    """
    return Transport(
        vendor=config.vendor,
        make_sync=partial(_client, config),
        make_async=partial(_async_client, config),
    )


def transport_of_chat_model(chat: "BaseChatOpenAI", *, vendor: str) -> Transport:
    """The way a LangChain chat model has to its endpoint: its own clients, with its own
    authentication.

    They belong to the chat model and are not closed by the transport; its async client should stay
    on one loop.
    """
    return Transport(
        vendor=vendor,
        make_sync=lambda: chat.root_client.with_options(max_retries=0),
        make_async=lambda: chat.root_async_client.with_options(max_retries=0),
    )


def _client(config: ProviderConfig) -> "OpenAI":
    from openai import AzureOpenAI, DefaultHttpxClient, OpenAI

    hook, _ = refuse_large_errors(_ERROR_BYTES, _ERROR_S)
    http = DefaultHttpxClient(
        follow_redirects=False, trust_env=False, event_hooks={"response": [hook]}
    )
    if config.api_version is not None:
        return AzureOpenAI(**_azure(config), **_common(config), http_client=http)
    return OpenAI(base_url=config.base_url, **_common(config), http_client=http)


def _async_client(config: ProviderConfig) -> "AsyncOpenAI":
    from openai import AsyncAzureOpenAI, AsyncOpenAI, DefaultAioHttpClient

    _, hook = refuse_large_errors(_ERROR_BYTES, _ERROR_S)
    http = DefaultAioHttpClient(
        follow_redirects=False, trust_env=False, event_hooks={"response": [hook]}
    )
    if config.api_version is not None:
        return AsyncAzureOpenAI(**_azure(config), **_common(config), http_client=http)
    return AsyncOpenAI(base_url=config.base_url, **_common(config), http_client=http)


def _common(config: ProviderConfig) -> dict[str, Any]:
    from openai import Timeout

    timeouts = config.timeouts
    # Silence is measured from byte to byte: before the first one the vendor thinks, later it should
    # be talking.
    timeout = Timeout(
        timeouts.total_s,
        connect=timeouts.connect_s,
        read=max(timeouts.first_byte_s, timeouts.idle_s),
    )
    headers: Mapping[str, str] = config.headers
    return {
        "api_key": _NO_KEY if config.api_key is None else config.api_key.get_secret_value(),
        "organization": config.organization,
        "project": config.project,
        "default_headers": dict(headers),
        "timeout": timeout,
        "max_retries": 0,
    }


def _azure(config: ProviderConfig) -> dict[str, Any]:
    endpoint = config.base_url.rstrip("/")
    bare = urlsplit(endpoint).path == ""
    return {
        "base_url": f"{endpoint}/openai" if bare else endpoint,
        "api_version": config.api_version,
    }
