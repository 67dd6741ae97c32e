"""Plays recorded exchanges back over a loopback socket, byte for byte.

A recording holds one JSON object a line: `request` (method, path, body), `response` (status,
headers, and one of `body`, `sse`, `body_text`) and `sequence` (cassette and place in it).
"""

import gzip
import json
import re
import threading
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from turngraph.scripted.checks import RequestError
from turngraph.scripted.loopback import LoopbackServer
from turngraph.scripted.received import ReceivedRequest
from turngraph.scripted.sending import JSON_TYPE, SSE_TYPE, send_json
from turngraph.state.json_types import JsonObject

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["Cassette", "RecordedExchange"]

ENDPOINT: Final = re.compile(r".*/(chat/completions|responses(?:/[^/]+)?|models)$")
PATHS: Final[Mapping[str, str]] = {"chat": "/v1/chat/completions", "responses": "/v1/responses"}
"""The path of an answer that was recorded without its request, by its API."""
CONNECTION_HEADERS: Final = frozenset(
    ("content-length", "content-encoding", "transfer-encoding", "connection")
)
"""Headers that belong to the recorded connection; the server sets its own."""
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""No header has these: https://www.rfc-editor.org/rfc/rfc9110#section-5.5"""


@dataclass(frozen=True)
class RecordedExchange:
    """One recorded request and the answer to it."""

    id: str
    cassette: str
    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    content: bytes
    """The bytes of the answer: the events of a stream as recorded, or JSON written from its value.
    """
    record: JsonObject = field(repr=False)
    """The whole line, as it was read."""

    @classmethod
    def read(cls, record: JsonObject) -> "RecordedExchange":
        """Reads one parsed line of a recording. Raises ValueError, TypeError or LookupError for one
        that cannot be played.

        >>> response = {"status": 200, "headers": {}, "sse": ["data: 1"]}
        >>> line = {"id": "r", "api": "chat", "request": None, "response": response}
        >>> exchange = RecordedExchange.read(line)
        >>> exchange.content, exchange.path
        (b'data: 1\\n\\n', '/v1/chat/completions')
        """
        request = record.get("request") or {"method": "POST", "path": PATHS[record["api"]]}
        response = record["response"]
        default = {"content-type": SSE_TYPE if "sse" in response else JSON_TYPE}
        recorded = {
            name: str(value)
            for name, value in response["headers"].items()
            if name not in CONNECTION_HEADERS
        }
        if broken := next(filter(_CONTROL.search, (*recorded, *recorded.values())), None):
            raise ValueError(f"A recorded header holds a control character: {broken[:60]!r}.")
        return cls(
            id=record["id"],
            cassette=record.get("sequence", {}).get("cassette", record["id"]),
            method=request["method"],
            path=request["path"].partition("?")[0],
            status=_status(response["status"]),
            headers=default | recorded,
            content=_content(response),
            record=record,
        )

    @property
    def endpoint(self) -> str:
        """The path without the vendor's base path, for example `chat/completions`."""
        return _endpoint(self.path)


def _status(recorded: object) -> int:
    if not isinstance(recorded, int) or not 100 <= recorded <= 999:
        raise ValueError(f"A recorded status is {recorded!r:.60}; it must be from 100 to 999.")
    return recorded


class Cassette(LoopbackServer):
    """Answers each request with the next recorded exchange of the same method and endpoint.

    Exchanges are played in the recorded order, each of them once. The vendor's base path does not
    matter: `chat/completions` is answered below any base URL. Requests below `base_url_of(id)` are
    answered from that cassette, or that one exchange, alone.

    >>> import urllib.request
    >>> response = {"status": 200, "headers": {}, "body": {}}
    >>> line = {"id": "r", "api": "chat", "request": None, "response": response}
    >>> with Cassette.load([json.dumps(line)]) as cassette:
    ...     url = cassette.base_url + "/chat/completions"
    ...     urllib.request.urlopen(url, b"{}").read(), cassette.left
    (b'{}', 0)
    """

    def __init__(self, exchanges: Iterable[RecordedExchange], *, port: int = 0) -> None:
        super().__init__(self._serve_one, port=port)
        self.exchanges = tuple(exchanges)
        # Each exchange waits in three queues: one for any base URL, one for its cassette, one for
        # itself. What is taken from one queue is skipped in the others.
        self._waiting: defaultdict[tuple[str, str, str], deque[RecordedExchange]]
        self._waiting = defaultdict(deque)
        self._played: set[str] = set()
        self._received: list[ReceivedRequest] = []
        self._lock = threading.Lock()
        for exchange in self.exchanges:
            for prefix in ("", exchange.cassette, exchange.id):
                self._waiting[prefix, exchange.method, exchange.endpoint].append(exchange)

    @classmethod
    def load(cls, source: Path | str | Iterable[str], *, port: int = 0) -> Self:
        """Loads a recording from a `.jsonl` or `.jsonl.gz` file, or from its lines."""
        lines = _lines(Path(source)) if isinstance(source, Path | str) else source
        return cls(
            (RecordedExchange.read(json.loads(line)) for line in lines if line.strip()), port=port
        )

    def base_url_of(self, id: str) -> str:
        """The base URL below which only this cassette, or this exchange, is played."""
        return f"{self.origin}/{id}/v1"

    @property
    def requests(self) -> tuple[ReceivedRequest, ...]:
        """The requests received so far, the oldest first."""
        return tuple(self._received)

    @property
    def left(self) -> int:
        """How many exchanges have not been played yet."""
        return len(self.exchanges) - len(self._played)

    def play(self, method: str, path: str) -> RecordedExchange:
        """Returns the next exchange for this request. Raises RequestError (404) if none is left."""
        prefix = path[1:].partition("/")[0]
        key = method, _endpoint(path)
        with self._lock:
            waiting = self._waiting.get((prefix, *key)) or self._waiting.get(("", *key), deque())
            while waiting:
                exchange = waiting.popleft()
                if exchange.id not in self._played:
                    self._played.add(exchange.id)
                    return exchange
        message = (
            f"No recorded exchange is left for {method} {path}: {len(self._played)} of "
            f"{len(self.exchanges)} played."
        )
        raise RequestError(message, status=404, code="recording_over")

    async def _serve_one(self, request: "web.Request") -> "web.StreamResponse":
        from aiohttp import web

        names = {name.lower(): value for name, value in request.headers.items()}
        self._received.append(
            ReceivedRequest(request.method, request.path, names, await request.read())
        )
        try:
            exchange = self.play(request.method, request.path)
        except RequestError as exc:
            return send_json(exc.body, {}, exc.status)
        return web.Response(body=exchange.content, status=exchange.status, headers=exchange.headers)


def _endpoint(path: str) -> str:
    match = ENDPOINT.fullmatch(path)
    return match[1] if match else path


def _content(response: JsonObject) -> bytes:
    if "sse" in response:
        end_of_line = "\r\n" if response.get("sse_eol") == "crlf" else "\n"
        blank_line = end_of_line * 2
        events = [event.replace("\n", end_of_line) for event in response["sse"]]
        # Some vendors end the connection without the blank line after the last event.
        last = "" if response.get("sse_unterminated") else blank_line
        return (blank_line.join(events) + last).encode()
    if "body_text" in response:
        return str(response["body_text"]).encode()
    if "body" not in response:
        return b""
    # Vendors that keep a connection alive send blanks until the JSON is ready.
    blanks: str = " " * response.get("body_leading_whitespace", 0)
    return (blanks + json.dumps(response["body"])).encode()


def _lines(path: Path) -> Iterator[str]:
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
        yield from file
