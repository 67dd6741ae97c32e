"""aiohttp's connection, which also tells whether an answer had begun when it broke."""

from functools import partial
from typing import Any

from aiohttp import TCPConnector
from aiohttp.client_proto import ResponseHandler

__all__ = ["Connector", "answer_began"]

_BEGAN = "_turngraph_answer_began"


def answer_began(error: BaseException) -> bool:
    """Whether bytes of the answer had come when `error`, aiohttp's, ended the connection.

    A vendor whose answer began has served the request, though not even the status may be known.
    """
    return getattr(error, _BEGAN, False)


class Connection(ResponseHandler):
    """Marks the error that ends a connection in the middle of an answer's head.

    aiohttp itself raises one error for a connection that was closed before the answer and for one
    that was closed within its headers.
    """

    _received = False

    def set_response_params(self, **params: Any) -> None:
        """Called by aiohttp before each request on this connection."""
        self._received = False
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop with the next bytes."""
        self._received = self._received or bool(data)
        super().data_received(data)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """Called by aiohttp with what ends the connection."""
        setattr(exc, _BEGAN, self._received)
        super().set_exception(exc, *cause)


class Connector(TCPConnector):
    """aiohttp's pool of connections, of this module's kind."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory: Any = partial(Connection, loop=self._loop)
