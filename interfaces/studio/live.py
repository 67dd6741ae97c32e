"""What open pages are told as it happens, by server-sent events.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

__all__ = ["Audience", "Listener"]

_ALIVE_AFTER_S: Final = 15
"""After this many seconds without news a comment is sent, so that no proxy closes the stream."""


class Listener:
    """One open page. A slow one is sent the latest state, not every state in between."""

    def __init__(self, client: str) -> None:
        self.client = client
        """The name that the page has given itself."""
        self._loop, self._news = asyncio.get_running_loop(), asyncio.Event()
        self._latest: dict[str, str] = {}
        self._tokens: dict[str, str] = {}
        self._is_over = False

    def tell(self, kind: str, data: str) -> None:
        """Sends JSON as an event of this kind, in the place of one that is still to be sent.

        May be called from any thread.
        """
        self._call(lambda: self._latest.update({kind: data}))

    def tell_token(self, call: str, text: str) -> None:
        """Sends a piece of the answer to `call`; pieces are joined and never left out."""
        self._call(lambda: self._tokens.update({call: self._tokens.get(call, "") + text}))

    def end(self) -> None:
        """Ends the stream."""
        self._is_over = True
        self._call(lambda: None)

    def _call(self, change: Callable[[], object]) -> None:
        def apply() -> None:
            change()
            self._news.set()

        # A page of a server that has ended needs no news.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(apply)

    async def stream(self) -> AsyncIterator[str]:
        """Yields the events as they are written on the wire."""
        yield "retry: 1000\n\n"
        while not self._is_over:
            try:
                await asyncio.wait_for(self._news.wait(), _ALIVE_AFTER_S)
            except TimeoutError:
                yield ": still here\n\n"
                continue
            self._news.clear()
            for event in self._take():
                yield event

    def _take(self) -> list[str]:
        latest, self._latest = self._latest, {}
        if self._tokens:  # they are older than the view that holds the answer
            latest = {"tokens": json.dumps(self._tokens), **latest}
            self._tokens = {}
        # JSON holds no line break, so one line of data is enough.
        return [f"event: {kind}\ndata: {data}\n\n" for kind, data in latest.items()]


class Audience:
    """The pages that show the same thing."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def __iter__(self) -> Iterator[Listener]:
        return iter(tuple(self._listeners))  # another thread may add one meanwhile

    @contextmanager
    def joined(self, client: str) -> Iterator[Listener]:
        """Yields a listener that hears what is told from now on, until the page is closed."""
        listener = Listener(client)
        self._listeners.append(listener)
        try:
            yield listener
        finally:
            self._listeners.remove(listener)

    def tell(self, kind: str, data: str) -> None:
        """Tells everyone. May be called from any thread."""
        for listener in self:
            listener.tell(kind, data)

    def end(self) -> None:
        """Ends every stream."""
        for listener in self:
            listener.end()
