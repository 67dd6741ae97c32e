"""An answer as an iterator of its pieces, to be pulled by `for` or by `async for`."""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, closing
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from turngraph.providers.wire.wire import Wire
from turngraph.providers.writing.payload import Payload
from turngraph.state.errors import ProviderError, TurnInvocationError
from turngraph.state.reply import ProviderReply, StreamChunk

__all__ = ["ChunkStream", "cut_short"]


class ChunkStream:
    """The pieces of one answer; the request leaves when the first is asked for.

    `payload` is what is sent; `reply` the whole answer, once the last piece was taken. Where no
    usable answer comes, or it is cut short, an `error` piece is the last one, and the next step
    raises ProviderError. It can be gone through once: a second time would be a second call. Left
    early, it is closed by `close`, `aclose` or `with`.
    """

    def __init__(
        self, wire: Wire, payload: Payload, on_reply: Callable[[ProviderReply], None]
    ) -> None:
        self.payload: Final = payload
        self._reading = _Reading(wire, payload, on_reply)
        self._sync: Generator[StreamChunk, None, None] | None = None
        self._async: AsyncGenerator[StreamChunk, None] | None = None

    @property
    def reply(self) -> ProviderReply | None:
        """The whole answer, once the last piece was taken."""
        return self._reading.reply

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> StreamChunk:
        if self._async is not None:
            raise TurnInvocationError("This stream is read by `async for` already.")
        if self._sync is None:
            self._sync = self._reading.pieces()
        return next(self._sync)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StreamChunk:
        if self._sync is not None:
            raise TurnInvocationError("This stream is read by `for` already.")
        if self._async is None:
            self._async = self._reading.apieces()
        return await anext(self._async)

    def close(self) -> None:
        """Give up the rest of the answer and its connection."""
        if self._sync is not None:
            self._sync.close()

    async def aclose(self) -> None:
        """`close`, where it is read by `async for`."""
        if self._async is not None:
            await self._async.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()


@dataclass
class _Reading:
    """What the generators hold: not the stream, which would then hold itself, and stay open when it
    is dropped.
    """

    wire: Wire
    payload: Payload
    on_reply: Callable[[ProviderReply], None]
    reply: ProviderReply | None = None

    def pieces(self) -> Generator[StreamChunk, None, None]:
        try:
            with closing(self.wire.pieces(self.payload)) as pieces:
                for piece in pieces:
                    if isinstance(piece, StreamChunk):
                        yield piece
                    else:
                        self._finish(piece)
        except ProviderError as error:
            yield StreamChunk(type="error", text=error.message)
            raise

    async def apieces(self) -> AsyncGenerator[StreamChunk, None]:
        try:
            async with aclosing(self.wire.apieces(self.payload)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, StreamChunk):
                        yield piece
                    else:
                        self._finish(piece)
        except ProviderError as error:
            yield StreamChunk(type="error", text=error.message)
            raise

    def _finish(self, reply: ProviderReply) -> None:
        self.reply = reply
        if reply.truncated:
            raise cut_short(reply, self.wire.config.vendor)
        self.on_reply(reply)


def cut_short(reply: ProviderReply, vendor: str) -> ProviderError:
    """The error for an answer that stopped before its end, to be raised.

    >>> cut_short(ProviderReply(truncated=True), "openai").kind
    'truncated'
    """
    return ProviderError(
        "The answer stopped before its end.",
        kind="truncated",
        vendor=vendor,
        request_id=reply.request_id,
        billed="partial",
    )
