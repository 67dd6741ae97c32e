"""The way to an endpoint: through which proxy, and with which certificates.

The environment's proxies are those that other clients use too: `HTTPS_PROXY` or `HTTP_PROXY` by the
scheme of the endpoint, else `ALL_PROXY`, unless `NO_PROXY` names the host, its domain, its address
or its network (`10.0.0.0/8`); the names may be in lower case. aiohttp's own `trust_env` would also
send what `.netrc` has for the host in place of the key.
"""

import ipaddress
import ssl
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from turngraph.providers.config import ProviderConfig
from turngraph.providers.network_checks import check_proxy
from turngraph.providers.wire.url_credentials import strip_credentials
from turngraph.state.errors import TurnConfigurationError

__all__ = ["Network", "proxy_of"]


def proxy_of(config: ProviderConfig) -> str | None:
    """Returns the URL of the proxy that requests of `config` go through, or None for none.

    Raises TurnConfigurationError if the environment names one that cannot be used.

    >>> proxy_of(ProviderConfig(vendor="ollama", model="m", proxy="http://proxy.example:3128"))
    'http://proxy.example:3128'
    >>> proxy_of(ProviderConfig(vendor="ollama", model="m", proxy="")) is None
    True
    """
    # Imported here, because it is slow. `getproxies` would also read the system's settings, which
    # on macOS a forked worker must not.
    from urllib import request

    if config.proxy is not None:
        return config.proxy or None
    proxies, endpoint = request.getproxies_environment(), urlsplit(config.base_url)
    if request.proxy_bypass_environment(endpoint.netloc, proxies):  # type: ignore[attr-defined]
        return None
    if _has_address(proxies.get("no", ""), endpoint.hostname or ""):
        return None
    named = proxies.get(endpoint.scheme) or proxies.get("all")
    if not named:
        return None
    # As curl reads it: a proxy without a scheme is an HTTP proxy.
    proxy = named if "://" in named else f"http://{named}"
    check_proxy(proxy, f"The environment's proxy for {endpoint.scheme}://{endpoint.netloc}")
    return proxy


def _basic_credentials(proxy: str) -> dict[str, str]:
    """Returns the header with the user name and password of `proxy`, if it has them, in UTF-8."""
    parts = urlsplit(proxy)
    if "@" not in parts.netloc:
        return {}
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def _has_address(no_proxy: str, host: str) -> bool:
    """Whether `host` is an address that `no_proxy` has, alone or in a network.

    The standard library compares names alone, and with the brackets of IPv6 where a URL has them.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    for entry in no_proxy.split(","):
        with suppress(ValueError):  # a name
            if address in ipaddress.ip_network(entry.strip().strip("[]"), strict=False):
                return True
    return False


class Network:
    """How connections of one configuration are made.

    Raises TurnConfigurationError for a proxy that cannot be used, and for certificates that cannot
    be read.
    """

    def __init__(self, config: ProviderConfig) -> None:
        self._config: Final = config
        proxy = proxy_of(config)
        self.proxy: Final = None if proxy is None else strip_credentials(proxy)
        credentials = _basic_credentials(proxy or "")
        by_tunnel = config.base_url.startswith("https:")
        self.tunnel_headers: Final = credentials if by_tunnel else {}
        """What the proxy alone is sent, to make a tunnel."""
        self.request_headers: Final = {} if by_tunnel else credentials
        """What the proxy is sent with every request, where it makes no tunnel."""
        if config.ca_bundle or config.client_certificate:
            self.tls  # noqa: B018, certificates that cannot be read are reported at once

    @cached_property
    def tls(self) -> ssl.SSLContext | Literal[True]:
        """The context for TLS; True stands for aiohttp's own, with the system's certificates."""
        bundle, certificate = self._config.ca_bundle, self._config.client_certificate
        if bundle is None and certificate is None:
            return True
        with _readable("ca_bundle", bundle):
            context = ssl.create_default_context(cafile=bundle)
        if certificate is not None:
            both = (certificate, None) if isinstance(certificate, str) else certificate
            path, key = both
            with _readable("client_certificate", certificate):
                # Without a password OpenSSL would ask for one at the terminal, and wait.
                context.load_cert_chain(path, key, password="")
        return context


@contextmanager
def _readable(name: str, files: object) -> Iterator[None]:
    """Raises TurnConfigurationError for the field `name` if its `files` cannot be read."""
    try:
        yield
    except (OSError, ValueError) as exc:  # ssl.SSLError is an OSError
        raise TurnConfigurationError(
            f"`{name}` cannot be used: {files} ({exc}). It must be a readable PEM file; a private "
            "key must not need a password."
        ) from exc
