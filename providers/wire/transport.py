"""What a transport is: bytes out, bytes in, one HTTP exchange at a time, sync or async.

What every transport promises:

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
- Requests go through the configured proxy, or the environment's (`network.py`). Nothing else is
  read from the environment: no key gets in that way.

`HttpTransport` is turngraph's own. `SdkTransport` runs on a client that somebody handed in.
"""

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Protocol

__all__ = ["AsyncResponse", "SyncResponse", "Transport"]


class SyncResponse(Protocol):
    """A response for sync code: its head, and the body in pieces as they arrive."""

    @property
    def status_code(self) -> int: ...  # noqa: D102
    @property
    def headers(self) -> Mapping[str, str]: ...  # noqa: D102
    def iter_bytes(self) -> Iterator[bytes]: ...  # noqa: D102
    def end_within(self, seconds: float) -> None:
        """Gives the rest of the body at most so long, counted from now, where the transport can."""


class AsyncResponse(Protocol):
    """A response for async code."""

    @property
    def status_code(self) -> int: ...  # noqa: D102
    @property
    def headers(self) -> Mapping[str, str]: ...  # noqa: D102
    def aiter_bytes(self) -> AsyncGenerator[bytes, None]: ...  # noqa: D102


class Transport(Protocol):
    """Sends HTTP requests to one endpoint. The module's docstring lists what it promises."""

    def post(
        self, path: str, content: bytes, headers: Mapping[str, str], silence_s: float | None = None
    ) -> AbstractContextManager[SyncResponse]:
        """Posts `content`, a JSON text, to `path` below the endpoint and yields the response.

        The response is released when the block ends. Raises HttpStatusError for a status of 300 or
        higher, and ProviderError if no answer came.

        Args:
            path: as `endpoint.request_path` returns it.
            headers: sent beside the configured ones.
            silence_s: the longest wait, in seconds, if that is less than configured.
        """
        ...

    def get(
        self,
        path: str,
        params: Mapping[str, object],
        headers: Mapping[str, str],
        silence_s: float | None = None,
    ) -> AbstractContextManager[SyncResponse]:
        """Gets `path` below the endpoint, with `params` in its query. Otherwise as `post`."""
        ...

    def apost(
        self, path: str, content: bytes, headers: Mapping[str, str], silence_s: float | None = None
    ) -> AbstractAsyncContextManager[AsyncResponse]:
        """Async version of `post`."""
        ...

    def close(self) -> None:
        """Closes the connections of sync code. The next request opens new ones."""
        ...

    async def aclose(self) -> None:
        """Closes the connections of the running event loop, and those of sync code."""
        ...
