"""Server-sent events, decoded from bytes that may be cut anywhere.

Follows https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream with
three exceptions. Text that is not UTF-8 is refused and not replaced, because a changed letter could
change a tool call. A last event without its blank line is kept, because the last event of an answer
carries its usage. Events without blank lines between them are told apart: a line that is a whole
JSON object is an event where another begins after it.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from pydantic_core import from_json

from turngraph.providers.reading.read_limits import too_large
from turngraph.state.errors import ProviderError

__all__ = ["SseDecoder", "SseEvent"]

BOM: Final = b"\xef\xbb\xbf"


class SseEvent(NamedTuple):
    """One event."""

    name: str
    """Its `event` field; `message` if it has none."""
    data: str
    """Its `data` lines, joined by line feeds."""


class SseDecoder:
    r"""Takes bytes as they arrive and returns the events that are complete.

    Raises `ProviderError`: `too_large` for an event above `max_event_bytes`, `protocol` for text
    that is not UTF-8.

        >>> decoder = SseDecoder()
        >>> decoder.feed(b"data: {}\r\n\r\ndata: [DO"), decoder.feed(b"NE]")
        ([SseEvent(name='message', data='{}')], [])
        >>> decoder.finish()
        [SseEvent(name='message', data='[DONE]')]
    """

    def __init__(self, *, max_event_bytes: int = 4 * 2**20) -> None:
        self._max_event_bytes = max_event_bytes
        self._started = False
        self._after_cr = False
        self._tail: list[bytes] = []
        """The beginning of a line whose end has not come."""
        self._tail_size = 0
        self._name = self._data_name = ""
        self._data: list[bytes] = []
        self._data_size = 0
        self.offset = 0
        """Bytes fed so far."""

    def feed(self, data: bytes) -> list[SseEvent]:
        """Returns the events that `data` completes."""
        return list(self.events(data))

    def events(self, data: bytes) -> Iterator[SseEvent]:
        """Like `feed`, one event after the other, so that an error loses none before it.

        The iterator must be read to its end before the next call.
        """
        self.offset += len(data)
        data = self._with_tail(data)
        cut = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        rest = data[cut:]
        # A lone CR ends a line at once. If it is the first half of CRLF, the LF that follows is not
        # a second line.
        self._after_cr = not rest and data.endswith(b"\r") if data else self._after_cr
        if rest:
            self._tail.append(rest)
            self._tail_size += len(rest)
        if cut:
            yield from self._read_lines(data[:cut].splitlines())
        self._check_size()

    def finish(self) -> list[SseEvent]:
        """Returns the last event if the stream ended without the blank line that completes it."""
        tail, self._tail, self._tail_size = b"".join(self._tail), [], 0
        return list(self._read_lines([self._without_bom(tail), b""]))

    def _with_tail(self, data: bytes) -> bytes:
        if self._after_cr and data:
            data = data.removeprefix(b"\n")
            self._after_cr = not data
        # The tail is joined only when a line ends: joining it for every piece of a long line would
        # take quadratic time.
        if self._tail and (b"\n" in data or b"\r" in data or not self._started):
            data = b"".join([*self._tail, data])
            self._tail, self._tail_size = [], 0
        return self._without_bom(data)

    def _without_bom(self, data: bytes) -> bytes:
        if self._started or (len(data) < len(BOM) and BOM.startswith(data)):
            return data
        self._started = True
        return data.removeprefix(BOM)

    def _read_lines(self, lines: list[bytes]) -> Iterator[SseEvent]:
        for line in lines:
            if line.startswith(b"data:"):  # nearly every line, so it is read right here
                value = line[6:] if line[5:6] == b" " else line[5:]
                if self._data:
                    if self._begins_another(value):
                        yield SseEvent(self._data_name or "message", self._decode(self._data[0]))
                        self._data, self._data_size = [], 0
                        self._data_name = self._name
                else:
                    self._data_name = self._name
                self._data.append(value)
                self._data_size += len(value)
            elif line:
                self._read_other_field(line)
            else:
                if self._data and (event := self._build_event()).data:
                    yield event
                self._name, self._data, self._data_size = "", [], 0

    def _begins_another(self, value: bytes) -> bool:
        """Whether a line of data begins another event, although no blank line came before it."""
        if len(self._data) != 1 or not value.startswith((b"{", b"[DONE]")):
            return False
        before = self._data[0].rstrip()
        return before.endswith(b"}") and is_json_object(before)

    def _build_event(self) -> SseEvent:
        self._check_size()  # an event that arrives whole, in one piece of bytes, is checked here
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        return SseEvent(self._name or "message", self._decode(data))

    def _read_other_field(self, line: bytes) -> None:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            self._name = self._decode(value)
        elif field == b"data":
            self._data.append(value)
        elif field == b"error":
            # llama.cpp used to send errors as a field of their own, which the standard ignores:
            # https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
            self._name = "error"
            self._data.append(value)

    def _decode(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError as exc:
            where = f"in the event before byte {self.offset}"
            raise ProviderError(
                f"The stream is not UTF-8: byte 0x{data[exc.start]:02x} {where}.",
                kind="protocol",
                billed="unknown",
            ) from exc

    def _check_size(self) -> None:
        if (size := self._data_size + self._tail_size) > self._max_event_bytes:
            raise too_large(
                f"An event of the stream has {size} bytes; at most {self._max_event_bytes} are "
                "read."
            )


def is_json_object(data: bytes) -> bool:
    try:
        return isinstance(from_json(data), dict)
    except ValueError:
        return False
