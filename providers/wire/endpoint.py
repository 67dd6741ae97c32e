"""The URL of a request, in one place: for the transport, and for whatever shows a request.

Most vendors have two paths below `base_url`. Azure's dated versions (`api_version`) also have
`/openai` before the path, the deployment inside it, and the version as a query parameter:
https://learn.microsoft.com/azure/ai-foundry/openai/reference
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from turngraph.providers.config import ProviderConfig
from turngraph.state.request import Api

__all__ = [
    "BEARER",
    "KeyHeader",
    "deployment_prefix",
    "endpoint_query",
    "endpoint_root",
    "key_header",
    "request_path",
    "request_url",
]

_PATHS: Final[Mapping[Api, str]] = {"chat": "/chat/completions", "responses": "/responses"}
_DEPLOYMENT: Final = re.compile(r"(.+)(/deployments/[^/]+)")


class KeyHeader(NamedTuple):
    """The header that carries the API key: its `name`, and the `prefix` before the key."""

    name: str
    prefix: str


BEARER: Final = KeyHeader("Authorization", "Bearer ")
"""https://platform.openai.com/docs/api-reference/authentication"""


def request_url(config: ProviderConfig, api: Api) -> str:
    """Returns the whole URL that requests of `config` through `api` are posted to.

    It is `endpoint_root` + `request_path` + `endpoint_query`, which is what the transport uses.

        >>> request_url(ProviderConfig(vendor="ollama", model="llama3.2"), "chat")
        'http://localhost:11434/v1/chat/completions'
        >>> azure = ProviderConfig(vendor="azure", model="my dep", api_key="k",
        ...     base_url="https://r.openai.azure.com", api_version="2024-10-21")
        >>> request_url(azure, "chat").removeprefix("https://r.openai.azure.com/openai")
        '/deployments/my%20dep/chat/completions?api-version=2024-10-21'
    """
    query = urlencode(endpoint_query(config))
    url = f"{endpoint_root(config)}{request_path(config, api)}"
    return f"{url}?{query}" if query else url


def endpoint_root(config: ProviderConfig) -> str:
    """Returns the part of the URL that every path of this endpoint starts with.

    It has no slash at its end. For Azure's dated versions it ends in `/openai` and names no
    deployment: stored answers and Responses are reached without one.
    """
    endpoint = config.base_url.rstrip("/")
    if config.api_version is None:
        return endpoint
    # The deployment belongs to the path of a chat completion only, and `request_path` adds it.
    endpoint = endpoint.removesuffix(deployment_prefix(endpoint))
    return f"{endpoint}/openai" if urlsplit(endpoint).path == "" else endpoint


def request_path(config: ProviderConfig, api: Api) -> str:
    """Returns the path of a request below `endpoint_root`.

    >>> request_path(ProviderConfig(vendor="ollama", model="llama3.2"), "responses")
    '/responses'
    """
    endpoint = config.base_url.rstrip("/")
    # Only Chat Completions of Azure's dated versions names the deployment in the path. Azure's v1
    # endpoint, and Responses in every version, read it from `model` in the body.
    if config.api_version is None or api == "responses" or endpoint.endswith("/v1"):
        return _PATHS[api]
    named = deployment_prefix(endpoint)
    if not named and "/deployments/" in endpoint:  # a gateway's own path goes on behind it
        return _PATHS[api]
    return (named or f"/deployments/{quote(config.model, safe='')}") + _PATHS[api]


def deployment_prefix(base_url: str) -> str:
    """Returns the `/deployments/NAME` that `base_url` ends with, or "".

    >>> deployment_prefix("https://r.openai.azure.com/openai/deployments/dep")
    '/deployments/dep'
    """
    match = _DEPLOYMENT.fullmatch(base_url.rstrip("/"))
    return "" if match is None else match[2]


def endpoint_query(config: ProviderConfig) -> dict[str, str]:
    """Returns the query parameters of every request to this endpoint."""
    version = {} if config.api_version is None else {"api-version": config.api_version}
    return {**version, **config.query}


def key_header(config: ProviderConfig) -> KeyHeader:
    """Returns the header that the key is sent in: Azure's dated versions have one of their own.

    >>> key_header(ProviderConfig(vendor="ollama", model="llama3.2"))
    KeyHeader(name='Authorization', prefix='Bearer ')
    """
    if config.api_version is not None:
        return KeyHeader("api-key", "")
    return BEARER
