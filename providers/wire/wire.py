"""Sends a payload and reads the answer: whole or piece by piece, sync and async."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from turngraph.providers.config import ProviderConfig
from turngraph.providers.reading.answer_reader import AnswerReader, ReadLimits
from turngraph.providers.reading.asked import Asked
from turngraph.providers.reading.body_reader import chunks_of
from turngraph.providers.reading.error_reader import read_error
from turngraph.providers.reading.json_text import parse_json
from turngraph.providers.reading.read_limits import too_large
from turngraph.providers.vendors.builtin_tools import add_authorization
from turngraph.providers.wire.answer_chunks import (
    OnResponseId,
    answer_chunks,
    async_answer_chunks,
)
from turngraph.providers.wire.endpoint import request_path, request_url
from turngraph.providers.wire.http_errors import whole_time_over
from turngraph.providers.wire.status_error import HttpStatusError
from turngraph.providers.wire.transport import AsyncResponse, SyncResponse, Transport
from turngraph.providers.writing.payload import Payload
from turngraph.state.argument_kinds import SECONDS, check_kinds
from turngraph.state.errors import ProviderError
from turngraph.state.reply import ProviderReply, StreamChunk
from turngraph.state.request import Api

__all__ = ["OnChunk", "OnResponseId", "Wire"]

OnChunk = Callable[[StreamChunk], None]
"""Called with each piece of an answer as it arrives."""

_READ_LIMITS: Final = ReadLimits()


class Wire:
    """One endpoint, called through one API. It retries nothing and remembers no conversation."""

    def __init__(self, config: ProviderConfig, api: Api, transport: Transport) -> None:
        self.config: Final = config
        self.api: Final[Api] = api
        self.url: Final = request_url(config, api)
        self._path: Final = request_path(config, api)
        self._transport: Final = transport
        self._secrets: Final = config.secrets

    def send(
        self,
        payload: Payload | Mapping[str, Any],
        *,
        stream: bool = False,
        on_chunk: OnChunk | None = None,
        on_response_id: OnResponseId | None = None,
        client_request_id: str | None = None,
        within_s: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ProviderReply:
        """Posts `payload` once and returns the answer. Nothing is retried.

        Args:
            payload: the request, as `OpenAIProvider.payload` builds it, or any JSON object.
            stream: ask for a stream. The answer is returned whole in either case.
            on_chunk: called with each piece of a streamed answer as it arrives.
            on_response_id: called once with a streamed answer's id, before its first piece.
            client_request_id: sent as `X-Client-Request-Id`, which OpenAI keeps in its logs.
            within_s: the longest time in seconds for the whole exchange, if that is less than the
                configured `timeouts.total_s`.
            headers: sent beside those of the API, as `traceparent` is.

        Raises ProviderError if no usable answer came back. An answer that stopped early is returned
        with `truncated` set.
        """
        on_chunk = on_chunk or _ignore
        content, sent, asked = self._encode(payload, stream, client_request_id)
        sent.update(headers or {})
        try:
            with self._transport.post(self._path, content, sent, within_s) as raw:
                reader = self._reader(raw, stream, within_s, asked)
                for chunks in answer_chunks(raw, reader, on_response_id):
                    for chunk in chunks:
                        on_chunk(chunk)
                return reader.finish()
        except HttpStatusError as error:
            raise self._provider_error(error) from None

    async def asend(
        self,
        payload: Payload | Mapping[str, Any],
        *,
        stream: bool = False,
        on_chunk: OnChunk | None = None,
        on_response_id: OnResponseId | None = None,
        client_request_id: str | None = None,
        within_s: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ProviderReply:
        """Async version of `send`."""
        on_chunk = on_chunk or _ignore
        content, sent, asked = self._encode(payload, stream, client_request_id)
        sent.update(headers or {})
        try:
            async with (
                self._time_limit(within_s),
                self._transport.apost(self._path, content, sent, within_s) as raw,
            ):
                reader = self._reader(raw, stream, within_s, asked)
                async for chunks in async_answer_chunks(raw, reader, on_response_id):
                    for chunk in chunks:
                        on_chunk(chunk)
                return reader.finish()
        except HttpStatusError as error:
            raise self._provider_error(error) from None

    def stream(
        self,
        payload: Payload | Mapping[str, Any],
        *,
        client_request_id: str | None = None,
        within_s: float | None = None,
    ) -> Generator[StreamChunk | ProviderReply, None, None]:
        """Posts `payload` once for a stream; yields each piece, and the whole answer as the last.

        The request leaves when the first piece is asked for. Pieces are read from the connection
        only as they are taken, and the connection is released when the generator is closed. Takes
        and raises what `send` does.
        """
        content, headers, asked = self._encode(payload, True, client_request_id)
        streamed = False
        try:
            with self._transport.post(self._path, content, headers, within_s) as raw:
                reader = self._reader(raw, True, within_s, asked)
                for chunks in answer_chunks(raw, reader):
                    for chunk in chunks:
                        streamed = True
                        yield chunk
                reply = reader.finish()
        except HttpStatusError as error:
            raise self._provider_error(error) from None
        # A vendor that does not stream answers with one JSON body: its pieces are made from that.
        if not streamed:
            yield from chunks_of(reply)
        yield reply

    async def astream(
        self,
        payload: Payload | Mapping[str, Any],
        *,
        client_request_id: str | None = None,
        within_s: float | None = None,
    ) -> AsyncGenerator[StreamChunk | ProviderReply, None]:
        """Async version of `stream`. Close it (`contextlib.aclosing`) if not all of it is taken."""
        content, headers, asked = self._encode(payload, True, client_request_id)
        streamed = False
        # No time limit around this one: an `asyncio.timeout` must not stay open over a `yield`. The
        # reader's own clock ends an answer that takes too long.
        try:
            async with self._transport.apost(self._path, content, headers, within_s) as raw:
                reader = self._reader(raw, True, within_s, asked)
                async for chunks in async_answer_chunks(raw, reader):
                    for chunk in chunks:
                        streamed = True
                        yield chunk
                reply = reader.finish()
        except HttpStatusError as error:
            raise self._provider_error(error) from None
        if not streamed:
            for chunk in chunks_of(reply):
                yield chunk
        yield reply

    def fetch(
        self, path: str, params: Mapping[str, object] | None = None, *, within_s: float = 30.0
    ) -> Any:
        """Gets `path` below the endpoint once and returns its JSON.

        Raises ProviderError if no JSON comes back in `within_s` seconds, or more than
        `ReadLimits.body_bytes` of it.
        """
        check_kinds({"within_s": SECONDS}, {"within_s": within_s})
        body, deadline = bytearray(), time.monotonic() + within_s
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        try:
            with self._transport.get(path, params or {}, headers, within_s) as raw:
                for data in raw.iter_bytes():
                    body += data
                    if len(body) > _READ_LIMITS.body_bytes:
                        raise too_large(f"An answer above {_READ_LIMITS.body_bytes} bytes.")
                    if time.monotonic() > deadline:
                        raise whole_time_over(self.config.vendor, within_s)
        except HttpStatusError as error:
            raise self._provider_error(error) from None
        return parse_json(body.decode("utf-8", "replace"), depth=_READ_LIMITS.depth)[0]

    def close(self) -> None:
        """Closes the connections that `send`, `stream` and `fetch` opened."""
        self._transport.close()

    async def aclose(self) -> None:
        """Closes the connections opened on the running event loop, and those that `close` does."""
        await self._transport.aclose()

    @asynccontextmanager
    async def _time_limit(self, within_s: float | None) -> AsyncIterator[None]:
        """Limits the whole exchange. The reader's own clock only runs when bytes arrive, so it
        would not notice a server that sends its headers byte by byte.
        """
        total_s = self._total_s(within_s)
        try:
            async with asyncio.timeout(total_s):
                yield
        except TimeoutError as exc:
            raise whole_time_over(self.config.vendor, total_s) from exc

    def _total_s(self, within_s: float | None) -> float:
        configured_s = self.config.timeouts.total_s
        return configured_s if within_s is None else min(within_s, configured_s)

    def _encode(
        self, payload: Payload | Mapping[str, Any], stream: bool, client_request_id: str | None
    ) -> tuple[bytes, dict[str, str], Asked]:
        if not isinstance(payload, Payload):
            payload = Payload(self.api, {**payload})
        if stream and payload.body.get("stream") is not True:
            payload = Payload(self.api, {**payload.body, "stream": True})
        # Tokens join the body only here, so that none stands in the state or is shown.
        if tokens := self.config.mcp_authorization:
            plain = {target: token.get_secret_value() for target, token in tokens.items()}
            payload = Payload(self.api, add_authorization(payload.body, plain))
        headers = {
            "Accept": "text/event-stream" if stream else "application/json",
            # Compressed events would arrive late, in blocks, and their size could not be limited.
            "Accept-Encoding": "identity",
        }
        if client_request_id is not None:
            headers["X-Client-Request-Id"] = client_request_id
        return payload.content, headers, Asked.of(payload.body)

    def _reader(
        self,
        raw: SyncResponse | AsyncResponse,
        stream: bool,
        within_s: float | None,
        asked: Asked,
    ) -> AnswerReader:
        return AnswerReader(
            self.api,
            vendor=self.config.vendor,
            status=raw.status_code,
            headers=raw.headers,
            streaming=stream,
            limits=_READ_LIMITS,
            secrets=self._secrets,
            finish_reason_optional=self.config.profile.finish_reason_optional,
            asked=asked,
            started_at=time.monotonic(),
            idle_s=self.config.timeouts.idle_s,
            total_s=self._total_s(within_s),
        )

    def _provider_error(self, error: HttpStatusError) -> ProviderError:
        return read_error(
            error.status,
            error.headers,
            error.body,
            self.config.vendor,
            secrets=self._secrets,
            now=time.time(),
        )


def _ignore(chunk: StreamChunk) -> None:
    """Stands in for `on_chunk` when nobody listens."""
