"""A real HTTP server on a loopback socket, in a thread of this process.

Tests, demos and notebooks talk to it instead of a vendor.
"""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from aiohttp import web

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
    Routes = Iterable[web.AbstractRouteDef]

__all__ = ["LoopbackServer"]

HOST: Final = "127.0.0.1"
MAX_BODY_BYTES: Final = 64 * 2**20
"""Room for a conversation with pictures; aiohttp's default is 1 MiB."""
BACKLOG: Final = 1024
"""Hundreds of clients may connect at the same moment."""
ACCEPT_ROUNDS: Final = 5
"""Rounds of the event loop in which connections that are just being accepted become real ones."""
GRACE_S: Final = 0.01
"""Seconds that answers in progress get when the server is closed."""


class LoopbackServer:
    """Serves on 127.0.0.1 between `start` and `close`, with its own thread and event loop.

    Use it in `with` or `async with`, or call `start()` and `close()`. It can be started once.
    Closing cancels the answers in progress and closes every connection.

    Args:
        serve: a coroutine function that answers every request, or the routes of an application, as
            in `[web.get("/v1/search", search)]`
            (https://docs.aiohttp.org/en/stable/web_quickstart.html). It runs in the thread of the
            server.
        port: the port; 0 takes a free one.

        >>> from aiohttp import web
        >>> from urllib.request import urlopen
        >>> async def hello(request: web.Request) -> web.Response:
        ...     return web.Response(text=f"You asked for {request.path}.")
        >>> with LoopbackServer(hello) as server, urlopen(server.base_url + "/models") as answer:
        ...     answer.read()
        b'You asked for /v1/models.'
    """

    def __init__(self, serve: "Handler | Routes", *, port: int = 0) -> None:
        self._serve, self._requested_port = serve, port
        self._port: int | None = None
        self._thread: threading.Thread | None = None
        self._started: Future[Callable[[], None]] = Future()
        """Done when the server accepts requests; its result is a function that stops it."""
        self._ended: Future[None] = Future()

    @property
    def port(self) -> int:
        """The port of the server. Raises RuntimeError before `start`."""
        if self._port is None:
            raise RuntimeError(
                "This server has no port yet: use it in a `with` block, or call `start()` first."
            )
        return self._port

    @property
    def origin(self) -> str:
        """Scheme, host and port: `http://127.0.0.1:PORT`."""
        return f"http://{HOST}:{self.port}"

    @property
    def base_url(self) -> str:
        """The base URL for an OpenAI client: `http://127.0.0.1:PORT/v1`."""
        return f"{self.origin}/v1"

    def start(self) -> Self:
        """Starts the server and returns when it accepts requests. Raises OSError if it cannot."""
        self._open()
        self._started.result()
        return self

    def close(self) -> None:
        """Stops the server and its thread, and closes every connection. May be called twice."""
        if self._thread is not None:
            self._started.result()()
            self._thread.join()

    async def aclose(self) -> None:
        """Async version of `close`; does not block the event loop of the caller."""
        if self._thread is not None:
            self._started.result()()
            await asyncio.wrap_future(self._ended)
            self._thread.join()

    def _open(self) -> None:
        if self._port is not None:
            raise RuntimeError("This server was started before; create a new one.")
        sock = socket.create_server((HOST, self._requested_port), backlog=BACKLOG)
        self._port = sock.getsockname()[1]
        self._thread = threading.Thread(
            target=self._run, args=(sock,), name=f"loopback:{self._port}", daemon=True
        )
        self._thread.start()

    def _run(self, sock: socket.socket) -> None:
        try:
            # Not the default loop on every system: only a selector loop has `remove_reader`.
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                runner.run(self._listen(sock))
        except BaseException as exc:
            if self._started.done():
                raise
            self._started.set_exception(exc)
        finally:
            sock.close()
            self._ended.set_result(None)

    async def _listen(self, sock: socket.socket) -> None:
        from aiohttp import web

        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        runner = web.AppRunner(
            self._application(),
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=GRACE_S,
        )
        await runner.setup()
        try:
            await web.SockSite(runner, sock, backlog=BACKLOG).start()
            self._started.set_result(lambda: _call_in_loop(loop, stopped.set))
            await stopped.wait()
            # asyncio never closes a connection whose acceptance was interrupted, so those that are
            # being accepted now get a few rounds of the loop before the cleanup.
            loop.remove_reader(sock)
            for _ in range(ACCEPT_ROUNDS):
                await asyncio.sleep(0)
        finally:
            await runner.cleanup()

    def _application(self) -> "web.Application":
        from aiohttp import web

        app = web.Application(client_max_size=MAX_BODY_BYTES)
        if callable(self._serve):
            app.router.add_route("*", "/{path:.*}", self._serve)
        else:
            app.add_routes(self._serve)
        return app

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        self._open()
        await asyncio.wrap_future(self._started)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()


def _call_in_loop(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    """Calls `function` in `loop`, unless the loop is closed because the server has stopped."""
    try:
        loop.call_soon_threadsafe(function)
    except RuntimeError:
        if not loop.is_closed():
            raise
