"""How a forwarded stream ends that is not forwarded any more: with an error event of its API.

Sources: https://platform.openai.com/docs/api-reference/responses-streaming/error, and for Chat
Completions, whose streams have no documented error, what OpenAI's clients read as one:
https://github.com/openai/openai-python/blob/main/src/openai/_streaming.py
"""

import json
import re
from typing import Final

from turngraph.interfaces.server.errors import ServerError
from turngraph.state.request import Api

__all__ = ["WholeLines", "error_event"]

_LONGEST_LINE: Final = 1_000_000
"""Bytes of a line that are held back until it is whole."""
_NUMBER: Final = re.compile(rb'"sequence_number"\s*:\s*(\d{1,15})')


class WholeLines:
    """Holds back the beginning of a line, so that a stream can be ended between two lines.

    >>> lines = WholeLines()
    >>> lines.feed(b"data: 1\\n\\nda"), lines.feed(b"ta: 2"), lines.finish()
    (b'data: 1\\n\\n', b'', b'data: 2')
    """

    def __init__(self) -> None:
        self._rest = b""
        self.is_between = True
        """Whether what was passed on ends with a line. A very long line is not held back."""

    def feed(self, piece: bytes) -> bytes:
        """Returns what can be passed on."""
        data = self._rest + piece
        end = data.rfind(b"\n") + 1
        if end == 0 and (len(data) > _LONGEST_LINE or not self.is_between):
            self.is_between, self._rest = False, b""
            return data
        self.is_between = self.is_between or end > 0
        self._rest = data[end:]
        return data[:end]

    def finish(self) -> bytes:
        """Returns what was held back."""
        rest, self._rest = self._rest, b""
        return rest


def error_event(api: Api, error: ServerError, before: bytes) -> bytes:
    """Returns the event that tells `error` to a client of `api`.

    Args:
        before: what the stream sent last. The event before may lack its end, and in Responses the
            events are numbered.

    >>> error = ServerError(503, "The server stops.", code="server_stopping")
    >>> error_event("responses", error, b'data: {"sequence_number":6}')
    b'\\n\\nevent: error\\ndata: {"type":"error","sequence_number":7,"code":"server_stopping","message":"The server stops.","param":null}\\n\\n'
    """  # noqa: E501  one line of output
    if api == "chat":
        return b"\n\ndata: " + _json(error.body) + b"\n\n"
    numbers = _NUMBER.findall(before)
    event = {
        "type": "error",
        "sequence_number": int(numbers[-1]) + 1 if numbers else 0,
        "code": error.code,
        "message": error.message,
        "param": None,
    }
    return b"\n\nevent: error\ndata: " + _json(event) + b"\n\n"


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
