"""The transport of turngraph's own: aiohttp, without another client in between.

It keeps the promises of `transport.py`. Sync requests run on the event loop of `LOOP_THREAD`.
"""

import asyncio
import io
import time
import weakref
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode
from weakref import WeakKeyDictionary

from turngraph.providers.config import ProviderConfig
from turngraph.providers.wire.endpoint import endpoint_query, endpoint_root, key_header
from turngraph.providers.wire.http_errors import deadline_passed, http_errors_translated
from turngraph.providers.wire.loop_thread import LOOP_THREAD
from turngraph.providers.wire.status_error import HttpStatusError
from turngraph.state.errors import ProviderError

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession, ClientTimeout

__all__ = ["HttpTransport"]

_ERROR_BYTES: Final = 1_000_000
_ERROR_S: Final = 10.0
_KEEP_ALIVE_S: Final = 60.0
_LARGE_BYTES: Final = 1_000_000
_BUFFER_BYTES: Final = 256_000
"""How much of a body is read ahead of a sync caller."""


@dataclass(frozen=True, eq=False)
class HttpTransport:
    """Sends HTTP requests to the endpoint of one configuration.

    There is one aiohttp session, and so one pool of connections, for each event loop.
    """

    config: ProviderConfig
    _sessions: "WeakKeyDictionary[asyncio.AbstractEventLoop, _Session]" = field(
        default_factory=WeakKeyDictionary, init=False, repr=False
    )

    def __post_init__(self) -> None:
        # A transport that is dropped closes its connections, instead of leaving them to the
        # interpreter, which would warn about every one of them.
        weakref.finalize(self, _close_sessions, self._sessions)

    @contextmanager
    def post(
        self, path: str, content: bytes, headers: Mapping[str, str], silence_s: float | None = None
    ) -> Iterator["_SyncAnswer"]:
        """Posts `content`, a JSON text, to `path` below the endpoint and yields the response.

        The response is released when the block ends. Raises HttpStatusError for a status of 300 or
        higher, and ProviderError if no answer came.

        Args:
            path: as `endpoint.request_path` returns it.
            headers: sent beside the configured ones.
            silence_s: the longest wait, in seconds, if that is less than configured.
        """
        answer = LOOP_THREAD.run(_SyncAnswer.open(self, path, content, None, headers, silence_s))
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
    ) -> Iterator["_SyncAnswer"]:
        """Gets `path` below the endpoint, with `params` in its query. Otherwise as `post`."""
        answer = LOOP_THREAD.run(_SyncAnswer.open(self, path, None, params, headers, silence_s))
        try:
            yield answer
        finally:
            answer.release()

    @asynccontextmanager
    async def apost(
        self, path: str, content: bytes, headers: Mapping[str, str], silence_s: float | None = None
    ) -> AsyncIterator["_Answer"]:
        """Async version of `post`."""
        response = await self.send(path, content, None, headers, silence_s)
        try:
            yield _Answer(response, self.config.vendor)
        finally:
            # aiohttp keeps the connection if the body was read to its end, and closes it if not.
            response.release()

    async def send(
        self,
        path: str,
        content: bytes | None,
        params: Mapping[str, object] | None,
        headers: Mapping[str, str],
        silence_s: float | None,
    ) -> "ClientResponse":
        """Sends one request on the running loop: a POST of `content`, or a GET without it."""
        with http_errors_translated(self.config.vendor):
            session = await self._session()
            # aiohttp sends a file in pieces, and warns of a large body that is one piece of bytes.
            large = content is not None and len(content) > _LARGE_BYTES
            response = await session.request(
                "GET" if content is None else "POST",
                self._url(path, params),
                data=io.BytesIO(content) if large and content else content,
                headers=headers,
                timeout=self._timeout(silence_s),
                allow_redirects=False,
            )
            if response.status >= 300:
                raise await _status_error(response)
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
            self._sessions[loop] = await _Session.start(self._headers)
        return self._sessions[loop].client

    @cached_property
    def _headers(self) -> dict[str, str]:
        """The headers of every request. Those that the caller configured win."""
        config, key = self.config, self.config.api_key
        headers = {"Content-Type": "application/json", "User-Agent": "turngraph"}
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

        query = urlencode({**endpoint_query(self.config), **_flat(params or {})})
        # `encoded`: what `request_url` shows is what is sent, character by character.
        url = f"{endpoint_root(self.config)}{path}"
        return URL(f"{url}?{query}" if query else url, encoded=True)

    def _timeout(self, silence_s: float | None) -> "ClientTimeout":
        from aiohttp import ClientTimeout

        timeouts = self.config.timeouts
        # aiohttp has one limit for all silences of an answer. The first may be the longest: the
        # vendor thinks before it begins. `AnswerReader` measures the later ones by `idle_s`.
        read_s = max(timeouts.first_byte_s, timeouts.idle_s)
        limit_s = float("inf") if silence_s is None else silence_s
        connect_s = min(timeouts.connect_s, limit_s)
        return ClientTimeout(
            total=None, connect=connect_s, sock_connect=connect_s, sock_read=min(read_s, limit_s)
        )

    def total_s(self, silence_s: float | None) -> float:
        """Returns the seconds that a whole exchange may take."""
        total_s = self.config.timeouts.total_s
        return total_s if silence_s is None else min(total_s, silence_s)


@dataclass(eq=False)
class _Answer:
    """An answer whose body arrives, for async code."""

    response: "ClientResponse"
    vendor: str
    broken: Exception | None = None
    """What broke the answer, if bytes that had arrived before were returned first."""

    @property
    def status_code(self) -> int:
        return self.response.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self.response.headers

    async def aiter_bytes(self) -> AsyncGenerator[bytes, None]:
        while piece := await self.next_piece():
            yield piece

    async def next_piece(self) -> bytes:
        """Returns the next bytes of the body; none at its end."""
        with http_errors_translated(self.vendor, answer_began=True):
            if self.broken is not None:
                raise self.broken
            try:
                return await self.response.content.readany()
            except Exception as exc:
                self.response.close()
                # aiohttp raises at once when a connection breaks, though a part of the answer may
                # have arrived before. That part was paid for.
                if arrived := _arrived(self.response):
                    self.broken = exc
                    return arrived
                raise


def _arrived(response: "ClientResponse") -> bytes:
    content: Any = response.content
    content.set_exception(None)
    return bytes(content.read_nowait())


class _SyncAnswer:
    """An answer for sync code.

    A task on the loop's thread reads the body as it arrives, up to a limit. So sync code gets what
    had arrived before a connection broke, and several pieces at once where it is slow.
    """

    def __init__(self, answer: _Answer, ends_at: float) -> None:
        self.status_code, self.headers = answer.status_code, answer.headers
        self._answer, self._ends_at = answer, ends_at
        self._pieces: deque[bytes] = deque()
        self._arrived = 0  # bytes; only the loop's thread adds
        self._taken = 0  # bytes; only the reader's thread adds
        self._error: ProviderError | None = None
        self._ended = False
        self._changed = asyncio.Event()
        self._reading = asyncio.create_task(self._read_all())

    @classmethod
    async def open(
        cls,
        transport: HttpTransport,
        path: str,
        content: bytes | None,
        params: Mapping[str, object] | None,
        headers: Mapping[str, str],
        silence_s: float | None,
    ) -> "_SyncAnswer":
        """Sends the request. Waits for the body too, unless it is streamed or large."""
        total_s = transport.total_s(silence_s)
        ends_at = time.monotonic() + total_s
        with deadline_passed(transport.config.vendor, total_s):
            async with asyncio.timeout(total_s):
                response = await transport.send(path, content, params, headers, silence_s)
        answer = cls(_Answer(response, transport.config.vendor), ends_at)
        if "event-stream" not in response.headers.get("Content-Type", ""):
            try:
                await answer._wait(lambda: answer._buffered >= _BUFFER_BYTES)
            except BaseException:
                answer._close()
                raise
        return answer

    async def _read_all(self) -> None:
        try:
            while piece := await self._answer.next_piece():
                self._pieces.append(piece)
                self._arrived += len(piece)
                self._changed.set()
                await self._until(lambda: self._buffered < _BUFFER_BYTES)
        except ProviderError as exc:
            self._error = exc
        finally:
            self._ended = True
            self._changed.set()

    @property
    def _buffered(self) -> int:
        return self._arrived - self._taken

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def _wait(self, enough: Callable[[], bool]) -> None:
        """Waits until `enough` has arrived, the body has ended, or the whole time is over."""
        left_s = max(0.0, self._ends_at - time.monotonic())
        with deadline_passed(self._answer.vendor, left_s):
            async with asyncio.timeout(left_s):
                self._changed.set()  # the reader may wait for room
                await self._until(lambda: self._ended or enough())

    def iter_bytes(self) -> Iterator[bytes]:
        """Yields the body as it arrives. Raises ProviderError if the connection breaks."""
        while True:
            ended = self._ended  # read first: the last piece may arrive right after the loop below
            while self._pieces:
                piece = self._pieces.popleft()
                self._taken += len(piece)
                yield piece
            if ended:
                break
            LOOP_THREAD.run(self._wait(lambda: bool(self._pieces)))
        if self._error is not None:
            raise self._error

    def end_within(self, seconds: float) -> None:
        """Gives the rest of the body at most so long."""
        self._ends_at = min(self._ends_at, time.monotonic() + seconds)

    def release(self) -> None:
        """Gives the connection back, or closes it if the body was not read to its end."""
        LOOP_THREAD.call(self._close)

    def _close(self) -> None:
        self._reading.cancel()
        self._answer.response.release()


def _flat(params: Mapping[str, object]) -> dict[str, object]:
    """Returns query parameters with nested ones in OpenAI's form: `metadata[key]=value`."""
    flat: dict[str, object] = {}
    for name, value in params.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}[{key}]": inner for key, inner in value.items()}
        else:
            flat[name] = value
    return flat


def _close_sessions(sessions: "WeakKeyDictionary[asyncio.AbstractEventLoop, _Session]") -> None:
    for loop, session in list(sessions.items()):
        if loop.is_running():
            loop.call_soon_threadsafe(_close_soon, loop, session)


def _close_soon(loop: asyncio.AbstractEventLoop, session: "_Session") -> None:
    _closing.add(task := loop.create_task(session.close()))
    task.add_done_callback(_closing.discard)


_closing: Final[set[asyncio.Task[None]]] = set()
"""Tasks that close sessions: an event loop itself holds its tasks only weakly."""


async def _status_error(response: "ClientResponse") -> HttpStatusError:
    """Returns the error for a status of 300 or higher, with the beginning of its body."""
    from aiohttp import ClientError

    body = bytearray()
    try:
        async with asyncio.timeout(_ERROR_S):
            while len(body) < _ERROR_BYTES and (piece := await response.content.readany()):
                body += piece
    except (TimeoutError, ClientError):
        response.close()  # what has arrived by now is what can be said
    finally:
        response.release()
    return HttpStatusError(response.status, dict(response.headers), bytes(body[:_ERROR_BYTES]))


@dataclass(frozen=True)
class _Session:
    """A session that is closed when its event loop shuts down.

    `asyncio.run` closes the async generators of its loop at the end, and a generator that waits at
    its `yield` then runs its `finally`. There is no other hook for the end of a loop.
    """

    client: "ClientSession"
    closer: AsyncGenerator["ClientSession", None]

    async def close(self) -> None:
        """Closes the session and its connections."""
        await self.closer.aclose()

    @classmethod
    async def start(cls, headers: Mapping[str, str]) -> "_Session":
        from aiohttp import ClientSession, DummyCookieJar, TCPConnector

        # No limit on connections: how many turns run at once is the caller's decision. No cookies,
        # because one tenant's must not be sent with the request of another.
        connector = TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S)
        client = ClientSession(connector=connector, headers=headers, cookie_jar=DummyCookieJar())
        closer = _close_with_loop(client)
        await anext(closer)
        return cls(client, closer)


async def _close_with_loop(client: "ClientSession") -> AsyncGenerator["ClientSession", None]:
    try:
        yield client
    finally:
        await client.close()
