"""Reads the body of one answer as its bytes arrive, whether the vendor sent a stream of events or
one JSON body.

This module does no I/O and reads no clock: the transport hands in the bytes and the time.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from math import inf
from typing import Final

from turngraph.providers.reading.asked import Asked
from turngraph.providers.reading.body_format import (
    BLANK,
    PINGS,
    BodyFormat,
    body_format,
    json_lines,
)
from turngraph.providers.reading.body_reader import read_body
from turngraph.providers.reading.chat_reader import ChatReader
from turngraph.providers.reading.error_reader import (
    error_of_event,
    is_error,
    read_error,
    request_id_of,
    unusable,
    with_origin,
)
from turngraph.providers.reading.json_text import CLEANED_NOTE, parse_json
from turngraph.providers.reading.read_limits import ReadLimits, too_large
from turngraph.providers.reading.responses_reader import ResponsesReader
from turngraph.providers.reading.split_characters import HalfCharacters
from turngraph.providers.reading.sse import SseDecoder, SseEvent
from turngraph.state.errors import ProviderError
from turngraph.state.reply import ProviderReply, StreamChunk
from turngraph.state.request import Api

__all__ = ["AnswerReader", "ReadLimits"]

LATE_ERROR_NOTE: Final = "An error came after the end of the answer; it was ignored."


class AnswerReader:
    """Reads one answer: call `feed` with each piece of its body, then `finish` for the reply.

    status, headers: those of the HTTP response. With a `status` of 300 or more, `finish` raises
        the vendor's error.
    streaming: whether a stream was asked for. Vendors sometimes send the other format; it is read
        anyway, and a note on the reply says so.
    asked: what the request asked for, so that choices and calls are read as it meant them.
    secrets: texts that must not appear in an error.
    started_at: when the request was sent, in seconds of the clock whose time `feed` is given.
    idle_s: the longest time from one event to the next.
    total_s: the longest time from `started_at` to the end of the answer.

    `feed` and `finish` raise `ProviderError`, with the vendor, the status and the request id, and
    nothing else.

        >>> reader = AnswerReader("chat", vendor="openai", status=200, headers={}, streaming=True)
        >>> choice = b'{"delta": {"content": "Hi"}, "finish_reason": "stop"}'
        >>> _ = reader.feed(b'data: {"choices": [' + choice + b']}', 0.0)
        >>> reader.finish().text
        'Hi'
    """

    def __init__(
        self,
        api: Api,
        *,
        vendor: str,
        status: int,
        headers: Mapping[str, str],
        streaming: bool,
        limits: ReadLimits | None = None,
        secrets: Iterable[str] = (),
        finish_reason_optional: bool = False,
        asked: Asked = Asked(),  # noqa: B008, a tuple does not change
        started_at: float = 0.0,
        idle_s: float = inf,
        total_s: float = inf,
    ) -> None:
        self._api, self._vendor, self._status, self._streaming = api, vendor, status, streaming
        self._headers = {name.lower(): value for name, value in headers.items()}
        self._limits = limits or ReadLimits()
        self._secrets = tuple(secrets)
        self._finish_reason_optional = finish_reason_optional
        self._asked = asked
        self._deadline, self._total_s = started_at + total_s, total_s
        self._idle_s, self._last_event_at = idle_s, inf
        self._format: BodyFormat = "refusal" if status >= 300 else "unknown"
        self._stored: list[bytes] = []
        self._size = 0
        self._decoder = SseDecoder(max_event_bytes=self._limits.event_bytes)
        self._halves = HalfCharacters()
        self._events = 0
        self._done = self._delivered_chunks = self._at_end = False
        self._deferred: ProviderError | None = None
        self._notes: dict[str, None] = {}

    @property
    def done(self) -> bool:
        """Whether the stream sent `[DONE]`: nothing of the answer comes after it."""
        return self._done

    @property
    def whole(self) -> bool:
        """Whether the answer has come to its end. In Chat Completions its usage may be missing."""
        return self._done or (self._format == "events" and self._reader.whole)

    @property
    def complete(self) -> bool:
        """Whether the answer and its usage are there, though its stream may still be open.

        Some servers never send `[DONE]` and keep the connection open, or ping. In Chat Completions
        a late piece may follow, so a short wait for it is due.
        """
        return self._done or (self._format == "events" and self._reader.complete)

    def survives(self, error: ProviderError) -> bool:
        """Whether what came can be used although its connection broke with `error`: the answer is
        whole, or has begun, and `finish` says what of it is there.
        """
        return self._is_harmless(error) or (self._size > 0 and error.kind == "truncated")

    def _is_harmless(self, error: ProviderError) -> bool:
        return self.complete or (self.whole and error.kind == "timeout")

    @property
    def response_id(self) -> str | None:
        """The vendor's id of the answer, or None until the stream has sent it."""
        return self._reader.response_id if self._format == "events" else None

    def feed(self, data: bytes, now: float) -> list[StreamChunk]:
        """Returns the pieces of the answer that `data`, the next bytes, completes.

        The bytes may be cut anywhere. If `data` holds pieces and then an error, the pieces are
        returned, and the next call raises the error.
        """
        self._raise_deferred()
        if self._format == "refusal":
            self._store_up_to(data, self._limits.error_bytes)
            return []
        events_before = self._events
        chunks: list[StreamChunk] = []
        try:
            self._check_size(len(data))
            for pieces in self._read(data):
                chunks += pieces
            self._check_clock(now, alive=self._events > events_before)
        except ProviderError as exc:
            if self._is_harmless(exc):
                # The answer is whole and paid for, and nothing after its end can spoil it.
                self._done = True
                self._notes[LATE_ERROR_NOTE] = None
            else:
                # The listener has paid for the pieces before the error, so it gets them first.
                self._deferred = exc
        self._delivered_chunks = self._delivered_chunks or bool(chunks)
        if not chunks:
            self._raise_deferred()
        return chunks

    def end(self) -> list[StreamChunk]:
        """Returns the pieces that only the end of the body completes: of a last event without its
        blank line, of text that could have been the start of a think tag.

        Call it after the last byte, or when the connection broke, and then `finish`, which raises
        what is wrong with the end.
        """
        if self._format != "events" or self._at_end or self._deferred is not None:
            return []
        self._at_end = True
        chunks: list[StreamChunk] = []
        try:
            for event in self._decoder.finish():
                chunks += self._read_event(event)
        except ProviderError as exc:
            # Otherwise the connection broke within this event. Whether the answer was complete
            # before it, the reader knows from the finish reason.
            if exc.kind not in ("truncated", "protocol"):
                self._deferred = exc
                return chunks
            self._notes["The last event was cut off; it was ignored."] = None
        if not self._done:
            chunks += self._reader.end(ended=False)
        self._delivered_chunks = self._delivered_chunks or bool(chunks)
        return chunks

    def finish(self) -> ProviderReply:
        """Returns the reply. Call it after `end`."""
        self.end()
        self._raise_deferred()
        if self._format == "refusal":
            raise read_error(
                self._status,
                self._headers,
                self._stored_bytes(),
                self._vendor,
                secrets=self._secrets,
            )
        try:
            streamed = self._format == "events"
            reply = self._reader.finish(ended=self._done) if streamed else self._read_body()
        except ProviderError as exc:
            raise self._with_origin(exc) from exc.__cause__
        notes = (*self._notes, *reply.notes)
        request_id = request_id_of(self._headers)
        return reply.model_copy(
            update={"status": self._status, "request_id": request_id, "notes": notes}
        )

    @cached_property
    def _reader(self) -> ChatReader | ResponsesReader:
        """Reads the events of a stream. A JSON body has a reader of its own."""
        if self._api == "responses":
            return ResponsesReader(vendor=self._vendor, limits=self._limits, asked=self._asked)
        return ChatReader(
            vendor=self._vendor,
            limits=self._limits,
            finish_reason_optional=self._finish_reason_optional,
            asked=self._asked,
        )

    def _read(self, data: bytes) -> Iterator[list[StreamChunk]]:
        if self._format == "unknown":
            data = (self._stored_bytes() + data).lstrip(BLANK)
            self._format = self._recognize_format(data)
            self._stored = [] if self._format == "events" else [data]
        elif self._format == "json":
            self._stored.append(data)
        if self._format != "events":
            return iter(())
        return map(self._read_event, self._decoder.events(data))

    def _recognize_format(self, start: bytes) -> BodyFormat:
        found = body_format(start, content_type=self._headers.get("content-type", ""))
        if found == "json" and self._streaming:
            self._notes["A JSON body came where a stream was asked for."] = None
        if found == "events" and not self._streaming:
            self._notes["A stream came where a JSON body was asked for."] = None
        return found

    def _read_event(self, event: SseEvent) -> list[StreamChunk]:
        if event.data.strip() == "[DONE]":
            self._done = True
            return self._reader.end(ended=True)
        if self._done:
            self._notes["Something came after `[DONE]`; it was ignored."] = None
            return []
        self._events += 1
        try:
            value, cleaned = parse_json(
                event.data,
                depth=self._limits.depth,
                where=f"event {self._events}",
                halves=self._halves,
            )
        except ProviderError as exc:
            if event.data.strip().lower() in PINGS:
                return []
            if event.name == "error":
                raise error_of_event(event.data, vendor=self._vendor, api=self._api) from exc
            if not self._reader.whole or exc.kind != "protocol":
                raise
            self._notes[LATE_ERROR_NOTE] = None
            return []
        if cleaned:
            self._notes[CLEANED_NOTE] = None
        if isinstance(value, dict) and event.name != "error":
            chunks = self._reader.feed_ordinary(value)
            if chunks is not None:
                return chunks
        # Vendors send errors inside a stream of status 200 (OpenRouter, Groq, Berget), so every
        # event is looked at: https://openrouter.ai/docs/api-reference/errors
        if is_error(value, event.name):
            raise error_of_event(value, vendor=self._vendor, api=self._api)
        if not isinstance(value, dict):
            self._notes["An event that is no JSON object was ignored."] = None
            return []
        if "type" not in value and self._api == "responses":
            value["type"] = event.name
        return self._reader.feed(value)

    def _read_body(self) -> ProviderReply:
        data, limits = self._stored_bytes(), self._limits
        if self._streaming and len(lines := json_lines(data)) > 1:
            self._notes["The events came as lines of JSON, without `data:`."] = None
            for line in lines:
                self._read_event(SseEvent("message", line))
            # Each line is whole, or it does not parse, so the last one ends the answer.
            return self._reader.finish(ended=True)
        reply, cleaned = read_body(
            data, self._api, vendor=self._vendor, limits=limits, asked=self._asked
        )
        if cleaned:
            self._notes[CLEANED_NOTE] = None
        return reply

    def _check_size(self, added: int) -> None:
        self._size += added
        if self._size > self._limits.body_bytes:
            raise too_large(f"The answer is larger than {self._limits.body_bytes} bytes.")

    def _store_up_to(self, data: bytes, limit: int) -> None:
        stored = sum(map(len, self._stored))
        if stored < limit:
            self._stored.append(data[: limit - stored])

    def _stored_bytes(self) -> bytes:
        return b"".join(self._stored)

    def _check_clock(self, now: float, *, alive: bool) -> None:
        if self.complete:
            return
        if now > self._deadline:
            text = f"The answer took longer than {self._total_s:g} seconds."
            raise unusable(text, "timeout")
        if alive:
            self._last_event_at = now
        # Comments keep a connection open without an event, so bytes alone do not count as life.
        elif self._format == "events" and now - self._last_event_at > self._idle_s:
            raise unusable(f"No event came for {self._idle_s:g} seconds.", "timeout")

    def _raise_deferred(self) -> None:
        if self._deferred is not None:
            raise self._with_origin(self._deferred) from self._deferred.__cause__

    def _with_origin(self, error: ProviderError) -> ProviderError:
        return with_origin(
            error,
            vendor=self._vendor,
            status=self._status,
            request_id=request_id_of(self._headers),
            secrets=self._secrets,
            delivered_chunks=self._delivered_chunks,
        )
