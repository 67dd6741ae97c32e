"""A transport on the OpenAI SDK's clients of a LangChain model, with their authentication.

It keeps the promises of `transport.py`. Only the raw `post(…)` of the SDK is used: its typed
`create(…)` walks every message of the conversation, which takes 240 ms of CPU at 400 messages.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from turngraph.providers.wire.endpoint import deployment_prefix
from turngraph.providers.wire.sdk_errors import other_loops_translated, translated_errors

if TYPE_CHECKING:
    from langchain_openai.chat_models.base import BaseChatOpenAI
    from openai import AsyncOpenAI, OpenAI
    from openai._types import RequestOptions

__all__ = ["RawResponse", "SdkTransport"]

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


class _Answer:
    """A response of the SDK's client, whose errors are translated while its body is read."""

    def __init__(self, raw: RawResponse, vendor: str) -> None:
        self.status_code, self.headers = raw.status_code, raw.headers
        self._raw, self._vendor = raw, vendor

    def iter_bytes(self) -> Iterator[bytes]:
        """Yields the body as it arrives."""
        with translated_errors(self._vendor):
            yield from self._raw.iter_bytes()

    async def aiter_bytes(self) -> AsyncGenerator[bytes, None]:
        """Async version of `iter_bytes`."""
        with translated_errors(self._vendor):
            async for piece in self._raw.aiter_bytes():
                yield piece

    def end_within(self, seconds: float) -> None:
        """Does nothing: the client's own timeouts hold."""


class SdkTransport:
    """Sends HTTP requests by the clients of a LangChain chat model.

    The clients belong to the chat model, which may share them with others: they are never closed
    here. Its async client should stay on one event loop: on another one, a request that meets a
    connection of the first fails, and is made again.
    """

    def __init__(self, chat: "BaseChatOpenAI", *, vendor: str) -> None:
        self._chat, self._vendor = chat, vendor

    @cached_property
    def _client(self) -> "OpenAI":
        return cast("OpenAI", self._chat.root_client.with_options(max_retries=0))

    @cached_property
    def _async_client(self) -> "AsyncOpenAI":
        return cast("AsyncOpenAI", self._chat.root_async_client.with_options(max_retries=0))

    @cached_property
    def _base_prefix(self) -> str:
        """The beginning of a path that the client's base URL has already: `AzureChatOpenAI` has the
        deployment in its base URL, and so have our paths.
        """
        client = self._chat.root_client
        return deployment_prefix(str(client.base_url)) if client else ""

    @contextmanager
    def post(
        self, path: str, content: bytes, headers: Mapping[str, str], silence_s: float | None = None
    ) -> Iterator[_Answer]:
        """Posts as `Transport.post` says."""
        path = path.removeprefix(self._base_prefix)
        with translated_errors(self._vendor):
            client = self._client
            options = _request_options(headers, silence_s, client.timeout)
            raw = _raw_response(client.post(path, content=content, cast_to=object, options=options))
            try:
                yield _Answer(raw, self._vendor)
            finally:
                raw.close()

    @contextmanager
    def get(
        self,
        path: str,
        params: Mapping[str, object],
        headers: Mapping[str, str],
        silence_s: float | None = None,
    ) -> Iterator[_Answer]:
        """Gets as `Transport.get` says."""
        with translated_errors(self._vendor):
            client = self._client
            options = _request_options(headers, silence_s, client.timeout)
            options["params"] = params
            raw = _raw_response(client.get(path, cast_to=object, options=options))
            try:
                yield _Answer(raw, self._vendor)
            finally:
                raw.close()

    @asynccontextmanager
    async def apost(
        self, path: str, content: bytes, headers: Mapping[str, str], silence_s: float | None = None
    ) -> AsyncIterator[_Answer]:
        """Async version of `post`."""
        path = path.removeprefix(self._base_prefix)
        with translated_errors(self._vendor):
            client = self._async_client
            options = _request_options(headers, silence_s, client.timeout)
            with other_loops_translated(self._vendor):
                response = await client.post(path, content=content, cast_to=object, options=options)
            raw = _raw_response(response)
            try:
                yield _Answer(raw, self._vendor)
            finally:
                await raw.aclose()

    def close(self) -> None:
        """Does nothing: the clients are the chat model's."""

    async def aclose(self) -> None:
        """Does nothing: the clients are the chat model's."""


def _raw_response(response: object) -> RawResponse:
    """Returns the unread response: with `cast_to=object`, the SDK's types do not know of it."""
    return cast("RawResponse", getattr(response, "http_response"))  # noqa: B009


def _request_options(
    headers: Mapping[str, str], silence_s: float | None, client_timeout: object
) -> "RequestOptions":
    # Both may be on in a client that was handed in.
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
