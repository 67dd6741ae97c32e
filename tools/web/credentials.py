"""The credentials of a connection: none, basic, a token, a key in a header, or OAuth2."""

import base64
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from langchain_core.tools import ToolException

if TYPE_CHECKING:
    from turngraph.tools.manifests.connection_parts import ApiConnectionData

__all__ = ["Credentials", "TokenRequest"]

EARLY_S: Final = 30.0
"""Seconds before its end at which a token is renewed, so that it does not expire on the way."""
DEFAULT_LIFETIME_S: Final = 60
"""Seconds a token is used if the service does not say how long it is valid."""

TokenRequest = Callable[[str, dict[str, str], bytes], Awaitable[dict[str, object]]]
"""Posts a form (address, headers, body) and returns the JSON object of the answer."""


@dataclass
class Credentials:
    """The headers that authenticate a connection. The secret is looked up for each request and not
    kept.
    """

    data: "ApiConnectionData"
    secret: Callable[[], str | None]
    clock: Callable[[], float] = time.monotonic
    _token: tuple[str, float] | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    async def headers(self, post: TokenRequest) -> dict[str, str]:
        """Returns the headers for one request. `post` is called if a token must be fetched."""
        secret = self.secret()
        method = self.data.auth_method
        if method == "none" or secret is None:
            return {}
        if method == "header":
            return {self.data.api_key_header: _checked(secret)}
        if method == "basic":
            return {"Authorization": _basic(self._user_and_password(secret))}
        if method == "oauth" and self.data.token_url is not None:
            return {"Authorization": f"Bearer {await self._access_token(secret, post)}"}
        return {"Authorization": f"Bearer {_checked(secret)}"}

    def forget_token(self) -> None:
        """Drops the access token, because the service refused it. The next request fetches one."""
        with self._lock:
            self._token = None

    def _user_and_password(self, secret: str) -> str:
        if self.data.username is not None:
            return f"{self.data.username}:{secret}"
        # Some services take an API key as the user name, with an empty password.
        return secret if ":" in secret else f"{secret}:"

    async def _access_token(self, secret: str, post: TokenRequest) -> str:
        """Returns a token by client credentials
        (https://www.rfc-editor.org/rfc/rfc6749#section-4.4).
        """
        with self._lock:
            if self._token is not None and self.clock() < self._token[1]:
                return self._token[0]
        assert self.data.token_url is not None, "the caller has checked it"
        # Percent-encoded before base64: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
        client = f"{quote(self.data.client_id or '', safe='')}:{quote(secret, safe='')}"
        headers = {
            "Authorization": _basic(client),
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        scope = f"&scope={quote(self.data.scope)}" if self.data.scope else ""
        form = f"grant_type=client_credentials{scope}"
        answer = await post(self.data.token_url, headers, form.encode())
        token = answer.get("access_token")
        lifetime_s = answer.get("expires_in", DEFAULT_LIFETIME_S)
        if not isinstance(token, str) or not isinstance(lifetime_s, int | float):
            raise ToolException("The service that issues access tokens answered without one.")
        with self._lock:
            self._token = (_checked(token), self.clock() + lifetime_s - EARLY_S)
        return token


def _basic(user_and_password: str) -> str:
    """Returns the value of an `Authorization` header (https://www.rfc-editor.org/rfc/rfc7617)."""
    return f"Basic {base64.b64encode(user_and_password.encode()).decode()}"


def _checked(secret: str) -> str:
    """Returns `secret` if a header can carry it.

    A line break would end the header and begin another one (https://cwe.mitre.org/data/definitions/113.html).
    """
    if not secret.isascii() or not secret.isprintable():
        raise ToolException("The connection's secret has characters that a header cannot carry.")
    return secret
