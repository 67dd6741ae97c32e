"""A real HTTP server on a loopback socket, in a thread of this process: what tests, demos and
notebooks talk to.
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
BODY_BYTES: Final = (
    64 * 2**20
)  # room for a conversation with pictures; aiohttp's own limit is 1 MiB
BACKLOG: Final = 1024  # hundreds of clients may connect at the same moment
ACCEPT_STEPS: Final = (
    5  # rounds of the loop: asyncio never closes a connection whose acceptance was cut off
)
GRACE_S: Final = 0.01  # for answers being given when the server is closed


class LoopbackServer:
    """Serves on 127.0.0.1 between `start` and `close`, with its own thread and event loop.

    `serve` is a coroutine function that answers every request, or the routes of an application
    (`[web.get("/v1/search", search)]`; https://docs.aiohttp.org/en/stable/web_quickstart.html). It
    runs in the server's thread. `port` 0 takes a free one. Closing cancels the answers still being
    given and closes every connection. Opened and closed by `with`, `async with`, or `start()` and
    `close()`; it can be started once.

        >>> from aiohttp import web
        >>> from urllib.request import urlopen
        >>> async def hello(request: web.Request) -> web.Response:
        ...     return web.Response(text=f"You asked for {request.path}.")
        >>> with LoopbackServer(hello) as server, urlopen(server.base_url + "/models") as answer:
        ...     answer.read()
        b'You asked for /v1/models.'
    """

    def __init__(self, serve: "Handler | Routes", *, port: int = 0) -> None:
        self._serve, self._wanted = serve, port
        self._port: int | None = None
        self._thread: threading.Thread | None = None
        self._opened: Future[Callable[[], None]] = Future()
        self._ended: Future[None] = Future()

    @property
    def port(self) -> int:
        """The port listened on. Raises RuntimeError before `start`."""
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
        """What an OpenAI client takes as its base URL: `http://127.0.0.1:PORT/v1`."""
        return f"{self.origin}/v1"

    def start(self) -> Self:
        """Listen; returns once requests are taken. Raises OSError where the port is in use."""
        self._open()
        self._opened.result()
        return self

    def close(self) -> None:
        """Stop listening, cancel what runs, close every connection, end the thread. Closing twice
        is harmless.
        """
        if self._thread is not None:
            self._opened.result()()
            self._thread.join()

    async def aclose(self) -> None:
        """`close` without holding up the caller's event loop."""
        if self._thread is not None:
            self._opened.result()()
            await asyncio.wrap_future(self._ended)
            self._thread.join()

    def _open(self) -> None:
        if self._port is not None:
            raise RuntimeError("This server was started before; make a new one.")
        sock = socket.create_server((HOST, self._wanted), backlog=BACKLOG)
        self._port = sock.getsockname()[1]
        self._thread = threading.Thread(
            target=self._run, args=(sock,), name=f"loopback:{self._port}", daemon=True
        )
        self._thread.start()

    def _run(self, sock: socket.socket) -> None:
        try:
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                runner.run(self._listen(sock))
        except BaseException as exc:
            if self._opened.done():
                raise
            self._opened.set_exception(exc)
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
            self._opened.set_result(lambda: _call(loop, stopped.set))
            await stopped.wait()
            loop.remove_reader(sock)
            for _ in range(ACCEPT_STEPS):
                await asyncio.sleep(0)
        finally:
            await runner.cleanup()

    def _application(self) -> "web.Application":
        from aiohttp import web

        app = web.Application(client_max_size=BODY_BYTES)
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
        await asyncio.wrap_future(self._opened)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()


def _call(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    """Call `what` in `loop`; a loop that has just ended has nothing left to stop."""
    try:
        loop.call_soon_threadsafe(what)
    except RuntimeError:
        if not loop.is_closed():
            raise
