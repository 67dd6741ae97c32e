"""Reads HTTP with httptools, within limits that uvicorn does not set."""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from turngraph.interfaces.server.middleware import HEADER_BYTES

__all__ = ["BoundedHttp"]

_HEAD_BYTES: Final = 2 * HEADER_BYTES
"""How much of a head is read. Those between this and `HEADER_BYTES` are answered with 431."""


class BoundedHttp(HttpToolsProtocol):
    """One connection. A client that sends a head without end, or none, is cut off.

    uvicorn keeps whatever comes, for as long as it takes, until the head of a request is whole.
    """

    head_s = 30.0
    """How many seconds a client may take from the beginning of a connection, or of a later request,
    to the end of the request's head.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for the first request."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no longer."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Reads the next bytes of requests."""
        super().data_received(data)
        if self._timer is not None:
            self._head_bytes += len(data)
            if self._head_bytes > _HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("The head of the request is too long.")

    def on_message_begin(self) -> None:
        """Begins to wait for the end of the head."""
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        """Waits no longer: the body has a time limit of its own."""
        self._stop_timer()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(self.head_s, self._end)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._head_bytes = None, 0

    def _end(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
