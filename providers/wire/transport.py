"""Bytes out, bytes in: one HTTP exchange at a time, sync or async, with the promises a turn needs.

What this module promises to its callers, whatever HTTP client is below it:

- One `post` or `get` is one HTTP request. Nothing is retried here, because every attempt must be
  seen by the ledger, and no redirect is followed, because a prompt must not be sent elsewhere.
- The body is posted as the bytes that were handed in, so what is sent is what was shown.
- An answer is handed on as bytes while it arrives, and never collected here. Its size, and the time
  it may take as a whole, are limited by the caller, who sees every piece (`AnswerReader`). Here
  only the time to connect and the silence between two pieces are limited: by the configured
  timeouts, and by `silence_s` if that is less.
- A status of 300 or higher raises HttpStatusError. Of such a body at most 1 MB is read, for at most
  10 seconds. (A client that a LangChain model brought along has no such limit.)
- A failed connection raises ProviderError. Its `billed` is "none" only if nothing was sent; if the
  request may have arrived, it is "unknown", since the vendor may charge for it.
- The connection of an answer is released when its `with` block ends, however it ends. A connection
  whose answer was read to its end is kept open for the next request (keep-alive).
- There is one client for sync code and one for each event loop: an async client belongs to the loop
  that first used it. It is closed by `aclose`, and when that loop shuts down; the sync client is
  closed by `close`, and when the transport is garbage-collected. Clients that somebody handed in
  are never closed here.
- No environment variable is read: no proxy and no key gets in that way.

Today the client is the OpenAI SDK's, for authentication, Azure and connection pools. Only its raw
`post(…)` is used: its typed `create(…)` walks every message of the conversation, which takes 240 ms
of CPU at 400 messages.
"""

import asyncio
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, cast
from weakref import WeakKeyDictionary

from turngraph.providers.wire.connection_errors import translated_errors
from turngraph.providers.wire.error_bodies import HttpStatusError

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI
    from openai._types import RequestOptions

__all__ = ["HttpStatusError", "RawResponse", "Transport"]

_RAW_RESPONSE: Final = {"X-Stainless-Raw-Response": "stream"}
"""Asks the SDK for an unread response; its own `with_streaming_response` sends the same header."""


class RawResponse(Protocol):
    """The part of the SDK's response that is used: status, headers, and the body in pieces."""

    status_code: int
    headers: Mapping[str, str]

    def iter_bytes(self) -> Iterator[bytes]: ...  # noqa: D102
    def aiter_bytes(self) -> AsyncIterator[bytes]: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102
    async def aclose(self) -> None: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class Transport:
    """Sends HTTP requests to one endpoint with one key. The module's docstring lists its promises.

    Clients are made when they are first used.
    """

    vendor: str
    """The vendor's name, for errors."""
    make_sync: Callable[[], "OpenAI"]
    make_async: Callable[[], "AsyncOpenAI"]
    base_prefix: str = ""
    """The beginning of request paths that the client's own base URL already ends with."""
    owns_clients: bool = True
    """Whether the clients are closed here. False for clients that somebody else handed in."""
    _sync: "list[OpenAI]" = field(default_factory=list, init=False, repr=False)
    _async: "WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopClient]" = field(
        default_factory=WeakKeyDictionary, init=False, repr=False
    )

    def __post_init__(self) -> None:
        # A transport that is dropped closes its connections, instead of leaving them to the
        # interpreter, which would warn about every one of them.
        if self.owns_clients:
            weakref.finalize(self, _close_all, self._sync)

    @contextmanager
    def post(
        self, path: str, content: bytes, headers: Mapping[str, str], silence_s: float | None = None
    ) -> Iterator[RawResponse]:
        """Posts `content`, a JSON text, to `path` below the endpoint and yields the response.

        The response is closed when the block ends. Raises HttpStatusError for a status of 300 or
        higher, and ProviderError if no answer came.

        Args:
            path: as `endpoint.request_path` returns it.
            headers: sent beside the configured ones.
            silence_s: the longest silence, in seconds, if that is less than configured.
        """
        path = path.removeprefix(self.base_prefix)
        with (
            self._sync_request(headers, silence_s) as (client, options),
            _closing(client.post(path, content=content, cast_to=object, options=options)) as raw,
        ):
            yield raw

    @contextmanager
    def get(
        self,
        path: str,
        params: Mapping[str, object],
        headers: Mapping[str, str],
        silence_s: float | None = None,
    ) -> Iterator[RawResponse]:
        """Gets `path` below the endpoint, with `params` in its query. Otherwise as `post`."""
        with self._sync_request(headers, silence_s) as (client, options):
            options["params"] = params
            with _closing(client.get(path, cast_to=object, options=options)) as raw:
                yield raw

    @contextmanager
    def _sync_request(
        self, headers: Mapping[str, str], silence_s: float | None
    ) -> "Iterator[tuple[OpenAI, RequestOptions]]":
        if not self._sync:
            self._sync.append(self.make_sync())
        with translated_errors(self.vendor):
            client = self._sync[0]
            yield client, _request_options(headers, silence_s, client.timeout)

    @asynccontextmanager
    async def apost(
        self, path: str, content: bytes, headers: Mapping[str, str], silence_s: float | None = None
    ) -> AsyncIterator[RawResponse]:
        """Async version of `post`."""
        path = path.removeprefix(self.base_prefix)
        # Connections of one loop cannot be used on another, and notebooks and tests run several.
        loop = asyncio.get_running_loop()
        if loop not in self._async:
            self._async[loop] = await _LoopClient.start(self.make_async(), self.owns_clients)
        with translated_errors(self.vendor):
            client = self._async[loop].client
            options = _request_options(headers, silence_s, client.timeout)
            response = await client.post(path, content=content, cast_to=object, options=options)
            raw = _raw_response(response)
            try:
                yield raw
            finally:
                await raw.aclose()

    def close(self) -> None:
        """Closes the connections of the sync client. The next request opens new ones."""
        if self.owns_clients:
            _close_all(self._sync)

    async def aclose(self) -> None:
        """Closes the connections of the running event loop, and those of the sync client."""
        self.close()
        kept = self._async.pop(asyncio.get_running_loop(), None)
        if kept is not None:
            await kept.closer.aclose()


@contextmanager
def _closing(response: object) -> Iterator[RawResponse]:
    raw = _raw_response(response)
    try:
        yield raw
    finally:
        raw.close()


def _raw_response(response: object) -> RawResponse:
    """Returns the unread response: with `cast_to=object`, the SDK's types do not know of it."""
    return cast("RawResponse", getattr(response, "http_response"))  # noqa: B009


def _close_all(clients: "list[OpenAI]") -> None:
    while clients:
        clients.pop().close()


@dataclass(frozen=True)
class _LoopClient:
    """An async client that, if it is ours, is closed when its event loop shuts down.

    `asyncio.run` closes the async generators of its loop at the end, and a generator that waits at
    its `yield` then runs its `finally`. There is no other hook for the end of a loop.
    """

    client: "AsyncOpenAI"
    closer: AsyncGenerator["AsyncOpenAI", None]

    @classmethod
    async def start(cls, client: "AsyncOpenAI", owned: bool) -> "_LoopClient":
        closer = _close_with_loop(client, owned)
        await anext(closer)
        return cls(client, closer)


async def _close_with_loop(
    client: "AsyncOpenAI", owned: bool
) -> AsyncGenerator["AsyncOpenAI", None]:
    try:
        yield client
    finally:
        if owned:
            await client.close()


def _request_options(
    headers: Mapping[str, str], silence_s: float | None, client_timeout: Any
) -> "RequestOptions":
    # Retries and redirects are off in our own clients; a client handed in may have them on.
    options: RequestOptions = {
        "headers": {"Content-Type": "application/json", **headers, **_RAW_RESPONSE},
        "max_retries": 0,
        "follow_redirects": False,
    }
    if silence_s is not None:
        options["timeout"] = _at_most(client_timeout, silence_s)
    return options


def _at_most(client_timeout: Any, limit_s: float) -> Any:
    """Returns the client's own timeouts, none of them longer than `limit_s` seconds.

    What is left of a turn's time only shortens them: a long turn is no reason to wait longer.
    """
    import openai

    if isinstance(client_timeout, openai.Timeout):
        waits = {
            name: limit_s if wait is None else min(wait, limit_s)
            for name, wait in client_timeout.as_dict().items()
        }
        return openai.Timeout(**waits)
    return limit_s if client_timeout is None else min(client_timeout, limit_s)
