"""Which headers go on to the vendor, and which come back from it.

Source: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1 (hop-by-hop headers)
"""

from collections.abc import Mapping
from typing import Final

__all__ = ["headers_for_client", "headers_for_vendor"]

_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_OF_CLIENT: Final = frozenset(
    {
        # The client's key of this server, in all the places where clients put it.
        *("authorization", "api-key", "x-api-key", "x-goog-api-key", "cookie"),
        # Clients of all accounts share the key at the vendor, and would share its kept answers.
        "idempotency-key",
        # Whom the vendor bills is the server's decision.
        *("openai-organization", "openai-project"),
        # Made anew for the request to the vendor. A compressed stream could not be metered.
        *("host", "content-length", "accept-encoding", "expect"),
        # Where the client is, is no vendor's business.
        *("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"),
        *("cf-connecting-ip", "true-client-ip", "x-client-ip", "x-forwarded-port"),
        *("via", "referer", "origin", "baggage"),
    }
)
_OF_VENDOR: Final = frozenset(
    {
        # The cookies and the organization are those of the server's own account.
        *("set-cookie", "openai-organization", "openai-project"),
        # Of this server's own connection; `x-request-id` is given by it too.
        *("date", "server", "content-length", "content-encoding", "x-request-id", "alt-svc"),
    }
)
VENDOR_REQUEST_ID: Final = "x-vendor-request-id"
"""The header in which the vendor's own request id comes back."""


def headers_for_vendor(headers: Mapping[str, str]) -> dict[str, str]:
    """Returns the client's headers that go on. Names are in lower case.

    >>> sent = {"authorization": "Bearer tg-…", "openai-beta": "x=1", "connection": "x-hop",
    ...     "x-hop": "1", "content_encoding": "gzip"}
    >>> headers_for_vendor(sent)
    {'openai-beta': 'x=1', 'accept-encoding': 'identity'}
    """
    # Some servers read `content_encoding` as `content-encoding`, which was looked at.
    plain = {name: value for name, value in headers.items() if "_" not in name}
    return {**_without(plain, _OF_CLIENT), "accept-encoding": "identity"}


def headers_for_client(headers: Mapping[str, str]) -> dict[str, str]:
    """Returns the vendor's headers that come back."""
    lower = {name.lower(): value for name, value in headers.items()}
    kept = _without(lower, _OF_VENDOR)
    if "x-request-id" in lower:
        kept[VENDOR_REQUEST_ID] = lower["x-request-id"]
    return kept


def _without(headers: Mapping[str, str], left_out: frozenset[str]) -> dict[str, str]:
    # `Connection` names further headers that are meant for this hop alone; it may come twice.
    named = {
        each.strip().lower()
        for name, value in headers.items()
        if name == "connection"
        for each in value.split(",")
    }
    dropped = _HOP_BY_HOP | left_out | named
    return {name: value for name, value in headers.items() if name not in dropped}
