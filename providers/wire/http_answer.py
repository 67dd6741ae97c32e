"""An answer of aiohttp's whose body arrives, for async code and for sync code."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from turngraph.providers.wire.http_errors import deadline_passed, http_errors_translated
from turngraph.providers.wire.loop_thread import LOOP_THREAD
from turngraph.state.errors import ProviderError

if TYPE_CHECKING:
    from aiohttp import ClientResponse

__all__ = ["Answer", "SyncAnswer"]

_BUFFER_BYTES: Final = 256_000
"""How much of a body is read ahead of a sync caller."""


@dataclass(eq=False)
class Answer:
    """An answer whose body arrives, for async code."""

    response: "ClientResponse"
    vendor: str
    broken: Exception | None = None
    """What broke the answer, if bytes that had arrived before were returned first."""

    @property
    def status_code(self) -> int:
        """The HTTP status."""
        return self.response.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The HTTP headers; their names in any case."""
        return self.response.headers

    async def aiter_bytes(self) -> AsyncGenerator[bytes, None]:
        """Yields the body as it arrives. Raises ProviderError if the connection breaks."""
        while piece := await self.next_piece():
            yield piece

    async def next_piece(self) -> bytes:
        """Returns the next bytes of the body; none at its end."""
        with http_errors_translated(self.vendor, answer_began=True):
            if self.broken is not None:
                raise self.broken
            try:
                return await self.response.content.readany()
            except Exception as exc:
                self.response.close()
                # aiohttp raises at once when a connection breaks, though a part of the answer may
                # have arrived before. That part was paid for.
                if arrived := _arrived(self.response):
                    self.broken = exc
                    return arrived
                raise


def _arrived(response: "ClientResponse") -> bytes:
    content: Any = response.content
    content.set_exception(None)
    return bytes(content.read_nowait())


class SyncAnswer:
    """An answer for sync code.

    A task on the loop's thread reads the body as it arrives, up to a limit. So sync code gets what
    had arrived before a connection broke, and several pieces at once where it is slow.
    """

    def __init__(self, answer: Answer, ends_at: float) -> None:
        self.status_code, self.headers = answer.status_code, answer.headers
        self._answer = answer
        self._ends_at = self._whole_time_ends_at = ends_at
        self._pieces: deque[bytes] = deque()
        self._arrived = 0  # bytes; only the loop's thread adds
        self._taken = 0  # bytes; only the reader's thread adds
        self._error: ProviderError | None = None
        self._ended = False
        self._changed = asyncio.Event()
        self._reading: asyncio.Task[None] | None = asyncio.create_task(self._read_all())

    @classmethod
    async def start(cls, answer: Answer, ends_at: float) -> "SyncAnswer":
        """Reads `answer` until `ends_at`, a time of `time.monotonic`.

        Waits for the body, unless it is streamed or large.
        """
        reading = cls(answer, ends_at)
        if "event-stream" not in answer.headers.get("Content-Type", ""):
            try:
                await reading._wait(lambda: reading._buffered >= _BUFFER_BYTES)
            except BaseException:
                reading._close()
                raise
        return reading

    async def _read_all(self) -> None:
        try:
            while piece := await self._answer.next_piece():
                self._pieces.append(piece)
                self._arrived += len(piece)
                self._changed.set()
                await self._until(lambda: self._buffered < _BUFFER_BYTES)
        except ProviderError as exc:
            self._error = exc
        finally:
            self._ended = True
            self._changed.set()

    @property
    def _buffered(self) -> int:
        return self._arrived - self._taken

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def _wait(self, enough: Callable[[], bool]) -> None:
        """Waits until `enough` has arrived, the body has ended, or the whole time is over."""
        left_s = max(0.0, self._ends_at - time.monotonic())
        with deadline_passed(self._answer.vendor, left_s):
            async with asyncio.timeout(left_s):
                self._changed.set()  # the reader may wait for room
                await self._until(lambda: self._ended or enough())

    def iter_bytes(self) -> Iterator[bytes]:
        """Yields the body as it arrives. Raises ProviderError if the connection breaks."""
        while True:
            ended = self._ended  # read first: the last piece may arrive right after the loop below
            while self._pieces:
                piece = self._pieces.popleft()
                self._taken += len(piece)
                yield piece
            if ended:
                break
            LOOP_THREAD.run(self._wait(lambda: bool(self._pieces)))
        if self._error is not None:
            raise self._error

    def end_within(self, seconds: float) -> None:
        """Gives the rest of the body at most so long, counted from now."""
        self._ends_at = min(self._whole_time_ends_at, time.monotonic() + seconds)

    def release(self) -> None:
        """Gives the connection back, or closes it if the body was not read to its end."""
        LOOP_THREAD.call(self._close)

    def _close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            # A cancelled task keeps its error, which refers to this object: a ring that only the
            # garbage collector would free.
            self._reading = None
        self._answer.response.release()
