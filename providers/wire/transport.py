"""The wire itself: bytes out, bytes in, through the OpenAI SDK's client, sync and async.

The SDK keeps what it is good at (authentication, Azure, connection pools, proxies). Its typed
`create(…)` walks every message of the conversation and costs 240 ms of CPU at 400 messages; its raw
`post(…)` does not. Its retries are off, because each attempt is one turngraph must see; redirects
are off, because a prompt must not follow one elsewhere.
"""

import asyncio
import importlib
import socket
import time
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, cast
from weakref import WeakKeyDictionary

from turngraph.state.errors import ProviderError

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI
    from openai._types import RequestOptions

__all__ = ["HttpStatusError", "RawAnswer", "Transport"]

_STREAMED: Final = {"X-Stainless-Raw-Response": "stream"}
"""Asks the SDK for the response unread; what its own `with_streaming_response` sends."""


class RawAnswer(Protocol):
    """The part of the SDK's response that is used: a status, headers, and the body in pieces."""

    status_code: int
    headers: Mapping[str, str]

    def iter_bytes(self) -> Iterator[bytes]: ...  # noqa: D102
    def aiter_bytes(self) -> AsyncIterator[bytes]: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102
    async def aclose(self) -> None: ...  # noqa: D102


class HttpStatusError(Exception):
    """An answer of status 300 or more, read up to the limit."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body
        super().__init__(f"status {status}")


@dataclass(frozen=True, eq=False)
class Transport:
    """Posts JSON to one endpoint with one key. Holds one sync client and, for async, one per event
    loop.

    A client belongs to the loop it was first used on, and dies with it: notebooks and tests run
    several.
    """

    vendor: str
    make_sync: Callable[[], "OpenAI"]
    make_async: Callable[[], "AsyncOpenAI"]
    _sync: "list[OpenAI]" = field(default_factory=list, init=False, repr=False)
    _async: "WeakKeyDictionary[asyncio.AbstractEventLoop, _Kept]" = field(
        default_factory=WeakKeyDictionary, init=False, repr=False
    )

    def __post_init__(self) -> None:
        # A turn that is dropped closes its connections; it does not leave them to the interpreter's
        # warnings.
        weakref.finalize(self, _close_all, self._sync)

    @contextmanager
    def post(
        self, path: str, content: bytes, headers: Mapping[str, str], silence_s: float | None = None
    ) -> Iterator[RawAnswer]:
        """The answer to `content` posted to `path`; closed on leaving. Raises HttpStatusError and
        ProviderError.

        `silence_s` shortens how long nothing may come.
        """
        with (
            self._asking(headers, silence_s) as (client, options),
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
    ) -> Iterator[RawAnswer]:
        """What stands at `path`; closed on leaving. Raises HttpStatusError and ProviderError."""
        with self._asking(headers, silence_s) as (client, options):
            options["params"] = params
            with _closing(client.get(path, cast_to=object, options=options)) as raw:
                yield raw

    @contextmanager
    def _asking(
        self, headers: Mapping[str, str], silence_s: float | None
    ) -> "Iterator[tuple[OpenAI, RequestOptions]]":
        if not self._sync:
            self._sync.append(self.make_sync())
        with _translated(self.vendor):
            client = self._sync[0]
            yield client, _options(headers, silence_s, client.timeout)

    @asynccontextmanager
    async def apost(
        self, path: str, content: bytes, headers: Mapping[str, str], silence_s: float | None = None
    ) -> AsyncIterator[RawAnswer]:
        """`post`, on the running event loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._async:
            self._async[loop] = await _Kept.start(self.make_async())
        with _translated(self.vendor):
            client = self._async[loop].client
            options = _options(headers, silence_s, client.timeout)
            answer = await client.post(path, content=content, cast_to=object, options=options)
            raw = cast("RawAnswer", getattr(answer, "http_response"))  # noqa: B009
            try:
                yield raw
            finally:
                await raw.aclose()

    def close(self) -> None:
        """Close the sync client's connections."""
        _close_all(self._sync)

    async def aclose(self) -> None:
        """Close the connections of the running event loop, and the sync client's."""
        self.close()
        kept = self._async.pop(asyncio.get_running_loop(), None)
        if kept is not None:
            await kept.keeper.aclose()


@contextmanager
def _closing(answer: object) -> Iterator[RawAnswer]:
    """The SDK's answer as what it is, though typed as `object`; closed on leaving."""
    raw = cast("RawAnswer", getattr(answer, "http_response"))  # noqa: B009
    try:
        yield raw
    finally:
        raw.close()


def _close_all(clients: "list[OpenAI]") -> None:
    while clients:
        clients.pop().close()


@dataclass(frozen=True)
class _Kept:
    """An async client that is closed when its event loop shuts down, as `asyncio.run` does with
    async generators.
    """

    client: "AsyncOpenAI"
    keeper: AsyncGenerator["AsyncOpenAI", None]

    @classmethod
    async def start(cls, client: "AsyncOpenAI") -> "_Kept":
        keeper = _keep(client)
        await anext(keeper)
        return cls(client, keeper)


async def _keep(client: "AsyncOpenAI") -> AsyncGenerator["AsyncOpenAI", None]:
    try:
        yield client
    finally:
        await client.close()


def _options(
    headers: Mapping[str, str], silence_s: float | None, configured: Any
) -> "RequestOptions":
    options: RequestOptions = {
        "headers": {"Content-Type": "application/json", **headers, **_STREAMED},
        "max_retries": 0,
        "follow_redirects": False,
    }
    if silence_s is not None:
        options["timeout"] = _shorter(configured, silence_s)
    return options


def _shorter(configured: Any, most: float) -> Any:
    """The client's own timeouts, none of them longer than `most` seconds: a long turn is no reason
    to wait longer.
    """
    import openai

    if isinstance(configured, openai.Timeout):
        waits = {
            name: most if wait is None else min(wait, most)
            for name, wait in configured.as_dict().items()
        }
        return openai.Timeout(**waits)
    return most if configured is None else min(configured, most)


def _http_library() -> Any:
    """`httpx` up to SDK 2, `httpx2` from SDK 3: whichever the SDK itself runs on."""
    import openai

    homes = (cls.__module__.partition(".")[0] for cls in openai.DefaultHttpxClient.__mro__)
    return importlib.import_module(next(home for home in homes if home.startswith("httpx")))


@contextmanager
def _translated(vendor: str) -> Iterator[None]:
    """The SDK's and its HTTP library's errors as HttpStatusError and ProviderError."""
    import openai

    http = _http_library()
    try:
        yield
    except openai.APIStatusError as exc:
        raise HttpStatusError(exc.status_code, exc.response.headers, exc.response.content) from None
    except (
        openai.APITimeoutError,
        openai.APIConnectionError,
        http.HTTPError,
        http.StreamError,
    ) as exc:
        raise _translation(exc, vendor, http) from exc


def _translation(exc: Exception, vendor: str, http: Any) -> ProviderError:
    """What became of a request that brought no answer.

    The SDK's transport over aiohttp tells every broken connection as a connection that was not made
    in time, also one that broke after the request was sent, which may cost; so what aiohttp itself
    raised is looked at.
    """
    chain = _chain(exc)
    origin = chain[-1]
    if isinstance(origin, socket.gaierror):
        return ProviderError(
            "the endpoint's host name is unknown", kind="connection", vendor=vendor
        )
    if isinstance(origin, ConnectionRefusedError):
        return ProviderError("nobody answers at the endpoint", kind="connection", vendor=vendor)
    cause = exc.__cause__ or exc
    own = next((link for link in chain if type(link).__module__.startswith("aiohttp.")), None)
    connecting = "Connect" in type(cause).__name__ if own is None else _connects(own)
    billed: Literal["none", "unknown"] = "none" if connecting else "unknown"
    if isinstance(cause, http.TimeoutException) if own is None else isinstance(own, TimeoutError):
        what = (
            "no connection in the time allowed" if connecting else "no answer in the time allowed"
        )
        return ProviderError(what, kind="timeout", vendor=vendor, billed=billed)
    what = "nobody answers" if connecting else "the connection broke"
    named = type(own or cause).__name__
    return ProviderError(f"{what} ({named})", kind="connection", vendor=vendor, billed=billed)


def _connects(error: BaseException) -> bool:
    """Whether an error of aiohttp came before anything was sent:
    https://docs.aiohttp.org/en/stable/client_reference.html
    """
    before = ("ClientConnectorError", "ConnectionTimeoutError")
    return any(kind.__name__ in before for kind in type(error).__mro__)


def _chain(exc: BaseException) -> list[BaseException]:
    """An error and those it came from, back to where it began."""
    links = [exc]
    while (earlier := links[-1].__cause__ or links[-1].__context__) is not None:
        links.append(earlier)
    return links


def refuse_large_errors(
    limit: int, within_s: float
) -> tuple[Callable[[Any], None], Callable[[Any], Any]]:
    """Response hooks, sync and async, that read an error's body and raise HttpStatusError.

    Up to `limit` bytes and for `within_s` seconds: the SDK would read it whole, however long it is
    and takes.
    """

    def hook(response: Any) -> None:
        if response.status_code >= 300:
            raise _error_answer(
                response, _up_to(response.iter_bytes(), limit, time.monotonic() + within_s)
            )

    async def ahook(response: Any) -> None:
        if response.status_code >= 300:
            body, ends = bytearray(), time.monotonic() + within_s
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > limit or time.monotonic() > ends:
                    break
            raise _error_answer(response, bytes(body[:limit]))

    return hook, ahook


def _error_answer(response: Any, body: bytes) -> HttpStatusError:
    return HttpStatusError(response.status_code, dict(response.headers), body)


def _up_to(pieces: Iterator[bytes], limit: int, ends: float) -> bytes:
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > limit or time.monotonic() > ends:
            break
    return bytes(body[:limit])
