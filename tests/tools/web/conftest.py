"""A real HTTP server on the loopback interface with good, bad, slow and endless answers."""

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from turngraph.tools.manifests.loading import Manifests, load_manifests
from turngraph.tools.manifests.secrets import Secrets

SECRET = "k3y-of-the-shop-0123456789"

PLUGIN = """\
apiVersion: smarter.sh/v1
kind: ApiConnection
metadata: {{name: shop_api}}
spec:
  connection: {{baseUrl: "{base}", timeout: {timeout}, {connection}}}
---
apiVersion: {version}
kind: ApiPlugin
metadata: {{name: shop}}
spec:
  selector: {{directive: always}}
  connection: shop_api
  {data_key}:
    description: Asks the shop.
    parameters:
      - {{name: q, type: string}}
      - {{name: n, type: integer}}
      - {{name: tags, type: array}}
      - {{name: flag, type: boolean}}
{data}
"""


class Service:
    """A service that records its requests, and loads plugins that call it."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.fail = 0
        self.away = "/"
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None: ...

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length).decode()
                asked = {
                    "method": self.command,
                    "target": self.path,
                    "headers": dict(self.headers),
                    "body": body,
                }
                outer.asked.append(asked)
                with suppress(BrokenPipeError, ConnectionResetError):
                    outer.respond(self, asked)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = answer  # noqa: N815

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def respond(self, handler: BaseHTTPRequestHandler, asked: dict[str, Any]) -> None:
        path = urlsplit(asked["target"]).path.removeprefix("/api")
        if self.fail > 0:
            self.fail -= 1
            return self.send(handler, b"{}", status=503)
        special = {
            "/text": lambda: self.send(handler, b"plain words", "text/plain; charset=utf-8"),
            "/bad-json": lambda: self.send(handler, b'{"a": '),
            "/deep-json": lambda: self.send(handler, b"[" * 100_000),
            "/binary": lambda: self.send(handler, b"\x89PNG\r\n", "image/png"),
            "/empty": lambda: self.send(handler, b"", status=204),
            "/missing": lambda: self.send(handler, b'{"detail": "no such thing"}', status=404),
            "/echo-key": lambda: self.send(
                handler, f"bad key {asked['headers'].get('X-API-Key')}".encode(), status=401
            ),
            "/list": lambda: self.send(
                handler, json.dumps({"items": [{"id": n} for n in range(50)]}).encode()
            ),
            "/bomb": lambda: self.send(
                handler, gzip.compress(b"0" * 100_000_000, 9), packed="gzip"
            ),
            "/packed": lambda: self.send(
                handler, gzip.compress(b'{"packed": true}'), packed="gzip"
            ),
            "/not-packed": lambda: self.send(handler, b"{}", packed="gzip"),
            "/brotli": lambda: self.send(handler, b"{}", packed="br"),
            "/endless": lambda: self.endless(handler, b"x" * 65_536, 0),
            "/slow": lambda: self.endless(handler, b" ", 0.05),
            "/hang": lambda: time.sleep(30),
            "/token": lambda: self.send(
                handler, json.dumps({"access_token": "tok123", "expires_in": 3600}).encode()
            ),
        }
        if path == "/away":
            return self.redirect_to(handler, self.away)
        if path.startswith("/to/"):
            return self.redirect(handler, path.removeprefix("/to/"))
        return special.get(
            path, lambda: self.send(handler, json.dumps({"asked": asked["target"]}).encode())
        )()

    def send(
        self,
        handler: Any,
        body: bytes,
        kind: str = "application/json",
        status: int = 200,
        packed: str | None = None,
    ) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        if packed is not None:
            handler.send_header("Content-Encoding", packed)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)

    def redirect(self, handler: Any, where: str) -> None:
        targets = {
            "self": "/api/ok", "loop": "/api/to/loop", "loopback": f"http://localhost:{self.port}/canary",
            "metadata": "http://169.254.169.254/latest/meta-data", "private": "http://10.0.0.1/",
            "decimal": f"http://2130706433:{self.port}/canary", "short": f"http://127.1:{self.port}/canary",
            "hex": f"http://0x7f000001:{self.port}/canary",
            "octal": f"http://0177.0.0.1:{self.port}/canary",
            "mapped": f"http://[::ffff:127.0.0.1]:{self.port}/canary",
            "six": f"http://[::1]:{self.port}/canary",
            "zero": f"http://0.0.0.0:{self.port}/canary",
            "file": "file:///etc/passwd",
            "gopher": "gopher://127.0.0.1/",
            "user": f"http://example.com@127.0.0.2:{self.port}/canary",
            "other": f"//127.0.0.3:{self.port}/canary",
            "backslash": f"http://127.0.0.4\\@example.com:{self.port}/canary",
            "port": "http://127.0.0.6:x/",
            "nat64": f"http://[64:ff9b::7f00:1]:{self.port}/canary",
            "6to4": f"http://[2002:7f00:1::]:{self.port}/canary",
        }  # fmt: skip
        code, _, name = where.partition("/") if where[:3].isdigit() else ("302", "", where)
        self.redirect_to(handler, targets[name], int(code))

    def redirect_to(self, handler: Any, location: str, code: int = 302) -> None:
        handler.send_response(code)
        handler.send_header("Location", location)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def endless(self, handler: Any, piece: bytes, pause_s: float) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        for _ in range(2_000):
            handler.wfile.write(piece)
            time.sleep(pause_s)

    def load(
        self, data: str, *, connection: str = "authMethod: none", allow: bool = True, **changes: str
    ) -> Manifests:
        native = changes.pop("version", "smarter.sh/v1") == "turngraph/v1"
        text = PLUGIN.format(
            base=changes.pop("base", f"http://127.0.0.1:{self.port}/api"),
            connection=connection,
            timeout=changes.pop("timeout", "5"),
            version="turngraph/v1" if native else "smarter.sh/v1",
            data_key="api_data" if native else "apiData",
            data="\n".join(f"    {line}" for line in data.splitlines()),
        )
        allowed = [f"127.0.0.1:{self.port}"] if allow else []
        return load_manifests(text, secrets=Secrets(environ={"KEY": SECRET}), allow_hosts=allowed)


@pytest.fixture
def service() -> Iterator[Service]:
    running = Service()
    yield running
    running.server.shutdown()
    running.server.server_close()
