"""Records what a turn sends and receives: a server on loopback between the turn and its vendor.

`turngraph.scripted.cassettes` plays the recording. No key is written: request headers are left out,
and of the response headers only those in `_RECORDED_HEADERS` are kept.
"""

import json
import re
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from turngraph.providers.config import ProviderConfig
from turngraph.providers.reading.redact import HIDDEN
from turngraph.scripted.loopback import LoopbackServer
from turngraph.state.json_types import JsonObject
from turngraph.state.private_files import create_private_file

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["Recorder", "without_secrets"]

_RECORDED_HEADERS: Final = frozenset(("content-type", "x-request-id", "retry-after"))
_OWN_HEADERS: Final = frozenset(
    ("host", "connection", "content-length", "transfer-encoding", "accept-encoding")
)
"""Headers of one connection (RFC 9110, 7.6.1) and those the client sets itself: not forwarded."""


class Recorder(LoopbackServer):
    """Forwards every request to the endpoint of `config` and writes each exchange as a line of
    `file`.

    Build the turn on `recorded`, the configuration that leads through this server. An existing file
    is overwritten.

        >>> from tempfile import mkdtemp
        >>> from turngraph.graphs import chat_turn
        >>> from turngraph.scripted import ScriptedModel
        >>> file = Path(mkdtemp()) / "turn.jsonl"
        >>> with ScriptedModel() as model:
        ...     config = ProviderConfig(model="m", base_url=model.base_url)
        ...     with Recorder(config, file) as recorder:
        ...         turn = chat_turn(recorder.recorded)
        ...         out = turn.invoke({"messages": [("user", "Hi")]})
        >>> json.loads(file.read_text())["request"]["body"]["messages"][-1]["content"]
        'Hi'
    """

    def __init__(self, config: ProviderConfig, file: Path | str) -> None:
        super().__init__(self._forward)
        self._config, self._file, self._lock = config, Path(file), threading.Lock()
        self._request_count, self._lines = 0, dict[int, str]()
        create_private_file(self._file)
        self._file.write_text("", "utf-8")

    @property
    def recorded(self) -> ProviderConfig:
        """The configuration whose requests pass through this server."""
        return self._config.model_copy(update={"base_url": self.base_url})

    async def _forward(self, request: "web.Request") -> "web.StreamResponse":
        import aiohttp  # takes long to import: only who records pays for it
        from aiohttp import web

        # Parallel requests are recorded in the order in which they arrive.
        with self._lock:
            index, self._request_count = self._request_count, self._request_count + 1
        content, url, headers = await request.read(), self._url_of(request), _forwarded(request)
        received = bytearray()
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=content, headers=headers, allow_redirects=False) as answer,
        ):
            recorded_headers = {
                name: value
                for name, value in answer.headers.items()
                if name.lower() in _RECORDED_HEADERS
            }
            out = web.StreamResponse(status=answer.status, headers=recorded_headers)
            await out.prepare(request)
            try:
                async for piece in answer.content.iter_any():
                    received += piece
                    await out.write(piece)
            # A client that has read the end of a stream may hang up, or send the next request,
            # before this handler is done: the exchange is written in any case.
            finally:
                response = {
                    "status": answer.status,
                    "headers": {name.lower(): value for name, value in recorded_headers.items()},
                    **_recorded_body(bytes(received), recorded_headers),
                }
                self._write(index, request.path, content, response)
        await out.write_eof()
        return out

    def _url_of(self, request: "web.Request") -> str:
        path = request.path.removeprefix(urlsplit(self.base_url).path)
        return self._config.base_url.rstrip("/") + path

    def _write(self, index: int, path: str, content: bytes, response: Mapping[str, object]) -> None:
        exchange = {
            "id": f"{self._file.stem}_{index}",
            "vendor": self._config.vendor,
            "api": "responses" if path.endswith("/responses") else "chat",
            "request": {"method": "POST", "path": path, "body": json.loads(content)},
            "response": response,
            "sequence": {"cassette": self._file.stem, "index": index},
        }
        line = without_secrets(json.dumps(exchange, ensure_ascii=False), self._config.secrets)
        with self._lock:
            self._lines[index] = line + "\n"
            # An earlier request may be answered later, so the file is written anew, in order.
            text = "".join(self._lines[each] for each in sorted(self._lines))
            self._file.write_text(text, "utf-8")


def _forwarded(request: "web.Request") -> dict[str, str]:
    """The headers to send on. `identity`: a recording holds text, so nothing may be compressed."""
    headers = {
        name: value for name, value in request.headers.items() if name.lower() not in _OWN_HEADERS
    }
    return {**headers, "Accept-Encoding": "identity"}


def _recorded_body(answer: bytes, headers: Mapping[str, str]) -> JsonObject:
    """The body as cassettes hold it: `sse` for a stream, `body` for JSON, else `body_text`."""
    text = answer.decode("utf-8", "replace")
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    if kind.startswith("text/event-stream"):
        return _recorded_stream(text)
    try:
        return {"body": json.loads(text)}
    except ValueError:
        return {"body_text": text}


def _recorded_stream(text: str) -> JsonObject:
    blocks = re.split(r"\r?\n\r?\n", text)
    is_terminated = blocks[-1] == ""
    events = blocks[:-1] if is_terminated else blocks
    recorded: JsonObject = {"sse": [event.replace("\r\n", "\n") for event in events]}
    if "\r\n\r\n" in text:
        recorded["sse_eol"] = "crlf"
    if not is_terminated:  # the stream was cut off: a replay is cut off at the same place
        recorded["sse_unterminated"] = True
    return recorded


def without_secrets(line: str, secrets: Iterable[str]) -> str:
    """Returns a line of a recording with every one of `secrets` masked."""
    for secret in secrets:
        # In JSON text a secret stands escaped, without the quotes around it.
        line = line.replace(json.dumps(secret, ensure_ascii=False)[1:-1], HIDDEN)
    return line
