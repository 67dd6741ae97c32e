"""Sending a payload and reading the answer, whole or piece by piece, sync and async: what every
provider does.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import quote

from turngraph.providers.config import ProviderConfig
from turngraph.providers.reading.answer_reader import AnswerReader, ReadLimits, chunks_of
from turngraph.providers.reading.error_reader import read_error
from turngraph.providers.reading.json_text import parse_json
from turngraph.providers.reading.read_limits import too_large
from turngraph.providers.vendors.builtin_tools import authorised
from turngraph.providers.wire.transport import HttpStatusError, Transport
from turngraph.providers.writing.payload import Payload
from turngraph.state.errors import ProviderError
from turngraph.state.reply import ProviderReply, StreamChunk
from turngraph.state.request import Api

__all__ = ["OnBegun", "OnChunk", "Wire", "path_of"]

OnChunk = Callable[[StreamChunk], None]
"""Told each piece of an answer as it arrives."""

OnBegun = Callable[[str], None]
"""Told the vendor's id of a streamed answer, once, before its first piece: what it can be asked for
by later.
"""

_PATHS: Final[Mapping[Api, str]] = {"chat": "/chat/completions", "responses": "/responses"}


def path_of(config: ProviderConfig, api: Api) -> str:
    """Where requests go below `base_url`. Azure's dated versions have a path for each deployment,
    its v1 has not: https://learn.microsoft.com/azure/ai-foundry/openai/reference

    >>> path_of(ProviderConfig(vendor="ollama", model="llama3.2"), "chat")
    '/chat/completions'
    """
    endpoint = config.base_url.rstrip("/")
    if (
        config.api_version is None
        or api == "responses"
        or "/deployments/" in endpoint
        or endpoint.endswith("/v1")
    ):
        return _PATHS[api]
    return f"/deployments/{quote(config.model, safe='')}{_PATHS[api]}"


class Wire:
    """One endpoint, asked through one API. Nothing is retried, and nothing of a conversation is
    kept.
    """

    def __init__(self, config: ProviderConfig, api: Api, transport: Transport) -> None:
        self.config: Final = config
        self.api: Final[Api] = api
        self._transport: Final = transport
        self._path: Final = path_of(config, api)

    def send(
        self,
        payload: Payload | Mapping[str, Any],
        *,
        stream: bool = False,
        on_chunk: OnChunk | None = None,
        on_begun: OnBegun | None = None,
        client_request_id: str | None = None,
        within_s: float | None = None,
    ) -> ProviderReply:
        """Post `payload` (or a plain JSON body) once and read the answer.

        With `stream`, `on_begun` is told the answer's id and `on_chunk` each piece as it arrives.
        The whole may take `within_s` seconds, where that is less than the configuration allows.
        Nothing is retried. Raises ProviderError for anything but an answer.
        """
        tell = on_chunk or _silently
        content, headers = self._outgoing(payload, stream, client_request_id)
        try:
            with self._transport.post(self._path, content, headers, within_s) as raw:
                reader = self._reader(raw.status_code, raw.headers, stream, within_s)
                for data in raw.iter_bytes():
                    for chunk in _fed(reader, data, on_begun):
                        tell(chunk)
                    if reader.done:  # a server may keep the line open, and ping
                        break
                return reader.finish()
        except HttpStatusError as answer:
            raise self._error(answer) from None

    async def asend(
        self,
        payload: Payload | Mapping[str, Any],
        *,
        stream: bool = False,
        on_chunk: OnChunk | None = None,
        on_begun: OnBegun | None = None,
        client_request_id: str | None = None,
        within_s: float | None = None,
    ) -> ProviderReply:
        """`send`, on the running event loop."""
        tell = on_chunk or _silently
        content, headers = self._outgoing(payload, stream, client_request_id)
        try:
            async with (
                self._in_time(within_s),
                self._transport.apost(self._path, content, headers, within_s) as raw,
            ):
                reader = self._reader(raw.status_code, raw.headers, stream, within_s)
                async for data in raw.aiter_bytes():
                    for chunk in _fed(reader, data, on_begun):
                        tell(chunk)
                    if reader.done:
                        break
                return reader.finish()
        except HttpStatusError as answer:
            raise self._error(answer) from None

    def pieces(
        self,
        payload: Payload | Mapping[str, Any],
        *,
        client_request_id: str | None = None,
        within_s: float | None = None,
    ) -> Generator[StreamChunk | ProviderReply, None, None]:
        """Post `payload` once, for a stream: each piece when it is asked for, and last the whole
        answer.

        Pulled straight from the connection, which closes when the generator does. Raises
        ProviderError as `send` does.
        """
        content, headers = self._outgoing(payload, True, client_request_id)
        told = False
        try:
            with self._transport.post(self._path, content, headers, within_s) as raw:
                reader = self._reader(raw.status_code, raw.headers, True, within_s)
                for data in raw.iter_bytes():
                    for chunk in reader.feed(data, time.monotonic()):
                        told = True
                        yield chunk
                reply = reader.finish()
        except HttpStatusError as answer:
            raise self._error(answer) from None
        yield from (
            () if told else chunks_of(reply)
        )  # a vendor that does not stream answers with one JSON body
        yield reply

    async def apieces(
        self,
        payload: Payload | Mapping[str, Any],
        *,
        client_request_id: str | None = None,
        within_s: float | None = None,
    ) -> AsyncGenerator[StreamChunk | ProviderReply, None]:
        """`pieces`, on the running event loop. Close it (`contextlib.aclosing`) where not all of it
        is taken.
        """
        content, headers = self._outgoing(payload, True, client_request_id)
        told = False
        try:
            async with self._transport.apost(self._path, content, headers, within_s) as raw:
                reader = self._reader(raw.status_code, raw.headers, True, within_s)
                async for data in raw.aiter_bytes():
                    for chunk in reader.feed(data, time.monotonic()):
                        told = True
                        yield chunk
                reply = reader.finish()
        except HttpStatusError as answer:
            raise self._error(answer) from None
        for chunk in () if told else chunks_of(reply):
            yield chunk
        yield reply

    def fetch(
        self, path: str, params: Mapping[str, object] | None = None, *, within_s: float = 30.0
    ) -> Any:
        """The JSON that stands at `path` below the endpoint, asked for once. Raises ProviderError."""
        body, limits, ends = bytearray(), ReadLimits(), time.monotonic() + within_s
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        try:
            with self._transport.get(path, params or {}, headers, within_s) as raw:
                for data in raw.iter_bytes():
                    body += data
                    if len(body) > limits.body_bytes:
                        raise too_large(f"An answer above {limits.body_bytes} bytes.")
                    if time.monotonic() > ends:
                        raise self._late(within_s)
        except HttpStatusError as answer:
            raise self._error(answer) from None
        return parse_json(body.decode("utf-8", "replace"), depth=limits.depth)[0]

    def close(self) -> None:
        """Close the connections opened by `send` and `pieces`."""
        self._transport.close()

    async def aclose(self) -> None:
        """Close the connections that `close` closes, and those opened on this event loop."""
        await self._transport.aclose()

    @asynccontextmanager
    async def _in_time(self, within_s: float | None) -> AsyncIterator[None]:
        """The reader's clock is looked at when bytes come; this one also runs while a server drips
        its headers.
        """
        total_s = (
            self.config.timeouts.total_s
            if within_s is None
            else min(within_s, self.config.timeouts.total_s)
        )
        try:
            async with asyncio.timeout(total_s):
                yield
        except TimeoutError as exc:
            raise self._late(total_s) from exc

    def _late(self, seconds: float) -> ProviderError:
        text = f"no whole answer within {seconds:g} seconds"
        return ProviderError(text, kind="timeout", vendor=self.config.vendor, billed="unknown")

    def _outgoing(
        self, payload: Payload | Mapping[str, Any], stream: bool, client_request_id: str | None
    ) -> tuple[bytes, dict[str, str]]:
        whole = payload if isinstance(payload, Payload) else Payload(self.api, {**payload})
        if stream and whole.body.get("stream") is not True:
            whole = Payload(self.api, {**whole.body, "stream": True})
        if tokens := self.config.mcp_authorization:
            opened = {target: token.get_secret_value() for target, token in tokens.items()}
            whole = Payload(self.api, authorised(whole.body, opened))
        headers = {
            "Accept": "text/event-stream" if stream else "application/json",
            "Accept-Encoding": "identity",
        }
        if client_request_id is not None:
            headers["X-Client-Request-Id"] = client_request_id
        return whole.content, headers

    def _reader(
        self, status: int, headers: Mapping[str, str], stream: bool, within_s: float | None
    ) -> AnswerReader:
        timeouts = self.config.timeouts
        return AnswerReader(
            self.api,
            vendor=self.config.vendor,
            status=status,
            headers=headers,
            streaming=stream,
            limits=ReadLimits(),
            secrets=self.config.secrets,
            finish_reason_optional=self.config.profile.finish_reason_optional,
            started_at=time.monotonic(),
            idle_s=timeouts.idle_s,
            total_s=timeouts.total_s if within_s is None else min(within_s, timeouts.total_s),
        )

    def _error(self, answer: HttpStatusError) -> ProviderError:
        return read_error(
            answer.status,
            answer.headers,
            answer.body,
            self.config.vendor,
            secrets=self.config.secrets,
            now=time.time(),
        )


def _fed(reader: AnswerReader, data: bytes, on_begun: OnBegun | None) -> list[StreamChunk]:
    """The pieces that `data` completes. The id is told before them, and also where `data` ends in
    an error.
    """
    known = reader.response_id
    try:
        return reader.feed(data, time.monotonic())
    finally:
        if on_begun is not None and known is None and reader.response_id is not None:
            on_begun(reader.response_id)


def _silently(chunk: StreamChunk) -> None:
    """Nobody listens."""
