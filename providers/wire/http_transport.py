"""The transport of turngraph's own: aiohttp, without another client in between.

It keeps the promises of `transport.py`. Sync requests run on the event loop of `LOOP_THREAD`.
"""

import asyncio
import io
import time
import weakref
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode
from weakref import WeakKeyDictionary

from turngraph.providers.config import ProviderConfig
from turngraph.providers.wire.endpoint import endpoint_query, endpoint_root, key_header
from turngraph.providers.wire.http_answer import Answer, SyncAnswer
from turngraph.providers.wire.http_errors import deadline_passed, http_errors_translated
from turngraph.providers.wire.http_session import Session, close_sessions
from turngraph.providers.wire.loop_thread import LOOP_THREAD
from turngraph.providers.wire.network import Network
from turngraph.providers.wire.status_error import HttpStatusError

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession, ClientTimeout

__all__ = ["HttpTransport"]

_ERROR_BYTES: Final = 1_000_000
_ERROR_S: Final = 10.0
_LARGE_BYTES: Final = 1_000_000


@dataclass(frozen=True, eq=False)
class HttpTransport:
    """Sends HTTP requests to the endpoint of one configuration. Raises what `Network` raises.

    There is one aiohttp session, and so one pool of connections, for each event loop.
    """

    config: ProviderConfig
    _network: Network = field(init=False, repr=False)
    _sessions: "WeakKeyDictionary[asyncio.AbstractEventLoop, Session]" = field(
        default_factory=WeakKeyDictionary, init=False, repr=False
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "_network", Network(self.config))
        # A transport that is dropped closes its connections, instead of leaving them to the
        # interpreter, which would warn about every one of them.
        weakref.finalize(self, close_sessions, self._sessions)

    @contextmanager
    def post(
        self, path: str, content: bytes, headers: Mapping[str, str], silence_s: float | None = None
    ) -> Iterator[SyncAnswer]:
        """Posts `content`, a JSON text, to `path` below the endpoint and yields the response.

        The response is released when the block ends. Raises HttpStatusError for a status of 300 or
        higher, and ProviderError if no answer came.

        Args:
            path: as `endpoint.request_path` returns it.
            headers: sent beside the configured ones.
            silence_s: the longest wait, in seconds, if that is less than configured.
        """
        answer = LOOP_THREAD.run(self._open(_Request(path, content, None, headers, silence_s)))
        try:
            yield answer
        finally:
            answer.release()

    @contextmanager
    def get(
        self,
        path: str,
        params: Mapping[str, object],
        headers: Mapping[str, str],
        silence_s: float | None = None,
    ) -> Iterator[SyncAnswer]:
        """Gets `path` below the endpoint, with `params` in its query. Otherwise as `post`."""
        answer = LOOP_THREAD.run(self._open(_Request(path, None, params, headers, silence_s)))
        try:
            yield answer
        finally:
            answer.release()

    @asynccontextmanager
    async def apost(
        self, path: str, content: bytes, headers: Mapping[str, str], silence_s: float | None = None
    ) -> AsyncIterator[Answer]:
        """Async version of `post`."""
        response = await self._send(_Request(path, content, None, headers, silence_s))
        try:
            yield Answer(response, self.config.vendor)
        finally:
            # aiohttp keeps the connection if the body was read to its end, and closes it if not.
            response.release()

    @asynccontextmanager
    async def aforward(
        self, path: str, content: bytes, headers: Mapping[str, str]
    ) -> AsyncIterator[Answer]:
        """Posts `content` as it is to `path`, and yields what comes back, whatever its status.

        `headers` are sent beside the configured ones, and replace all of those but the key's.
        Raises ProviderError if no answer came.
        """
        with http_errors_translated(self.config.vendor, silence_s=self._silence_s(None)):
            response = await self._send_unchecked(_Request(path, content, None, headers, None))
        try:
            yield Answer(response, self.config.vendor)
        finally:
            response.release()

    async def _open(self, request: "_Request") -> SyncAnswer:
        """Sends the request. Waits for the body too, unless it is streamed or large."""
        total_s = self._total_s(request.silence_s)
        ends_at = time.monotonic() + total_s
        with deadline_passed(self.config.vendor, total_s):
            async with asyncio.timeout(total_s):
                response = await self._send(request)
        return await SyncAnswer.start(Answer(response, self.config.vendor), ends_at)

    async def _send(self, request: "_Request") -> "ClientResponse":
        """Sends `request`. Raises HttpStatusError for a status of 300 or higher."""
        ends_at = time.monotonic() + self._total_s(request.silence_s)
        silence_s = self._silence_s(request.silence_s)
        with http_errors_translated(self.config.vendor, silence_s=silence_s):
            response = await self._send_unchecked(request)
            if response.status >= 300:
                raise await _status_error(response, ends_at - time.monotonic())
            return response

    async def _send_unchecked(self, request: "_Request") -> "ClientResponse":
        """Sends `request` on the running loop. Any status is an answer."""
        path, content, params, headers, silence_s = request
        session = await self._session()
        # aiohttp sends a file in pieces, and warns of a large body that is one piece of bytes.
        large = content is not None and len(content) > _LARGE_BYTES
        response = await session.request(
            "GET" if content is None else "POST",
            self._url(path, params),
            data=io.BytesIO(content) if large and content else content,
            headers=self._with_own_headers(headers),
            timeout=self._timeout(silence_s),
            allow_redirects=False,
            proxy=self._network.proxy,
            proxy_headers=self._network.tunnel_headers,
            ssl=self._network.tls,
        )
        # aiohttp has one limit for all silences of an answer. It was that for the first byte;
        # `AnswerReader` measures the later ones by `idle_s`.
        connection = response.connection
        if connection is not None and connection.protocol is not None:
            timeouts = self.config.timeouts
            longest_s = max(timeouts.first_byte_s, timeouts.idle_s)
            connection.protocol.read_timeout = self._at_most(longest_s, silence_s)
            connection.protocol.start_timeout()
        return response

    def close(self) -> None:
        """Closes the connections of sync code. The next request opens new ones."""
        if LOOP_THREAD.has(self._sessions):
            LOOP_THREAD.run(self._close_on_this_loop())

    async def aclose(self) -> None:
        """Closes the connections of the running event loop, and those of sync code."""
        await self._close_on_this_loop()
        if LOOP_THREAD.has(self._sessions):
            await asyncio.to_thread(self.close)

    async def _close_on_this_loop(self) -> None:
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()

    async def _session(self) -> "ClientSession":
        # Connections of one loop cannot be used on another, and notebooks and tests run several.
        loop = asyncio.get_running_loop()
        if loop not in self._sessions:
            self._sessions[loop] = await Session.start()
        return self._sessions[loop].client

    def _with_own_headers(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        from multidict import CIMultiDict

        together = CIMultiDict(self._headers)
        together.update(headers)
        return together

    @cached_property
    def _headers(self) -> dict[str, str]:
        """The headers of every request. Those that the caller configured win."""
        config, key = self.config, self.config.api_key
        headers = {"Content-Type": "application/json", "User-Agent": "turngraph"}
        headers |= self._network.request_headers
        if key is not None:
            name, prefix = key_header(config)
            headers[name] = f"{prefix}{key.get_secret_value()}"
        if config.organization is not None:
            headers["OpenAI-Organization"] = config.organization
        if config.project is not None:
            headers["OpenAI-Project"] = config.project
        given = {name.lower() for name in config.headers}
        return {
            **{name: value for name, value in headers.items() if name.lower() not in given},
            **config.headers,
        }

    def _url(self, path: str, params: Mapping[str, object] | None) -> Any:
        from yarl import URL

        query = urlencode({**self._query, **_flat(params)}) if params else self._encoded_query
        # `encoded`: what `request_url` shows is what is sent, character by character.
        url = f"{self._root}{path}"
        return URL(f"{url}?{query}" if query else url, encoded=True)

    @cached_property
    def _root(self) -> str:
        return endpoint_root(self.config)

    @cached_property
    def _query(self) -> Mapping[str, str]:
        return endpoint_query(self.config)

    @cached_property
    def _encoded_query(self) -> str:
        return urlencode(self._query)

    def _total_s(self, silence_s: float | None) -> float:
        return self._at_most(self.config.timeouts.total_s, silence_s)

    def _silence_s(self, silence_s: float | None) -> float:
        """The longest time to the first byte of an answer."""
        return self._at_most(self.config.timeouts.first_byte_s, silence_s)

    def _timeout(self, silence_s: float | None) -> "ClientTimeout":
        from aiohttp import ClientTimeout

        connect_s = self._at_most(self.config.timeouts.connect_s, silence_s)
        return ClientTimeout(
            total=None,
            connect=connect_s,
            sock_connect=connect_s,
            sock_read=self._silence_s(silence_s),
        )

    @staticmethod
    def _at_most(seconds: float, silence_s: float | None) -> float:
        return seconds if silence_s is None else min(seconds, silence_s)


class _Request(NamedTuple):
    """One HTTP request: a POST of `content`, or a GET without it."""

    path: str
    content: bytes | None
    params: Mapping[str, object] | None
    headers: Mapping[str, str]
    silence_s: float | None
    """The longest wait, in seconds, if that is less than configured."""


def _flat(params: Mapping[str, object]) -> dict[str, object]:
    """Returns query parameters with nested ones in OpenAI's form: `metadata[key]=value`."""
    flat: dict[str, object] = {}
    for name, value in params.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}[{key}]": inner for key, inner in value.items()}
        else:
            flat[name] = value
    return flat


async def _status_error(response: "ClientResponse", left_s: float) -> HttpStatusError:
    """Returns the error for a status of 300 or higher, with the beginning of its body.

    `left_s` is the time left for the whole exchange. The body gets half of it at most: the status
    is known and must not be lost to the timeout of a body that drips.
    """
    from aiohttp import ClientError

    body = bytearray()
    try:
        async with asyncio.timeout(min(_ERROR_S, left_s / 2)):
            while len(body) < _ERROR_BYTES and (piece := await response.content.readany()):
                body += piece
    except (TimeoutError, ClientError):
        response.close()  # what has arrived by now is what can be said
    finally:
        response.release()
    return HttpStatusError(response.status, dict(response.headers), bytes(body[:_ERROR_BYTES]))
