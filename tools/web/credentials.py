"""What a connection proves itself with: nothing, a user and password, a token, a key in a header,
or OAuth2.
"""

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
"""A token is renewed this long before it ends."""

TokenRequest = Callable[[str, dict[str, str], bytes], Awaitable[dict[str, object]]]
"""Posts a form (address, headers, body) and returns the JSON object it answers."""


@dataclass
class Credentials:
    """The headers that authenticate a connection. The secret is looked up each time, and kept
    nowhere.
    """

    data: "ApiConnectionData"
    secret: Callable[[], str | None]
    clock: Callable[[], float] = time.monotonic
    _token: tuple[str, float] | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    async def headers(self, post: TokenRequest) -> dict[str, str]:
        """For one request. `post` is used where a token must be fetched."""
        secret = self.secret()
        method = self.data.auth_method
        if method == "none" or secret is None:
            return {}
        if method == "header":
            return {self.data.api_key_header: _sendable(secret)}
        if method == "basic":
            alone = (
                secret if ":" in secret else f"{secret}:"
            )  # a key as the user's name, as some services want it
            pair = alone if self.data.username is None else f"{self.data.username}:{secret}"
            return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        if method == "oauth" and self.data.token_url is not None:
            return {"Authorization": f"Bearer {await self._fetched(secret, post)}"}
        return {"Authorization": f"Bearer {_sendable(secret)}"}

    def forget(self) -> None:
        """The service refused the token: fetch a new one next time."""
        with self._lock:
            self._token = None

    async def _fetched(self, secret: str, post: TokenRequest) -> str:
        """A token by client credentials (https://www.rfc-editor.org/rfc/rfc6749#section-4.4)."""
        with self._lock:
            if self._token is not None and self.clock() < self._token[1]:
                return self._token[0]
        assert self.data.token_url is not None, "asked only where there is one"
        pair = f"{quote(self.data.client_id or '', safe='')}:{quote(secret, safe='')}"
        headers = {
            "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        form = "grant_type=client_credentials" + (
            f"&scope={quote(self.data.scope)}" if self.data.scope else ""
        )
        answer = await post(self.data.token_url, headers, form.encode())
        token, lasts = answer.get("access_token"), answer.get("expires_in", 60)
        if not isinstance(token, str) or not isinstance(lasts, int | float):
            raise ToolException("The service that hands out access tokens answered without one.")
        with self._lock:
            self._token = (_sendable(token), self.clock() + lasts - EARLY_S)
        return token


def _sendable(secret: str) -> str:
    if not secret.isascii() or not secret.isprintable():
        raise ToolException("The connection's secret holds characters a header cannot carry.")
    return secret
