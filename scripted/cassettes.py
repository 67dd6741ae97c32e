"""Plays recorded exchanges back over a loopback socket, each answer with the bytes that were
recorded.

The format is one JSON object a line: `request` (method, path, body), `response` (status, headers,
and `body`, `sse` or `body_text`), `sequence` (the cassette, and the place in it).
"""

import gzip
import json
import re
import threading
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from turngraph.scripted.checks import RequestError
from turngraph.scripted.loopback import LoopbackServer
from turngraph.scripted.received import ReceivedRequest
from turngraph.scripted.sending import JSON, SSE, send_json

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["Cassette", "RecordedExchange"]

ENDPOINT: Final = re.compile(r".*/(chat/completions|responses(?:/[^/]+)?|models)$")
PATHS: Final[Mapping[str, str]] = {"chat": "/v1/chat/completions", "responses": "/v1/responses"}
"""Where an answer that was recorded without its request is asked for."""
OF_THE_CONNECTION: Final = frozenset(
    ("content-length", "content-encoding", "transfer-encoding", "connection")
)


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
    """The answer's bytes: a stream's events as they came; JSON written anew from its recorded
    value.
    """
    record: Mapping[str, Any] = field(repr=False)
    """The whole line, as it was read."""

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> "RecordedExchange":
        """From one line of a recording.

        >>> answer = {"status": 200, "headers": {}, "sse": ["data: 1"]}
        >>> exchange = RecordedExchange.read({"id": "r", "api": "chat", "request": None, "response": answer})
        >>> exchange.content, exchange.path
        (b'data: 1\\n\\n', '/v1/chat/completions')
        """
        request = record.get("request") or {"method": "POST", "path": PATHS[record["api"]]}
        response = record["response"]
        usual = {"content-type": SSE if "sse" in response else JSON}
        told = {
            name: value
            for name, value in response["headers"].items()
            if name not in OF_THE_CONNECTION
        }
        return cls(
            id=record["id"],
            cassette=record.get("sequence", {}).get("cassette", record["id"]),
            method=request["method"],
            path=request["path"].partition("?")[0],
            status=response["status"],
            headers=usual | told,
            content=_content(response),
            record=record,
        )

    @property
    def endpoint(self) -> str:
        """What is asked for, whatever base URL its vendor puts before it: `chat/completions`."""
        return _endpoint(self.path)


class Cassette(LoopbackServer):
    """Answers each request with the next recorded exchange of that method and endpoint, in the
    recorded order.

    A vendor's own base path plays no part: `chat/completions` is asked for below any. What is asked
    for below `base_url_of(id)` is answered from that cassette, or by that one exchange, alone. Each
    exchange is played once.

        >>> import urllib.request
        >>> line = {"id": "r", "api": "chat", "request": None, "response": {"status": 200, "headers": {}, "body": {}}}
        >>> with Cassette.load([json.dumps(line)]) as cassette:
        ...     urllib.request.urlopen(cassette.base_url + "/chat/completions", b"{}").read(), cassette.left
        (b'{}', 0)
    """

    def __init__(self, exchanges: Iterable[RecordedExchange], *, port: int = 0) -> None:
        super().__init__(self._serve_one, port=port)
        self.exchanges = tuple(exchanges)
        self._waiting: defaultdict[tuple[str, str, str], deque[RecordedExchange]] = defaultdict(
            deque
        )
        self._played: set[str] = set()
        self._received: list[ReceivedRequest] = []
        self._lock = threading.Lock()
        for exchange in self.exchanges:
            for tape in ("", exchange.cassette, exchange.id):
                self._waiting[tape, exchange.method, exchange.endpoint].append(exchange)

    @classmethod
    def load(cls, source: Path | str | Iterable[str], *, port: int = 0) -> Self:
        """From a `.jsonl` or `.jsonl.gz` file, or from lines."""
        lines = _lines(Path(source)) if isinstance(source, Path | str) else source
        return cls(
            (RecordedExchange.read(json.loads(line)) for line in lines if line.strip()), port=port
        )

    def base_url_of(self, id: str) -> str:
        """The base URL below which one cassette, or one exchange, is played alone."""
        return f"{self.origin}/{id}/v1"

    @property
    def requests(self) -> tuple[ReceivedRequest, ...]:
        """Every request received so far, the oldest first."""
        return tuple(self._received)

    @property
    def left(self) -> int:
        """How many exchanges have not been played."""
        return len(self.exchanges) - len(self._played)

    def play(self, method: str, path: str) -> RecordedExchange:
        """The next exchange for this request. Raises RequestError where none is left."""
        tape = path[1:].partition("/")[0]
        key = method, _endpoint(path)
        with self._lock:
            waiting = self._waiting.get((tape, *key)) or self._waiting.get(("", *key), deque())
            while waiting:
                exchange = waiting.popleft()
                if exchange.id not in self._played:
                    self._played.add(exchange.id)
                    return exchange
        message = f"No recorded exchange is left for {method} {path}: {len(self._played)} of {len(self.exchanges)} played."
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
    found = ENDPOINT.fullmatch(path)
    return found[1] if found else path


def _content(response: Mapping[str, Any]) -> bytes:
    if "sse" in response:
        eol = "\r\n" if response.get("sse_eol") == "crlf" else "\n"
        events = [block.replace("\n", eol) for block in response["sse"]]
        return (
            (eol * 2).join(events) + ("" if response.get("sse_unterminated") else eol * 2)
        ).encode()
    if "body_text" in response:
        return str(response["body_text"]).encode()
    if "body" not in response:
        return b""
    blanks: str = " " * response.get("body_leading_whitespace", 0)
    return (blanks + json.dumps(response["body"])).encode()


def _lines(path: Path) -> Iterator[str]:
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
        yield from file
