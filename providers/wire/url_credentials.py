"""A user name and password in a URL, moved to where they belong: the `Authorization` header."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from turngraph.state.errors import TurnConfigurationError
from turngraph.state.json_types import JsonObject

__all__ = ["basic_auth_password", "move_credentials_to_header", "strip_credentials"]

_HEADER: Final = "Authorization"


def strip_credentials(url: str) -> str:
    """Returns `url` without its user name and password.

    >>> strip_credentials("https://me:secret@proxy.example.com/v1")
    'https://proxy.example.com/v1'
    """
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def move_credentials_to_header(fields: Mapping[str, Any]) -> JsonObject:
    """Returns configuration fields whose `base_url` holds no user name and password any more.

    They become a `Basic` `Authorization` header (RFC 7617). HTTP libraries disagree on what to do
    with such a URL, and the URL is shown and logged while headers are not.

    Raises TurnConfigurationError if `api_key` is given too: both would go into the same header.

        >>> move_credentials_to_header({"base_url": "http://me:secret@localhost/v1"})
        {'base_url': 'http://localhost/v1', 'headers': {'Authorization': 'Basic bWU6c2VjcmV0'}}
    """
    url = fields.get("base_url")
    if not isinstance(url, str) or "@" not in _netloc(url):
        return dict(fields)
    if fields.get("api_key") is not None:
        raise TurnConfigurationError(
            "`base_url` holds a user name and password, and `api_key` is given as well: both go "
            "into the `Authorization` header. Put one of them into `headers`, under the name that "
            "the endpoint expects."
        )
    parts = urlsplit(url)
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    header = {_HEADER: f"Basic {b64encode(pair.encode()).decode()}"}
    return {
        **fields,
        "base_url": strip_credentials(url),
        "headers": {**(fields.get("headers") or {}), **header},
    }


def _netloc(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:  # `check_base_url` says what is wrong with it
        return ""


def basic_auth_password(header: str) -> str:
    """Returns the password in a `Basic` authorization header's value, or "" if there is none.

    >>> basic_auth_password("Basic bWU6c2VjcmV0"), basic_auth_password("Bearer x")
    ('secret', '')
    """
    scheme, _, encoded = header.partition(" ")
    if scheme != "Basic":
        return ""
    try:
        return b64decode(encoded).decode().partition(":")[2]
    except ValueError:
        return ""
