"""aiohttp's session of one event loop: its connections, and their end."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from aiohttp import ClientSession

__all__ = ["Session", "close_sessions"]

_KEEP_ALIVE_S: Final = 60.0


@dataclass(frozen=True)
class Session:
    """A session that is closed when its event loop shuts down.

    `asyncio.run` closes the async generators of its loop at the end, and a generator that waits at
    its `yield` then runs its `finally`. There is no other hook for the end of a loop.
    """

    client: "ClientSession"
    closer: AsyncGenerator["ClientSession", None]

    async def close(self) -> None:
        """Closes the session and its connections."""
        # Not the generator: an event loop that shuts down at this moment closes it too, and one
        # generator cannot be closed twice at once. Closing the client twice is allowed.
        await self.client.close()

    @classmethod
    async def start(cls) -> "Session":
        """Opens a session on the running loop.

        It has no headers of its own: aiohttp would also send them to a proxy, the key among them.
        """
        from aiohttp import ClientSession, DummyCookieJar

        from turngraph.providers.wire.http_connection import Connector

        # No limit on connections: how many turns run at once is the caller's decision. No cookies,
        # because one tenant's must not be sent with the request of another.
        connector = Connector(limit=0, keepalive_timeout=_KEEP_ALIVE_S)
        client = ClientSession(connector=connector, cookie_jar=DummyCookieJar())
        closer = _close_with_loop(client)
        await anext(closer)
        return cls(client, closer)


async def _close_with_loop(client: "ClientSession") -> AsyncGenerator["ClientSession", None]:
    try:
        yield client
    finally:
        await client.close()


def close_sessions(sessions: "WeakKeyDictionary[asyncio.AbstractEventLoop, Session]") -> None:
    """Closes the sessions of all event loops that still run, each on its own loop."""
    for loop, session in list(sessions.items()):
        if loop.is_running():
            loop.call_soon_threadsafe(_close_soon, loop, session)


def _close_soon(loop: asyncio.AbstractEventLoop, session: "Session") -> None:
    _closing.add(task := loop.create_task(session.close()))
    task.add_done_callback(_closing.discard)


_closing: Final[set[asyncio.Task[None]]] = set()
"""Tasks that close sessions: an event loop itself holds its tasks only weakly."""
