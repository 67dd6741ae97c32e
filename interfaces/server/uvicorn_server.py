"""Runs the application in uvicorn, and tells a person how it started, or why it did not."""

import gc
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from turngraph.interfaces.plain_text import printable
from turngraph.interfaces.server.event_stream import FAREWELL_S
from turngraph.interfaces.server.http_protocol import BoundedHttp
from turngraph.state.errors import TurngraphError

__all__ = ["graceful_s", "run_here", "say_started"]

_SHOWN: Final = 10
"""How many models are named at the start; `GET /v1/models` lists all."""
_GARBAGE: Final = 10_000
"""How many more objects there must be than before until cycles of them are looked for."""
_ANY_HOST: Final[Mapping[str, str]] = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
"""Addresses to listen on that nobody can connect to, and what this machine connects to instead."""


def run_here(
    app: FastAPI,
    options: Mapping[str, Any],
    sock: socket.socket,
    on_started: Callable[[Iterable[str]], object],
) -> None:
    """Serves in this process until a signal ends it. `on_started` is told the names of the models.

    Raises the TurngraphError for which the application could not start.
    """
    startup = _Startup(app)
    # No page of the server speaks over WebSockets, so no library for them is looked for.
    config = uvicorn.Config(startup, http=BoundedHttp, ws="none", **options)
    server = _Server(config, app, on_started)
    try:
        server.run(sockets=[sock])
    except SystemExit:
        if startup.problem is None:
            raise
    if startup.problem is not None:  # older releases of uvicorn only return
        raise startup.problem


def graceful_s(drain_s: float) -> int:
    """The seconds that uvicorn waits for requests after SIGTERM, where turns may take `drain_s`."""
    return round(drain_s) + FAREWELL_S


def say_started(sock: socket.socket, models: Iterable[str]) -> None:
    """Prints what a client needs, if a person looks at the output. Programs read the logs."""
    if not sys.stdout.isatty():
        return
    host, port, *_ = sock.getsockname()
    host = _ANY_HOST.get(host, host)
    names = [*models]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    print(f"base_url: http://{f'[{host}]' if ':' in host else host}:{port}/v1")
    print(printable(f"models:   {', '.join(names[:_SHOWN])}{more}"), flush=True)


class _Server(uvicorn.Server):
    def __init__(
        self,
        config: uvicorn.Config,
        app: FastAPI,
        on_started: Callable[[Iterable[str]], object],
    ) -> None:
        super().__init__(config)
        self._app, self._on_started = app, on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # All that is loaded by now stays: a full collection need not look at it again and again.
        gc.collect()
        gc.freeze()
        # Requests leave few cycles behind. By default they are looked for at every request.
        gc.set_threshold(_GARBAGE)
        if self.started:
            self._on_started(self._app.state.service.models.models)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # A reload may have changed it since uvicorn was set up.
        if (service := getattr(self._app.state, "service", None)) is not None:
            drain_s = service.config.server.drain_seconds
            self.config.timeout_graceful_shutdown = graceful_s(drain_s)
        await super().shutdown(sockets)


class _Startup:
    """Keeps what was wrong with the configuration. Starlette would send uvicorn a traceback of it,
    which is right for a bug alone.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self.problem: TurngraphError | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        failed: Message | None = None

        async def hold_failure(message: Message) -> None:
            nonlocal failed
            if message["type"] == "lifespan.startup.failed":
                failed = message
            else:
                await send(message)

        try:
            await self._app(scope, receive, hold_failure)
        except Exception as exc:
            if failed is None:
                raise
            if isinstance(exc, TurngraphError):
                self.problem, failed = exc, {**failed, "message": ""}
            await send(failed)
