"""How many turns run at once: a bounded number, shared fairly between accounts.

What does not run yet waits in a bounded queue; what does not fit there either is refused, so that
a server under load answers at once instead of running out of memory.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from turngraph.interfaces.server.errors import ServerError, server_stopping

__all__ = ["Admission"]

Waiter = asyncio.Future[None]


class Admission:
    """Lets `at_once` turns run and `queue` others wait. For one event loop.

    A place that gets free goes to the account with the fewest running turns. Where the queue is
    full, the last one of the account that has most in it makes room for an account with fewer.
    `on_change` is told how many run and how many wait, whenever that changes.
    """

    def __init__(
        self, at_once: int, queue: int, on_change: Callable[[int, int], object] | None = None
    ) -> None:
        self._at_once, self._queue, self._on_change = at_once, queue, on_change
        self._running = Counter[str]()
        self._waiting: dict[str, deque[Waiter]] = {}
        self._is_closed = False

    @property
    def running(self) -> int:
        """How many turns run."""
        return self._running.total()

    @property
    def waiting(self) -> int:
        """How many turns wait."""
        return sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def place(self, account: str) -> AsyncIterator[None]:
        """Waits for a place and holds it. Raises ServerError (503) if the queue is full, or the
        server stops.
        """
        await self._enter(account)
        try:
            yield
        finally:
            self._leave(account)

    def close(self) -> None:
        """Refuses what waits, and what comes from now on, because the server stops."""
        self._is_closed = True
        waiting, self._waiting = self._waiting, {}
        for waiter in (each for waiters in waiting.values() for each in waiters):
            if not waiter.done():
                waiter.set_exception(server_stopping())
        self._tell()

    async def _enter(self, account: str) -> None:
        if self._is_closed:
            raise server_stopping()
        if self.running < self._at_once:
            self._running[account] += 1
            self._tell()
            return
        if self.waiting >= self._queue:
            self._make_room(account)
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(account, deque()).append(waiter)
        self._tell()
        try:
            await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._leave(account)  # the place was given just when its owner left
            else:
                self._forget(account, waiter)
            raise

    def _make_room(self, account: str) -> None:
        longest = max(self._waiting, key=lambda each: len(self._waiting[each]), default=account)
        if len(self._waiting.get(longest, ())) <= len(self._waiting.get(account, ())) + 1:
            raise _full(self.running, self.waiting)
        waiter = self._waiting[longest][-1]
        self._forget(longest, waiter)
        if not waiter.done():  # else its owner is just leaving, which makes room too
            waiter.set_exception(_full(self.running, self._queue))

    def _leave(self, account: str) -> None:
        self._running[account] -= 1
        if self._running[account] <= 0:
            del self._running[account]
        while self._waiting and self.running < self._at_once:
            # `min` takes the first of equals: the account that has waited longest.
            chosen = min(self._waiting, key=lambda each: self._running[each])
            waiter = self._waiting[chosen][0]
            self._forget(chosen, waiter)
            if not waiter.done():
                self._running[chosen] += 1
                waiter.set_result(None)
        self._tell()

    def _tell(self) -> None:
        if self._on_change is not None:
            self._on_change(self.running, self.waiting)

    def _forget(self, account: str, waiter: Waiter) -> None:
        waiters = self._waiting.get(account)
        if waiters is not None and waiter in waiters:
            waiters.remove(waiter)
            if not waiters:
                del self._waiting[account]
        self._tell()


def _full(running: int, waiting: int) -> ServerError:
    return ServerError(
        503,
        f"The server is at its limit: {running} turns run and {waiting} wait. Try again later.",
        code="server_overloaded",
        headers={"Retry-After": "1"},
    )
