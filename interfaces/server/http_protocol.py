"""Reads HTTP with httptools, within limits that uvicorn does not set."""

import asyncio
import re
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from turngraph.interfaces.server.middleware import HEADER_BYTES

__all__ = ["BoundedHttp", "GatheredWrites"]

_HEAD_BYTES: Final = 2 * HEADER_BYTES
"""How much of a head is read, and of what follows a body. Heads between this and `HEADER_BYTES` are
answered with 431.
"""
_FRAMING: Final = 8
"""Bytes of chunked framing that may come for each byte of a body; one-byte chunks need five."""
_UPGRADE: Final = re.compile(rb"(?<=\r\n)upgrade(?=[ \t]*:)", re.IGNORECASE)
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
        before = self._messages
        super().data_received(self._without_upgrade(data))
        # What a request began with also holds the end of the one before, and is not counted.
        if before == self._messages:
            self._received += len(data)
            framing = self._received - (1 + _FRAMING) * self._body_bytes
            if framing > _HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("The head or the trailers of the request are too long.")

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
        super().on_headers_complete()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keeps a header. One that comes after the body is nobody's business here."""
        if self._timer is not None and name != _IGNORED:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Keeps a part of a body, whose length the application limits."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """What comes next is the head of another request."""
        super().on_message_complete()
        self._is_between = True

    def _without_upgrade(self, data: bytes) -> bytes:
        """Makes the parser pass over `Upgrade`, which a server may. It would leave out the body.

        Java's own client asks for HTTP/2 with every request, also with those that have a body.
        """
        if self._timer is None and not self._is_between:
            return data
        head, end, rest = data.partition(b"\r\n\r\n")
        return _UPGRADE.sub(_IGNORED, head) + end + rest

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
