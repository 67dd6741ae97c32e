"""An answer, read as its bytes arrive: a stream of events or one JSON body, whichever the vendor
really sent.

No input and no output happens here, and no clock is read: the transport hands in bytes and the
time.
"""

from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import Any, Final, Literal

from turngraph.providers.reading.chat_reader import ChatReader, read_chat
from turngraph.providers.reading.error_reader import (
    error_of_event,
    is_error,
    located,
    read_error,
    request_id_of,
)
from turngraph.providers.reading.json_text import CLEANED, parse_json
from turngraph.providers.reading.read_limits import ReadLimits, too_large
from turngraph.providers.reading.responses_reader import ResponsesReader, read_responses
from turngraph.providers.reading.sse import SseDecoder, SseEvent
from turngraph.state.errors import ErrorKind, ProviderError
from turngraph.state.reply import ProviderReply, StreamChunk
from turngraph.state.request import Api

__all__ = ["AnswerReader", "ReadLimits", "chunks_of"]

BLANK: Final = b" \t\r\n\xef\xbb\xbf"
JSON_STARTS: Final = frozenset(b'{["0123456789-tfn')
EVENT_STARTS: Final = (b"data", b"event", b"id", b"retry", b":", b"error")


class AnswerReader:
    """Feed it the body of one answer; `finish` gives the reply.

    `status` and `headers` are the answer's; `streaming` is what was asked for. `started_at` and the
    `now` of `feed` are seconds of the same clock; `idle_s` counts from one event to the next,
    `total_s` from `started_at`. Both methods raise `ProviderError`, with the vendor, the status and
    the request id, and never anything else.

        >>> reader = AnswerReader("chat", vendor="openai", status=200, headers={}, streaming=True)
        >>> _ = reader.feed(b'data: {"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}', 0.0)
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
        started_at: float = 0.0,
        idle_s: float = inf,
        total_s: float = inf,
    ) -> None:
        self._api, self._vendor, self._status, self._streaming = api, vendor, status, streaming
        self._headers = {name.lower(): value for name, value in headers.items()}
        self._limits = limits or ReadLimits()
        self._secrets = tuple(secrets)
        self._finish_reason_optional = finish_reason_optional
        self._deadline, self._total_s = started_at + total_s, total_s
        self._idle_s, self._last_event_at = idle_s, inf
        self._form: Literal["unknown", "events", "json", "refusal"] = (
            "refusal" if status >= 300 else "unknown"
        )
        self._body: list[bytes] = []
        self._size = 0
        self._decoder = SseDecoder(max_event_bytes=self._limits.event_bytes)
        self._events = 0
        self._done = self._begun = False
        self._deferred: ProviderError | None = None
        self._notes: dict[str, None] = {}
        self._reader: ChatReader | ResponsesReader = self._new_reader()

    @property
    def done(self) -> bool:
        """Whether the stream said `[DONE]`: nothing of the answer comes after it."""
        return self._done

    @property
    def response_id(self) -> str | None:
        """The vendor's own id of the answer, which a stream tells with its first event; `None`
        before.
        """
        return self._reader.response_id

    def feed(self, data: bytes, now: float) -> list[StreamChunk]:
        """Take the next bytes, however they are cut; give the pieces of the answer that they
        complete.

        Pieces that came before an error in the same bytes are given first; the error is raised by
        the next call.
        """
        self._raise_deferred()
        if self._form == "refusal":
            self._keep(data, self._limits.error_bytes)
            return []
        before = self._events
        chunks: list[StreamChunk] = []
        try:
            self._check_size(len(data))
            for pieces in self._read(data):
                chunks += pieces
            self._check_clock(now, alive=self._events > before)
        except ProviderError as exc:
            self._deferred = exc
        self._begun = self._begun or bool(chunks)
        if not chunks:
            self._raise_deferred()
        return chunks

    def finish(self) -> ProviderReply:
        """The reply, after the last byte, or after the connection broke."""
        self._raise_deferred()
        if self._form == "refusal":
            raise read_error(
                self._status, self._headers, self._whole(), self._vendor, secrets=self._secrets
            )
        try:
            reply = self._finish_events() if self._form == "events" else self._finish_json()
        except ProviderError as exc:
            raise self._located(exc) from exc.__cause__
        notes = (*self._notes, *reply.notes)
        request_id = request_id_of(self._headers)
        return reply.model_copy(
            update={"status": self._status, "request_id": request_id, "notes": notes}
        )

    def _new_reader(self) -> ChatReader | ResponsesReader:
        if self._api == "responses":
            return ResponsesReader(vendor=self._vendor, limits=self._limits)
        optional = self._finish_reason_optional
        return ChatReader(vendor=self._vendor, limits=self._limits, finish_reason_optional=optional)

    def _read(self, data: bytes) -> Iterator[list[StreamChunk]]:
        if self._form == "unknown":
            data = (self._whole() + data).lstrip(BLANK)
            self._form = self._recognised(data)
            self._body = [] if self._form == "events" else [data]
        elif self._form == "json":
            self._body.append(data)
        return (
            map(self._read_event, self._decoder.events(data))
            if self._form == "events"
            else iter(())
        )

    def _recognised(self, begun: bytes) -> Literal["unknown", "events", "json"]:
        """By its first byte: content types are often wrong (`application/octet-stream`, or none at
        all).
        """
        if not begun:
            return "unknown"
        events_said = "text/event-stream" in self._headers.get("content-type", "")
        if begun[0] in JSON_STARTS and not (events_said and begun[0] not in b"{["):
            if self._streaming:
                self._notes["A JSON body came where a stream was asked for."] = None
            return "json"
        if events_said or begun.startswith(EVENT_STARTS):
            if not self._streaming:
                self._notes["A stream came where a JSON body was asked for."] = None
            return "events"
        return "unknown" if len(begun) < 5 else "json"

    def _read_event(self, event: SseEvent) -> list[StreamChunk]:
        if event.data.strip() == "[DONE]":
            self._done = True
            return []
        if self._done:
            self._notes["Something came after `[DONE]`; it was ignored."] = None
            return []
        self._events += 1
        value, cleaned = parse_json(
            event.data, depth=self._limits.depth, where=f"event {self._events}"
        )
        if cleaned:
            self._notes[CLEANED] = None
        if is_error(value, event.name):
            raise error_of_event(value, vendor=self._vendor, api=self._api)
        if not isinstance(value, dict):
            self._notes["An event that is no JSON object was ignored."] = None
            return []
        if "type" not in value and self._api == "responses":
            value["type"] = event.name
        return self._reader.feed(value)

    def _finish_events(self) -> ProviderReply:
        try:
            for event in self._decoder.finish():
                self._read_event(event)
        except ProviderError as exc:
            if exc.kind not in ("truncated", "protocol"):
                raise
            # What the stream left unfinished was cut off: the reader knows by itself whether the
            # answer was complete.
            self._notes["The last event was cut off; it was ignored."] = None
        return self._reader.finish(ended=self._done)

    def _finish_json(self) -> ProviderReply:
        body = self._json_body()
        if is_error(body):
            raise error_of_event(body, vendor=self._vendor, api=self._api)
        if not isinstance(body, dict):
            raise self._no_answer(f"The answer is JSON, but no object (a {type(body).__name__}).")
        read = read_responses if self._api == "responses" else read_chat
        return read(body, vendor=self._vendor, limits=self._limits)

    def _json_body(self) -> Any:
        data = self._whole().strip(BLANK)
        if not data:
            raise self._no_answer("The answer is empty.")
        if data.startswith(b"<"):
            raise self._no_answer("The answer is a page (HTML or XML), not JSON.")
        try:
            text = data.decode()
        except UnicodeDecodeError as exc:
            raise self._no_answer(f"The answer is not UTF-8: byte {exc.start}.") from exc
        body, cleaned = parse_json(text, depth=self._limits.depth, unfinished="truncated")
        if cleaned:
            self._notes[CLEANED] = None
        return body

    def _no_answer(self, text: str, kind: ErrorKind = "protocol") -> ProviderError:
        return ProviderError(text, kind=kind, billed="unknown")

    def _check_size(self, more: int) -> None:
        self._size += more
        if self._size > self._limits.body_bytes:
            text = f"An answer above {self._limits.body_bytes} bytes."
            raise too_large(text)

    def _keep(self, data: bytes, most: int) -> None:
        kept = sum(map(len, self._body))
        if kept < most:
            self._body.append(data[: most - kept])

    def _whole(self) -> bytes:
        return b"".join(self._body)

    def _check_clock(self, now: float, *, alive: bool) -> None:
        if now > self._deadline and not self._done:
            raise self._no_answer(
                f"The answer took longer than {self._total_s:g} seconds.", "timeout"
            )
        if alive:
            self._last_event_at = now
        elif self._form == "events" and now - self._last_event_at > self._idle_s:
            raise self._no_answer(f"No event came for {self._idle_s:g} seconds.", "timeout")

    def _raise_deferred(self) -> None:
        if self._deferred is not None:
            raise self._located(self._deferred) from self._deferred.__cause__

    def _located(self, error: ProviderError) -> ProviderError:
        return located(
            error,
            vendor=self._vendor,
            status=self._status,
            request_id=request_id_of(self._headers),
            secrets=self._secrets,
            begun=self._begun,
        )


def chunks_of(reply: ProviderReply) -> list[StreamChunk]:
    """`reply` in pieces, for a listener to a stream that the vendor answered with a JSON body.

    >>> [chunk.type for chunk in chunks_of(ProviderReply(reasoning="2+2", text="4"))]
    ['reasoning', 'text']
    """
    told: list[tuple[Literal["reasoning", "text", "refusal"], str | None]] = [
        ("reasoning", reply.reasoning),
        ("text", reply.text),
        ("refusal", reply.refusal),
    ]
    chunks = [StreamChunk(type=kind, text=text) for kind, text in told if text]
    if reply.finish_reason not in ("length", "content_filter") and not reply.truncated:
        chunks += [StreamChunk(type="tool_call", tool_call=call) for call in reply.tool_calls]
    return (
        chunks if reply.usage is None else [*chunks, StreamChunk(type="usage", usage=reply.usage)]
    )
