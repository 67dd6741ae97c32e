"""Sends the request of an API plugin, with limits on time and size, and retries where harmless."""

import asyncio
import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from langchain_core.tools import ToolException

from turngraph.tools.failures import log_failure
from turngraph.tools.web.addresses import AddressError, AddressPolicy
from turngraph.tools.web.body import ACCEPTED_ENCODINGS, read_body
from turngraph.tools.web.credentials import Credentials
from turngraph.tools.web.hosts import well_formed
from turngraph.tools.web.redirects import REDIRECT_STATUSES, Hop, next_hop
from turngraph.tools.web.template import ApiRequest

if TYPE_CHECKING:
    from aiohttp import ClientSession

__all__ = ["WebClient", "WebResponse"]

logger = logging.getLogger("turngraph.tools")

MAX_REDIRECTS: Final = 5
ATTEMPTS: Final = 3
"""Attempts of a request that can be repeated without harm."""
RETRIED_STATUSES: Final = {429, 502, 503, 504}
WAIT_S: Final = 0.2
"""Seconds before the second attempt; doubled before each further one."""


@dataclass(frozen=True, slots=True)
class WebResponse:
    """The answer of a service. `location` is where it redirects to, if it does."""

    status: int
    content_type: str
    body: bytes
    location: str | None = None


class _TransientError(Exception):
    """A failure that another attempt may not have. `error` is what the model reads in the end."""

    def __init__(self, error: ToolException) -> None:
        self.error = error


@dataclass(frozen=True)
class WebClient:
    """Sends requests to one service."""

    credentials: Credentials
    policy: AddressPolicy
    timeout_s: float
    """Seconds for one call: all attempts, redirects and waits together."""
    wait_s: float = field(default=WAIT_S)

    async def send(self, request: ApiRequest) -> WebResponse:
        """Returns the response, whatever its status.

        Raises ToolException, with a short sentence that is safe to show, if there is none.
        """
        try:
            async with asyncio.timeout(self.timeout_s), self._session() as session:
                return await self._send_with_retries(session, request)
        except TimeoutError:
            raise ToolException(
                f"The service did not answer within {self.timeout_s:g} seconds."
            ) from None

    def connect(self) -> None:
        """Asks for the base address once. Any answer will do that does not refuse the credentials.

        Raises ToolException, and SecretError for a secret that cannot be found.
        """
        response = asyncio.run(
            self.send(ApiRequest("GET", self.credentials.data.base_url, {}, None))
        )
        if response.status in (401, 403, 407):
            raise ToolException(f"The service refused the credentials ({response.status}).")

    def _session(self) -> "ClientSession":
        from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

        return ClientSession(
            # The resolver checks every address. A DNS cache or an open connection would skip it.
            connector=TCPConnector(
                resolver=self.policy.resolver(), use_dns_cache=False, force_close=True
            ),
            auto_decompress=False,  # `read_body` decompresses with a size limit
            cookie_jar=DummyCookieJar(),  # one user's cookies must not reach another user's call
            trust_env=False,  # a proxy would hide the address that is really connected to
            timeout=ClientTimeout(total=None, sock_connect=None),  # `send` has one for everything
        )

    async def _send_with_retries(
        self, session: "ClientSession", request: ApiRequest
    ) -> WebResponse:
        attempts = ATTEMPTS if request.repeatable else 1
        for attempt in range(1, attempts + 1):
            try:
                return await self._attempt(session, request, is_last=attempt == attempts)
            except _TransientError as failure:
                if attempt == attempts:
                    raise failure.error from None
            # The time limit of `send` is around all of this, so the waits cannot add up beyond it.
            await asyncio.sleep(self.wait_s * 2 ** (attempt - 1))
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(
        self, session: "ClientSession", request: ApiRequest, *, is_last: bool
    ) -> WebResponse:
        from aiohttp import ClientError, InvalidURL

        try:
            response = await self._follow_redirects(session, request)
        except AddressError as error:
            raise _refusal(error) from None
        except InvalidURL:
            raise ToolException("The address is not well formed.") from None
        except (ClientError, OSError) as error:
            # aiohttp wraps the resolver's AddressError; a refusal must not be retried.
            if (cause := _address_error_in(error)) is not None:
                raise _refusal(cause) from None
            log_failure(f"request to {urlsplit(request.url).hostname} failed", error)
            raise _TransientError(
                ToolException(f"The service cannot be reached ({type(error).__name__}).")
            ) from None
        if response.status == 401:
            # The token may have been revoked before it expired; the next call fetches another.
            self.credentials.forget_token()
        if response.status in RETRIED_STATUSES and not is_last:
            raise _TransientError(ToolException(f"The service answered {response.status}."))
        return response

    async def _follow_redirects(self, session: "ClientSession", request: ApiRequest) -> WebResponse:
        credentials = await self.credentials.headers(
            lambda url, headers, body: self._fetch_token(session, url, headers, body)
        )
        hop = Hop(request.method, request.url, request.headers, credentials, request.body)
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._send_once(session, hop)
            if response.location is None:
                return response
            hop = next_hop(hop, response.status, response.location)
        raise ToolException(f"The service redirects more than {MAX_REDIRECTS} times.")

    async def _send_once(self, session: "ClientSession", hop: Hop) -> WebResponse:
        from yarl import URL

        # `encoded=True`: yarl must not normalize the address, which was checked as it is. The host
        # is read from the same object that aiohttp connects to, so both see the same one.
        try:
            well_formed(hop.url)
            target = URL(hop.url, encoded=True)
            host = target.host or ""
        except ValueError:
            raise ToolException("The address is not well formed.") from None
        self.policy.check_literal(host, target.port or 0)
        headers = {"Accept-Encoding": ACCEPTED_ENCODINGS, "User-Agent": "turngraph"}
        headers |= hop.headers | hop.credentials
        async with session.request(
            hop.method, target, headers=headers, data=hop.body, allow_redirects=False
        ) as response:
            if response.status in REDIRECT_STATUSES and "Location" in response.headers:
                return WebResponse(response.status, "", b"", response.headers["Location"])
            return WebResponse(response.status, response.content_type, await read_body(response))

    async def _fetch_token(
        self, session: "ClientSession", url: str, headers: dict[str, str], body: bytes
    ) -> dict[str, object]:
        # Redirects are not followed: the request carries the client's secret.
        response = await self._send_once(session, Hop("POST", url, headers, {}, body))
        if response.status != 200:
            raise ToolException(
                f"The service that issues access tokens answered {response.status}."
            )
        try:
            answer = json.loads(response.body)
        except (ValueError, RecursionError):
            answer = None
        return answer if isinstance(answer, dict) else {}


def _address_error_in(error: BaseException) -> AddressError | None:
    """Returns the AddressError that caused `error`, if one did."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, AddressError):
        cause = getattr(cause, "os_error", None) or cause.__cause__
    return cause


def _refusal(error: AddressError) -> ToolException:
    # Only the log names the address: a model must not be able to explore the internal network.
    logger.warning("a plugin was kept from a forbidden address: %s", error)
    return ToolException("The address is not allowed: it is not public.")
