"""Sending a plugin's request: bounded in time and size, redirects judged one by one, repeated only
where harmless.
"""

import asyncio
import logging
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from langchain_core.tools import ToolException

from turngraph.tools.failures import without_secrets
from turngraph.tools.web.addresses import AddressError, AddressPolicy
from turngraph.tools.web.credentials import Credentials
from turngraph.tools.web.template import ApiRequest

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

__all__ = ["MAX_BYTES", "Answer", "WebClient"]

logger = logging.getLogger("turngraph.tools")

MAX_BYTES: Final = 2_000_000
"""Of a body, unpacked."""
MAX_REDIRECTS: Final = 5
ATTEMPTS: Final = 3
"""Where repeating a request is harmless."""
PASSING: Final = {429, 502, 503, 504}
WAIT_S: Final = 0.2
REDIRECTS: Final = {301, 302, 303, 307, 308}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered."""

    status: int
    content_type: str
    body: bytes


class _Passing(Exception):  # noqa: N818  not an error yet: the next attempt may succeed
    """Worth another attempt."""

    def __init__(self, told: ToolException) -> None:
        self.told = told


@dataclass(frozen=True)
class WebClient:
    """Sends requests to one service."""

    credentials: Credentials
    policy: AddressPolicy
    timeout_s: float
    wait_s: float = field(default=WAIT_S)

    async def send(self, request: ApiRequest) -> Answer:
        """The answer, whatever its status. Raises ToolException, with a short safe sentence, where
        there is none.
        """
        try:
            async with asyncio.timeout(self.timeout_s), self._session() as session:
                return await self._attempts(session, request)
        except TimeoutError:
            raise ToolException(
                f"The service did not answer within {self.timeout_s:g} seconds."
            ) from None

    def _session(self) -> "ClientSession":
        from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

        return ClientSession(
            connector=TCPConnector(
                resolver=self.policy.resolver(), use_dns_cache=False, force_close=True
            ),
            auto_decompress=False,  # unpacked here, piece by piece: 1 MB of gzip may hold 1 GB
            cookie_jar=DummyCookieJar(),
            trust_env=False,
            timeout=ClientTimeout(
                total=None, sock_connect=None
            ),  # one deadline stands around everything
        )

    async def _attempts(self, session: "ClientSession", request: ApiRequest) -> Answer:
        attempts = ATTEMPTS if request.repeatable else 1
        for attempt in range(1, attempts + 1):
            try:
                return await self._once(session, request, last=attempt == attempts)
            except _Passing as passing:
                if attempt == attempts:
                    raise passing.told from None
            await asyncio.sleep(self.wait_s * 2 ** (attempt - 1))
        raise AssertionError("the last attempt returns or raises")

    async def _once(self, session: "ClientSession", request: ApiRequest, *, last: bool) -> Answer:
        from aiohttp import ClientError, InvalidURL

        try:
            headers = await self.credentials.headers(
                lambda url, heads, body: self._token(session, url, heads, body)
            )
            answer = await self._followed(session, request, headers)
        except AddressError as error:
            raise _refused(error) from None
        except InvalidURL:
            raise ToolException("The address is not well formed.") from None
        except (ClientError, OSError) as error:
            if isinstance(cause := _cause(error), AddressError):
                raise _refused(cause) from None
            logger.info(
                "request to %s failed: %s",
                urlsplit(request.url).netloc,
                without_secrets(str(error)),
            )
            raise _Passing(
                ToolException(f"The service cannot be reached ({type(error).__name__}).")
            ) from None
        if answer.status == 401:
            self.credentials.forget()
        if answer.status in PASSING and not last:
            raise _Passing(ToolException(f"The service answered {answer.status}."))
        return answer

    async def _followed(
        self, session: "ClientSession", request: ApiRequest, headers: dict[str, str]
    ) -> Answer:
        method, url, body, sent = (
            request.method,
            request.url,
            request.body,
            request.headers | headers,
        )
        for _ in range(MAX_REDIRECTS + 1):
            answer, target = await self._sent(session, method, url, sent, body)
            if target is None:
                return answer
            url, before = _target(url, target), url
            if _origin(url) != _origin(before):
                if method not in ("GET", "HEAD"):
                    raise ToolException(
                        "The service redirects a writing request to another server; that is not followed."
                    )
                sent = {name: value for name, value in sent.items() if name not in headers}
            if answer.status == 303 or (answer.status in (301, 302) and method == "POST"):
                method, body = "GET", None
                sent = {name: value for name, value in sent.items() if name != "Content-Type"}
        raise ToolException(f"The service redirects more than {MAX_REDIRECTS} times.")

    async def _sent(
        self,
        session: "ClientSession",
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes | None,
    ) -> tuple[Answer, str | None]:
        from yarl import URL

        # `encoded`: the address is sent as it was checked, not written anew. Its host is read by
        # what connects to it.
        target = URL(url, encoded=True)
        self.policy.check_literal(target.host or "", target.port or 0)
        heads = {"Accept-Encoding": "gzip, deflate", "User-Agent": "turngraph"} | headers
        async with session.request(
            method, target, headers=heads, data=body, allow_redirects=False
        ) as response:
            if response.status in REDIRECTS and "Location" in response.headers:
                return Answer(response.status, "", b""), response.headers["Location"]
            return Answer(response.status, response.content_type, await _read(response)), None

    async def _token(
        self, session: "ClientSession", url: str, headers: dict[str, str], body: bytes
    ) -> dict[str, object]:
        import json

        answer, target = await self._sent(session, "POST", url, headers, body)
        if answer.status != 200 or target is not None:
            raise ToolException(
                f"The service that hands out access tokens answered {answer.status}."
            )
        try:
            found = json.loads(answer.body)
        except (ValueError, RecursionError):
            found = None
        return found if isinstance(found, dict) else {}


async def _read(response: "ClientResponse") -> bytes:
    """The body, unpacked as it arrives, and no longer than it may be."""
    packed = response.headers.get("Content-Encoding", "").strip().lower()
    if packed not in ("", "identity", "gzip", "deflate"):
        raise ToolException(
            f"The service packs its answer as {packed[:20]}, which was not asked for."
        )
    unpack = zlib.decompressobj(47) if packed in ("gzip", "deflate") else None
    body = bytearray()
    async for piece in response.content.iter_chunked(65_536):
        try:
            body += (
                unpack.decompress(piece, MAX_BYTES + 1 - len(body)) if unpack is not None else piece
            )
        except zlib.error:
            raise ToolException("The service's answer is not packed as it says.") from None
        if len(body) > MAX_BYTES:
            raise ToolException(f"The service's answer is longer than {MAX_BYTES:,} bytes.")
    return bytes(body)


def _target(url: str, location: str) -> str:
    target = urljoin(url, location)
    if urlsplit(target).scheme not in ("http", "https"):
        raise ToolException("The service redirects to something that is no web address.")
    if url.startswith("https:") and not target.startswith("https:"):
        raise ToolException("The service redirects from https to http; that is not followed.")
    odd = "\\" in target or "@" in urlsplit(target).netloc
    if odd or not target.isascii() or any(character <= " " for character in target):
        raise ToolException("The service redirects to an address that is not well formed.")
    return target


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _cause(error: BaseException) -> BaseException | None:
    """The refusal inside what a client made of it."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, AddressError):
        found = getattr(found, "os_error", None) or found.__cause__
    return found


def _refused(error: BaseException) -> ToolException:
    logger.warning("a plugin was kept from a forbidden address: %s", error)
    return ToolException("The address is not allowed: it is not public.")
