"""Where requests go, without what must not be shown: a name and password in an address become a
header.
"""

from base64 import b64decode, b64encode
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from turngraph.state.errors import TurnConfigurationError

__all__ = ["basic_password", "with_header", "without_userinfo"]

_HEADER: Final = "Authorization"


def without_userinfo(url: str) -> str:
    """`url` without a name and password.

    >>> without_userinfo("https://me:secret@proxy.example.com/v1")
    'https://proxy.example.com/v1'
    """
    parts = urlsplit(url)
    return (
        parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        if "@" in parts.netloc
        else url
    )


def with_header(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a configuration, a name and password in its `base_url` moved into its headers
    (RFC 7617).

    HTTP libraries differ in what they make of such an address, and it would be shown and logged.
    Raises TurnConfigurationError beside a key, which goes into the same header.

        >>> with_header({"base_url": "http://me:secret@localhost/v1"})
        {'base_url': 'http://localhost/v1', 'headers': {'Authorization': 'Basic bWU6c2VjcmV0'}}
    """
    url = fields.get("base_url")
    if not isinstance(url, str) or "@" not in urlsplit(url).netloc:
        return fields
    if fields.get("api_key") is not None:
        raise TurnConfigurationError(
            "`base_url` holds a name and password, and `api_key` is given: both go into the `Authorization` header. "
            "Give one of them under the header the endpoint has for it, in `headers`."
        )
    parts = urlsplit(url)
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    header = {_HEADER: f"Basic {b64encode(pair.encode()).decode()}"}
    return {
        **fields,
        "base_url": without_userinfo(url),
        "headers": {**(fields.get("headers") or {}), **header},
    }


def basic_password(header: str) -> str:
    """The password in the value of an `Authorization` header of that kind; empty in any other.

    >>> basic_password("Basic bWU6c2VjcmV0"), basic_password("Bearer x")
    ('secret', '')
    """
    kind, _, encoded = header.partition(" ")
    if kind != "Basic":
        return ""
    try:
        return b64decode(encoded).decode().partition(":")[2]
    except ValueError:
        return ""
