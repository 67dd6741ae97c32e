"""What tests of the server share: a real server on a loopback socket, and callers with keys."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import openai
import uvicorn
from fastapi import FastAPI

from turngraph.interfaces.server.app import create_app
from turngraph.interfaces.server.caller import Caller, Scope
from turngraph.interfaces.server.config import ModelConfig, ServerConfig, ServerSettings
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.http_protocol import BoundedHttp
from turngraph.scripted import ScriptedModel

if TYPE_CHECKING:
    from aiohttp import web


class Vendor(ScriptedModel):
    """The scripted model, whose script is replaced by each test that shares it.

    While it is `held` it answers nobody; `asked` counts those that wait too.
    """

    held = False
    asked = 0

    async def _serve_one(self, request: "web.Request") -> "web.StreamResponse":
        self.asked += 1
        while self.held:  # noqa: ASYNC110  set by a test, in another thread
            await asyncio.sleep(0.02)
        return await super()._serve_one(request)

    def play(self, *steps: Any) -> int:
        """Answers with `steps` from now on. Returns how many requests there were before."""
        self._script = deque(steps)
        return len(self.requests)


_clients: dict[str, dict[str, openai.OpenAI]] = {}

PRICE: dict[str, dict[str, str | float]] = {"custom:scripted-x": {"input": "1", "output": "2"}}


@dataclass(frozen=True)
class PlainCallers:
    """Callers whose key is their account's name. Some keys are good for less."""

    known: Mapping[str, Caller] = field(default_factory=dict)

    async def identify(self, headers: Mapping[str, str]) -> Caller:
        key = headers.get("authorization", "").removeprefix("Bearer ")
        if not key:
            raise ServerError(401, "No key was sent.", code="invalid_api_key")
        scopes: frozenset[Scope] = frozenset({"models", "tools"})
        if key == "watcher":
            scopes = frozenset({"reports"})
        return self.known.get(key) or Caller(key, f"k-{len(key)}", scopes)


def model_config(model: ScriptedModel, **fields: Any) -> ModelConfig:
    """The scripted model as one with a price."""
    provider = {"base_url": model.base_url, "proxy": "", **fields.pop("provider", {})}
    return ModelConfig(**{"model": "scripted-x", "prices": PRICE, **fields}, provider=provider)


def config_of(models: Mapping[str, ModelConfig], **server: Any) -> ServerConfig:
    """A configuration of the server, whose port is any that is free."""
    return ServerConfig(server=ServerSettings(port=0, **server), models=dict(models))


@contextmanager
def running(app: FastAPI, http: type[BoundedHttp] = BoundedHttp) -> Iterator[str]:
    """Serves `app` in a thread, and yields its URL."""
    port = 0
    options: dict[str, Any] = {
        "log_config": None,
        "lifespan": "on",
        "http": http,
        "ws": "none",
    }
    server = uvicorn.Server(uvicorn.Config(app, port=0, **options))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        ends_at = time.monotonic() + 60
        while not server.started:
            assert thread.is_alive(), "the server has not started"
            assert time.monotonic() < ends_at
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        for known in _clients.pop(f"http://127.0.0.1:{port}", {}).values():
            known.close()
        server.should_exit = True
        thread.join(60)


@contextmanager
def serving(config: ServerConfig, **options: Any) -> Iterator[str]:
    """Serves `config` with `PlainCallers`, and yields the URL."""
    with running(create_app(config, **{"callers": PlainCallers(), **options})) as url:
        yield url


def client(url: str, key: str = "acme") -> openai.OpenAI:
    """OpenAI's own client of the server, which tries nothing twice. The server's end closes it."""
    known = _clients.setdefault(url, {})
    if key not in known:
        known[key] = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
    return known[key]
