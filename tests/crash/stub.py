"""A provider that bills: a real HTTP server in a process of its own, which keeps its own account of
every request.

Its log is the truth the ledger is compared with. A request that reached it is billed, whether its
answer arrived or not.
"""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
PIECES = ("The ", "answer ", "is ", "42.")
BUSY, TORN = "busy", "torn"
"""Endings of a model's name: the first attempt is refused, unbilled; or billed, and its answer
breaks off halfway.
"""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    log_path: Path
    torn = False

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        attempt_id = self.headers.get("X-Client-Request-Id") or ""
        first, wish = attempt_id.endswith(".1"), body.get("model", "").rpartition("-")[2]
        if first and wish == BUSY:
            self._send(
                "application/json",
                '{"error": {"message": "Busy.", "type": "server_error"}}',
                status=503,
            )
            return
        # Billed from here on: the request has arrived whole.
        line = json.dumps({"id": attempt_id, "model": body.get("model")}) + "\n"
        with self.log_path.open("a") as log:
            log.write(line)
        self.torn = first and wish == TORN
        if body.get("stream"):
            self._stream(body)
        else:
            self._answer(body)

    def _answer(self, body: dict[str, Any]) -> None:
        self._send(
            "application/json",
            json.dumps({**self._head(), "choices": [self._choice(body)], "usage": USAGE}),
        )

    def _choice(self, body: dict[str, Any]) -> dict[str, Any]:
        messages = body["messages"]
        if body.get("tools") and messages[-1]["role"] == "user":
            call = {
                "name": body["tools"][0]["function"]["name"],
                "arguments": '{"expression": "6*7"}',
            }
            calls = [{"id": f"call_{n}", "type": "function", "function": call} for n in (1, 2)]
            message = {"role": "assistant", "content": None, "tool_calls": calls}
            return {"index": 0, "message": message, "finish_reason": "tool_calls"}
        message = {"role": "assistant", "content": "".join(PIECES)}
        return {"index": 0, "message": message, "finish_reason": "stop"}

    def _stream(self, body: dict[str, Any]) -> None:
        choice = self._choice(body)
        deltas: list[dict[str, Any]] = [{"content": piece} for piece in PIECES]
        if calls := choice["message"].get("tool_calls"):
            deltas = [piece for place, call in enumerate(calls) for piece in _pieces(place, call)]
        chunks: list[dict[str, Any]] = [
            {"choices": [{"index": 0, "delta": delta}]} for delta in deltas
        ]
        chunks.append(
            {"choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]}
        )
        chunks.append({"choices": [], "usage": USAGE})
        events = [json.dumps({**self._head(chunk=True), **chunk}) for chunk in chunks]
        self._send(
            "text/event-stream", "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"])
        )

    def _head(self, *, chunk: bool = False) -> dict[str, Any]:
        kind = "chat.completion.chunk" if chunk else "chat.completion"
        return {
            "id": f"resp-{os.urandom(8).hex()}",
            "object": kind,
            "created": 1,
            "model": "stub-1",
        }

    def _send(self, kind: str, text: str, status: int = 200) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if status != 200:
            self.send_header("Retry-After", "0.01")
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if self.torn else data)
        self.close_connection = self.torn

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal: the log is the account."""


def _pieces(place: int, call: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A tool call as a stream brings it: first its name, then its arguments in two pieces."""
    name, said = call["function"]["name"], call["function"]["arguments"]
    yield {"tool_calls": [{**call, "index": place, "function": {"name": name, "arguments": ""}}]}
    for part in (said[:7], said[7:]):
        yield {"tool_calls": [{"index": place, "function": {"arguments": part}}]}


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that was killed is what this is for."""


@contextmanager
def stub(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yields the base URL and the log."""
    log = folder / "provider.log"
    log.touch()
    server = Server(("127.0.0.1", 0), type("Logged", (Handler,), {"log_path": log}))
    pid = os.fork()
    if pid == 0:
        try:
            server.serve_forever()
        finally:
            os._exit(0)
    host, port = server.server_address[:2]
    server.socket.close()
    try:
        yield f"http://{host!s}:{port}", log
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def billed(log: Path) -> list[str]:
    """The ids of every request the provider bills, in order."""
    return [json.loads(line)["id"] for line in log.read_text().splitlines()]
