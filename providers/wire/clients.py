"""The OpenAI SDK's clients, with our settings: no retries, no redirects, no proxy from outside."""

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from turngraph.providers.config import ProviderConfig
from turngraph.providers.wire.endpoint import deployment_prefix, endpoint_root
from turngraph.providers.wire.error_bodies import error_body_hooks
from turngraph.providers.wire.transport import Transport

if TYPE_CHECKING:
    from langchain_openai.chat_models.base import BaseChatOpenAI
    from openai import AsyncOpenAI, OpenAI

__all__ = ["transport_of", "transport_of_chat_model"]

_ERROR_BYTES: Final = 1_000_000
_ERROR_S: Final = 10.0
_NO_KEY: Final = "no-key"
"""The SDK insists on a key; servers that need none ignore it."""


def transport_of(config: ProviderConfig) -> Transport:
    """Returns a transport to the endpoint of `config`.

    Its clients are made when they are first used: importing the SDK takes a second.
    """
    return Transport(
        vendor=config.vendor,
        make_sync=partial(_sync_client, config),
        make_async=partial(_async_client, config),
    )


def transport_of_chat_model(chat: "BaseChatOpenAI", *, vendor: str) -> Transport:
    """Returns a transport over the clients of a LangChain chat model, with its authentication.

    The clients belong to the chat model and are not closed by the transport. Its async client
    should stay on one event loop.
    """
    return Transport(
        vendor=vendor,
        make_sync=lambda: chat.root_client.with_options(max_retries=0),
        make_async=lambda: chat.root_async_client.with_options(max_retries=0),
        # `AzureChatOpenAI` has the deployment in its client's base URL, our paths have it too.
        base_prefix=deployment_prefix(str(chat.root_client.base_url)) if chat.root_client else "",
        owns_clients=False,
    )


def _sync_client(config: ProviderConfig) -> "OpenAI":
    from openai import AzureOpenAI, DefaultHttpxClient, OpenAI

    hook, _ = error_body_hooks(_ERROR_BYTES, _ERROR_S)
    http = DefaultHttpxClient(
        follow_redirects=False, trust_env=False, event_hooks={"response": [hook]}
    )
    options = _client_options(config)
    if config.api_version is not None:
        return AzureOpenAI(api_version=config.api_version, http_client=http, **options)
    return OpenAI(http_client=http, **options)


def _async_client(config: ProviderConfig) -> "AsyncOpenAI":
    from openai import AsyncAzureOpenAI, AsyncOpenAI, DefaultAioHttpClient

    _, hook = error_body_hooks(_ERROR_BYTES, _ERROR_S)
    http = DefaultAioHttpClient(
        follow_redirects=False, trust_env=False, event_hooks={"response": [hook]}
    )
    options = _client_options(config)
    if config.api_version is not None:
        return AsyncAzureOpenAI(api_version=config.api_version, http_client=http, **options)
    return AsyncOpenAI(http_client=http, **options)


def _client_options(config: ProviderConfig) -> dict[str, Any]:
    from openai import Timeout

    timeouts = config.timeouts
    # The HTTP library has one limit for all silences of an answer. The first may be the longest:
    # the vendor thinks before it begins. `AnswerReader` measures the later ones by `idle_s`.
    timeout = Timeout(
        timeouts.total_s,
        connect=timeouts.connect_s,
        read=max(timeouts.first_byte_s, timeouts.idle_s),
    )
    return {
        "base_url": endpoint_root(config),
        "api_key": _NO_KEY if config.api_key is None else config.api_key.get_secret_value(),
        "organization": config.organization,
        "project": config.project,
        "default_headers": dict(config.headers),
        "timeout": timeout,
        "max_retries": 0,
    }
