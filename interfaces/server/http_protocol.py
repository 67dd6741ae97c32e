"""Reads HTTP with httptools, within limits that uvicorn does not set."""

import asyncio
import re
from json import dumps
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.middleware import HEADER_BYTES, REQUEST_ID, new_request_id

__all__ = ["BoundedHttp", "GatheredWrites"]

_HEAD_BYTES: Final = 2 * HEADER_BYTES
"""How much of a head is read, and of what follows a body. Heads between this and `HEADER_BYTES` are
answered with 431.
"""
_FRAMING: Final = 8
"""Bytes of chunked framing that may come for each byte of a body; one-byte chunks need five."""
_END: Final = b"\r\n\r\n"
_UPGRADE: Final = re.compile(rb"(?<=\r\n)upgrade(?=[ \t]*:)", re.IGNORECASE)
_CUT_UPGRADE: Final = re.compile(rb"(?<=\r\n)u(?:p(?:g(?:r(?:a(?:de?)?)?)?)?)?\Z", re.IGNORECASE)
"""A beginning of that name, at the end of what has come."""
_OF_UVICORN: Final = "Invalid HTTP request received."
_UNREADABLE: Final = (
    "This is no request of HTTP/1.1 that can be read: its first line, a header or the length of "
    "its body is wrong. Send it with an HTTP client, to an address that begins with `http://`."
)
_IGNORED: Final = b"ignored-upgrade"
"""The name that the header `Upgrade` is given, so that the parser does not know it."""
_GATHERED_BYTES: Final = 65_536
"""How much is kept until the end of a step."""


class BoundedHttp(HttpToolsProtocol):
    """One connection. A client that sends a head or trailers without end, or none, is cut off.

    uvicorn keeps whatever comes, for as long as it takes, until the head of a request is whole.
    """

    head_s = 30.0
    """How many seconds a client may take from the beginning of a connection, or of a later request,
    to the end of the request's head.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timer: asyncio.TimerHandle | None = None
        self._messages = self._received = self._body_bytes = 0
        self._is_between = False
        self._last = self._held = b""
        self._left: int | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for the first request."""
        super().connection_made(cast("asyncio.Transport", GatheredWrites(transport, self.loop)))
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no longer."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Reads the next bytes of requests."""
        before, rest = self._messages, data
        while rest and not self.transport.is_closing():
            piece, rest = self._next_piece(rest)
            if piece:
                super().data_received(piece)
        # What a request began with also holds the end of the one before, and is not counted.
        if before == self._messages:
            self._received += len(data)
            framing = self._received - (1 + _FRAMING) * self._body_bytes
            if framing > _HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("The head or the trailers of the request are too long.")

    def send_400_response(self, msg: str) -> None:
        """Answers what is no request, in the shape of all errors, and closes the connection."""
        message = _UNREADABLE if msg == _OF_UVICORN else msg
        content = dumps(ServerError(400, message, code="invalid_http").body).encode()
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
            f"content-length: {len(content)}\r\n{REQUEST_ID}: {new_request_id()}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + content)
        self.transport.close()

    def on_message_begin(self) -> None:
        """Begins to wait for the end of the head."""
        super().on_message_begin()
        self._is_between = False
        self._messages += 1
        self._received = self._body_bytes = 0
        self._await_head()

    def on_headers_complete(self) -> None:
        """Waits no longer: the body has a time limit of its own."""
        self._stop_timer()
        lengths = [value for name, value in self.headers if name == b"content-length"]
        self._left = int(lengths[0]) if lengths else None
        if self.parser.should_upgrade():
            # `CONNECT`, or a header behind a body in chunks, whose end only the parser knows.
            self.send_400_response("This server speaks HTTP/1.1 only: leave `Upgrade` out.")
        else:
            super().on_headers_complete()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keeps a header. One that comes after the body is nobody's business here."""
        if self._timer is not None and name != _IGNORED:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Keeps a part of a body, whose length the application limits."""
        self._body_bytes += len(body)
        if self._left is not None:
            self._left -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """What comes next is the head of another request."""
        super().on_message_complete()
        self._is_between = True

    def _next_piece(self, data: bytes) -> tuple[bytes, bytes]:
        """What the parser is given next, and what is left: a head, or a body, ends a piece."""
        if self._timer is not None or self._is_between:
            return self._without_upgrade(data)
        return (data, b"") if self._left is None else (data[: self._left], data[self._left :])

    def _without_upgrade(self, data: bytes) -> tuple[bytes, bytes]:
        """Makes the parser pass over `Upgrade`, which a server may. It would leave out the body.

        Java's own client asks for HTTP/2 with every request, also with those that have a body. The
        name may come in two parts: the first one is held back until the second one is there.
        """
        known = len(self._last)
        head, end, rest = (self._last + self._held + data).partition(_END)
        cut = None if end else _CUT_UPGRADE.search(head)
        self._held = b"" if cut is None else cut[0]
        head = head.removesuffix(self._held)
        # The parser has had it; the end of a line may be in it, or of the head.
        self._last = b"" if end else head[1 - len(_END) :]
        return (_UPGRADE.sub(_IGNORED, head) + end)[known:], rest

    def _await_head(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(self.head_s, self._end)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def _end(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


class GatheredWrites:
    """A transport that sends what is written in one step of the event loop in one packet.

    uvicorn writes the head of an answer, each part and the end one by one. Each write is a call of
    the operating system, which takes longer than all that Python does for a part of a stream.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._parts: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Sends `data` soon, together with what is written until then."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)
        self._size += len(data)
        if self._size > _GATHERED_BYTES:
            self._flush()

    def close(self) -> None:
        """Closes the connection when all is sent that was written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        parts, self._parts, self._size = self._parts, [], 0
        if parts and not self._transport.is_closing():
            self._transport.write(b"".join(parts))
