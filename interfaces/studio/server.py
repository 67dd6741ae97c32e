"""The studio on a port of this machine, with a token in its address; and graphs that are loaded
again when their files change.
"""

import asyncio
import secrets
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import uvicorn
import watchfiles

from turngraph.interfaces.listening import bound_socket
from turngraph.interfaces.studio.app import app_for
from turngraph.interfaces.studio.catalog import Catalog, Entry, GraphFiles
from turngraph.interfaces.studio.security import LoopbackGuard
from turngraph.interfaces.studio.walk import SharedWalk
from turngraph.interfaces.studio.walks import Walks

if TYPE_CHECKING:
    from turngraph.billing.ledger import Ledger

__all__ = ["StudioServer"]

_HOST: Final = "127.0.0.1"
_LONG_IMPORT_S: Final = 10.0


class StudioServer:
    """Serves the studio of some graph files. It listens from the beginning and answers in `run`.

    Leaving its `with` block frees the port and closes every walk.

    Args:
        graphs: the graphs.
        ledger: what the page of spending shows, or None.
        port: 0 for any free port.

    Raises TurnConfigurationError if the port is taken.
    """

    def __init__(self, graphs: GraphFiles, ledger: "Ledger | None", port: int = 0) -> None:
        self._socket = bound_socket(_HOST, port)
        self._socket.listen()
        self._port = int(self._socket.getsockname()[1])
        self._token = secrets.token_urlsafe(24)
        self.ended: Final = threading.Event()
        """Set when it begins to close; the user's code may still run on other threads."""
        self._graphs, self._catalog, self._walks = graphs, Catalog({}), Walks()
        self._catalog.replace(graphs.load())
        app = LoopbackGuard(app_for(self._catalog, self._walks, ledger), self._token, self._port)
        # Without proxy headers: nothing but this machine's own browser is meant to come here.
        self._server = _Server(
            uvicorn.Config(
                app,
                log_level="error",
                lifespan="off",
                ws="none",
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=2,
            ),
            self._walks,
            self.ended,
        )

    @property
    def url(self) -> str:
        """The address with its token, for the person who has started the studio."""
        return f"http://{_HOST}:{self._port}/?token={self._token}"

    def open_thread(self, name: str, thread: str) -> str:
        """Opens a stored thread of the graph `name`; returns the address of its page.

        Raises TurngraphError if the graph or the thread does not exist.
        """
        walk = SharedWalk.begin(name, self._catalog.graph(name), None, thread, None, {})
        self._walks.add(walk)
        return f"{self.url}#/run/{walk.id}"

    @property
    def catalog(self) -> Catalog:
        """The graphs as they are offered now."""
        return self._catalog

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._walks.close_all()
        self._socket.close()

    def run(self) -> None:
        """Answers until ctrl-c or `stop`."""
        with suppress(KeyboardInterrupt):  # uvicorn has ended in order, then raises it again
            asyncio.run(self._run())

    def stop(self) -> None:
        """Ends `run`. May be called from any thread."""
        self._server.should_exit = True

    async def _run(self) -> None:
        stop = asyncio.Event()
        watching = asyncio.create_task(self._watch(stop))
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            stop.set()
            await watching

    async def _watch(self, stop: asyncio.Event) -> None:
        changes = watchfiles.awatch(
            *self._graphs.watched,
            watch_filter=watchfiles.PythonFilter(),
            stop_event=stop,
            debounce=200,
            step=50,
        )
        try:
            async for batch in changes:
                if not self._graphs.are_concerned([Path(file) for _, file in batch]):
                    continue
                # The user's modules run on import, so they are kept off the server's own thread.
                loading = asyncio.create_task(asyncio.to_thread(self._graphs.load_again))
                await asyncio.wait({loading}, timeout=_LONG_IMPORT_S)
                if not loading.done():
                    self._offer(self._graphs.still_loading())
                self._offer(await loading)
        except OSError as exc:  # such as too many watched files on this machine
            print(f"turngraph: changes of files are not seen: {exc}", file=sys.stderr)

    def _offer(self, entries: list[Entry]) -> None:
        self._catalog.replace(entries)
        self._walks.reload(entries)


class _Server(uvicorn.Server):
    """Ends the streams of open pages first: uvicorn would wait for them."""

    def __init__(self, config: uvicorn.Config, walks: Walks, ended: threading.Event) -> None:
        super().__init__(config)
        self._walks, self._ended = walks, ended

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Closes every walk, then everything else."""
        self._ended.set()
        self._walks.close_all()
        await super().shutdown(sockets)
