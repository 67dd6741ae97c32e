"""Records what a turn sends and receives, on the wire: a server between the turn and its vendor, on
loopback.

What it writes, `turngraph.scripted.cassettes` plays. No key is written: of the headers only those
named here.
"""

import json
import re
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from turngraph.providers.config import ProviderConfig
from turngraph.providers.reading.redact import HIDDEN
from turngraph.scripted.loopback import LoopbackServer

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["Recorder"]

_KEPT: Final = frozenset(("content-type", "x-request-id", "retry-after"))
_NOT_PASSED: Final = frozenset(
    ("host", "connection", "content-length", "transfer-encoding", "accept-encoding")
)


class Recorder(LoopbackServer):
    """Passes every request on to the endpoint of `config`, and writes it with its answer to `file`,
    a line each.

    The turn is built on `recorded`, the configuration that leads through here. The file is begun
    anew.

        >>> from tempfile import mkdtemp
        >>> from turngraph.graphs import chat_turn
        >>> from turngraph.scripted import ScriptedModel
        >>> file = Path(mkdtemp()) / "turn.jsonl"
        >>> with ScriptedModel() as model, Recorder(ProviderConfig(model="m", base_url=model.base_url), file) as tape:
        ...     _ = chat_turn(tape.recorded).invoke({"messages": [("user", "Hi")]})
        >>> json.loads(file.read_text())["request"]["body"]["messages"][-1]["content"]
        'Hi'
    """

    def __init__(self, config: ProviderConfig, file: Path | str) -> None:
        super().__init__(self._pass_on)
        self._config, self._file, self._lock = config, Path(file), threading.Lock()
        self._begun, self._lines = 0, dict[int, str]()
        self._file.write_text("", "utf-8")

    @property
    def recorded(self) -> ProviderConfig:
        """The configuration whose requests pass through here."""
        return self._config.model_copy(update={"base_url": self.base_url})

    async def _pass_on(self, request: "web.Request") -> "web.StreamResponse":
        import aiohttp
        from aiohttp import web

        with self._lock:
            place, self._begun = self._begun, self._begun + 1
        content = await request.read()
        url = self._config.base_url.rstrip("/") + request.path.removeprefix(
            urlsplit(self.base_url).path
        )
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in _NOT_PASSED
        }
        headers["Accept-Encoding"] = "identity"
        received = bytearray()
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=content, headers=headers, allow_redirects=False) as answer,
        ):
            passed = {
                name: value for name, value in answer.headers.items() if name.lower() in _KEPT
            }
            out = web.StreamResponse(status=answer.status, headers=passed)
            await out.prepare(request)
            try:
                async for piece in answer.content.iter_any():
                    received += piece
                    await out.write(piece)
            finally:  # who has read the end of a stream may hang up, or ask again, before this server is done
                self._write(place, request.path, content, answer.status, passed, bytes(received))
        await out.write_eof()
        return out

    def _write(
        self,
        place: int,
        path: str,
        content: bytes,
        status: int,
        headers: Mapping[str, str],
        answer: bytes,
    ) -> None:
        with self._lock:
            line = {
                "id": f"{self._file.stem}_{place}",
                "vendor": self._config.vendor,
                "api": "responses" if path.endswith("/responses") else "chat",
                "request": {"method": "POST", "path": path, "body": json.loads(content)},
                "response": {
                    "status": status,
                    "headers": {name.lower(): value for name, value in headers.items()},
                    **_body(answer, headers),
                },
                "sequence": {"cassette": self._file.stem, "index": place},
            }
            self._lines[place] = (
                _without(json.dumps(line, ensure_ascii=False), self._config.secrets) + "\n"
            )
            self._file.write_text(
                "".join(self._lines[each] for each in sorted(self._lines)), "utf-8"
            )


def _body(answer: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    text = answer.decode("utf-8", "replace")
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    if kind.startswith("text/event-stream"):
        blocks = re.split(r"\r?\n\r?\n", text)
        ends = blocks[-1] == ""
        sse: dict[str, Any] = {
            "sse": [block.replace("\r\n", "\n") for block in (blocks[:-1] if ends else blocks)]
        }
        return (
            sse
            | ({"sse_eol": "crlf"} if "\r\n\r\n" in text else {})
            | ({} if ends else {"sse_unterminated": True})
        )
    try:
        return {"body": json.loads(text)}
    except ValueError:
        return {"body_text": text}


def _without(line: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        line = line.replace(json.dumps(secret, ensure_ascii=False)[1:-1], HIDDEN)
    return line
