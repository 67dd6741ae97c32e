"""A worker's wire to the provider as moments: its sockets and the pieces it reads, watched in its
own process.
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tests.crash.moments import Moments
from turngraph.providers.openai_provider import OpenAIProvider

_BEGINS = (b"POST", b"{")
"""How the head of a request begins, and its body: each is sent in two halves, with a moment
between.
"""


def watch_the_wire(port: int, moment: Moments) -> None:
    """Every connection to `port` on this machine tells when it is made, written to and first read
    from.

    For a worker that was forked and will not come back: nothing is restored.
    """
    connect, send, recv = socket.socket.connect, socket.socket.send, socket.socket.recv
    waiting: set[int] = set()

    def connects(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_INET or address[1] != port:
            return connect(self, address)
        moment("wire: before connect")
        try:
            return connect(self, address)
        finally:
            moment("wire: connecting")

    def sends(self: socket.socket, data: Any, *flags: int) -> int:
        if not _goes_to(self, port):
            return send(self, data, *flags)
        halved = bytes(data[:4]).startswith(_BEGINS)
        sent = send(self, data[: len(data) // 2] if halved else data, *flags)
        waiting.add(self.fileno())
        moment("wire: half sent" if halved else "wire: sent")
        return sent

    def receives(self: socket.socket, *given: Any) -> bytes:
        data = recv(self, *given)
        if self.fileno() in waiting and _goes_to(self, port):
            waiting.discard(self.fileno())
            moment("wire: answer begins")
        return data

    for name, method in (("connect", connects), ("send", sends), ("recv", receives)):
        setattr(socket.socket, name, method)


def _goes_to(sock: socket.socket, port: int) -> bool:
    with suppress(OSError):
        return sock.family == socket.AF_INET and bool(sock.getpeername()[1] == port)
    return False


def watched(provider: OpenAIProvider, moment: Moments) -> OpenAIProvider:
    """`provider`, with a moment before and after each piece of a stream is handed on.

    The moment before the usage is the one after the finish reason; the one after it is before
    `[DONE]`.
    """
    for name in ("send", "asend"):
        setattr(provider, name, _piecewise(getattr(provider, name), moment))
    return provider


def _piecewise(send: Callable[..., Any], moment: Moments) -> Callable[..., Any]:
    def sends(*given: Any, on_chunk: Callable[[Any], None], **named: Any) -> Any:
        def hears(chunk: Any) -> None:
            moment(f"stream: {chunk.type} arrived")
            on_chunk(chunk)
            moment(f"stream: {chunk.type} handed on")

        return send(*given, on_chunk=hears, **named)

    return sends
