"""Checks of the addresses in a provider's configuration. Each raises TurnConfigurationError."""

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from turngraph.providers.vendors.profiles import VendorProfile
from turngraph.state.errors import TurnConfigurationError

__all__ = ["check_base_url", "check_proxy", "check_query"]

_HOST_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
"""https://www.rfc-editor.org/rfc/rfc1123#section-2.1; underscores are common in private names."""
_LONGEST_HOST: Final = 253
_NEVER_IN_A_URL: Final = frozenset('\\<>"{}|^`')
"""https://www.rfc-editor.org/rfc/rfc3986#appendix-A has none of them. Clients read the first one
in different ways, and could ask another host than the one that was checked.
"""
_KEY_IN_QUERY: Final = re.compile("key|token|secret|password|signature", re.IGNORECASE)


def check_base_url(base_url: str, profile: VendorProfile) -> None:
    """Refuses an address that no request can be sent to, and one with credentials, a query or the
    path of a request in it.
    """
    if not base_url:
        pattern = profile.base_url_pattern
        example = "" if pattern is None else f", as in {pattern}"
        raise TurnConfigurationError(
            f"{profile.name} has no endpoint that is the same for everyone: "
            f"give `base_url`{example}."
        )
    parts = _address(base_url, "`base_url`", quoted="@" not in base_url)
    if "@" in parts.netloc:
        raise TurnConfigurationError(
            "`base_url` holds a user name or password. Put them into `headers` instead."
        )
    if parts.query or parts.fragment or base_url.endswith(("?", "#")):
        raise TurnConfigurationError(
            "`base_url` holds a `?` or a `#`. Leave out what begins there; parameters of every "
            "request go into `query`."
        )
    if base_url.rstrip("/").endswith(("/chat/completions", "/responses")):
        raise TurnConfigurationError(
            "`base_url` holds the path of a request. Leave out `/chat/completions` or `/responses` "
            "at its end."
        )


def check_proxy(proxy: str, name: str) -> None:
    """Refuses a `proxy` that is not the URL of an HTTP proxy. Errors call it `name`.

    >>> check_proxy("socks5://localhost:1080", "`proxy`")
    Traceback (most recent call last):
    turngraph.state.errors.TurnConfigurationError: `proxy` must start with https:// or http://.
    """
    parts = _address(proxy, name, quoted=False)
    if ":" in unquote(parts.username or ""):  # https://www.rfc-editor.org/rfc/rfc7617#section-2
        raise TurnConfigurationError(
            f"{name} has a user name with a colon, which HTTP cannot send."
        )


def check_query(query: dict[str, str]) -> None:
    """Refuses parameters of the URL that sound like a key: URLs are shown and logged."""
    for name in query:
        if _KEY_IN_QUERY.search(name):
            raise TurnConfigurationError(
                f"`query` holds `{name[:40]}`, which sounds like a key. URLs are shown and logged: "
                "use `api_key` or `headers`."
            )


def _address(url: str, name: str, *, quoted: bool) -> SplitResult:
    """Returns the parts of `url`, if a request can be sent to its host and port.

    quoted: whether errors may quote it. A proxy's URL may hold a password.
    """
    seen = f", and is `{url[:80]}`" if quoted else ""
    if any(c.isspace() or not c.isprintable() or c in _NEVER_IN_A_URL for c in url):
        raise TurnConfigurationError(
            f"{name} holds a blank or another character that no URL may have. If it was read from "
            "a file, strip it."
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise TurnConfigurationError(f"{name} must be a URL{seen}: {exc}.") from exc
    if parts.scheme not in ("http", "https"):
        raise TurnConfigurationError(f"{name} must start with https:// or http://{seen}.")
    bracketed = parts.netloc.rpartition("@")[2].startswith("[")
    if port == 0 or not _is_host(parts.hostname or "", bracketed=bracketed):
        raise TurnConfigurationError(
            f"{name} must name a host that can be asked, as in https://api.example.com/v1 or "
            f"http://localhost:8080/v1{seen}."
        )
    return parts


def _is_host(host: str, *, bracketed: bool) -> bool:
    """Whether `host` is an address, or a name that could have one. In brackets it is an address."""
    last_label = host.rstrip(".").rpartition(".")[2]
    if bracketed or last_label.isdigit():  # a name's last label is never a number (RFC 3696)
        return _is_address(host)
    try:
        ascii_host = host.removesuffix(".").encode("idna").decode()
    except UnicodeError:
        return False
    labels = ascii_host.split(".")
    return len(ascii_host) <= _LONGEST_HOST and all(map(_HOST_LABEL.fullmatch, labels))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
