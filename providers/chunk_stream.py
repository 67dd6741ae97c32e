"""A streamed answer as an iterator, for `for` and for `async for`."""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, closing
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from turngraph.providers.wire.wire import Wire
from turngraph.providers.writing.payload import Payload
from turngraph.state.errors import ProviderError, TurnInvocationError
from turngraph.state.reply import ProviderReply, StreamChunk

__all__ = ["ChunkStream", "truncation_error"]


class ChunkStream:
    """One streamed answer: iterate over it by `for` or by `async for` to get its `StreamChunk`s.

    The request is sent when the first chunk is taken, and chunks are read from the connection only
    as they are taken. It can be iterated over once: a second time would be a second call. To stop
    early, use `with` or `async with`, or call `close` or `aclose`; the connection is then released.

    Attributes: `payload` (the request that is sent), `reply` (the whole answer, in the end).

    If no usable answer comes, or it stops early, the last chunk is an `error` chunk with the
    message, and the next step raises ProviderError. Mixing `for` and `async for` raises
    TurnInvocationError.

        >>> from turngraph.providers import OpenAIProvider, ProviderConfig
        >>> from turngraph.scripted import Say, ScriptedModel
        >>> with ScriptedModel([Say("Hi there.")]) as model:
        ...     provider = OpenAIProvider(ProviderConfig(model="any", base_url=model.base_url))
        ...     with provider.stream_generate([("user", "Hi")]) as stream:
        ...         types = {chunk.type for chunk in stream}
        >>> sorted(types), stream.reply.text
        (['text', 'usage'], 'Hi there.')
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
        """The whole answer; None until the last chunk was taken."""
        return self._reading.reply

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> StreamChunk:
        if self._async is not None:
            raise TurnInvocationError(
                "This stream is read by `async for` already: make another call."
            )
        if self._sync is None:
            self._sync = self._reading.chunks()
        return next(self._sync)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StreamChunk:
        if self._sync is not None:
            raise TurnInvocationError("This stream is read by `for` already: make another call.")
        if self._async is None:
            self._async = self._reading.achunks()
        return await anext(self._async)

    def close(self) -> None:
        """Stop reading the answer and release its connection."""
        if self._sync is not None:
            self._sync.close()

    async def aclose(self) -> None:
        """Async version of `close`, for a stream that is read by `async for`."""
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
    """What the generators of a stream hold.

    If they held the stream itself, it would be part of a reference cycle, and its connection would
    stay open after the last user dropped it.
    """

    wire: Wire
    payload: Payload
    on_reply: Callable[[ProviderReply], None]
    reply: ProviderReply | None = None

    def chunks(self) -> Generator[StreamChunk, None, None]:
        try:
            with closing(self.wire.stream(self.payload)) as pieces:
                for piece in pieces:
                    if isinstance(piece, StreamChunk):
                        yield piece
                    else:
                        self._finish(piece)
        except ProviderError as error:
            # A front end that only shows chunks sees the error too; code gets it raised.
            yield StreamChunk(type="error", text=error.message)
            raise

    async def achunks(self) -> AsyncGenerator[StreamChunk, None]:
        try:
            async with aclosing(self.wire.astream(self.payload)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, StreamChunk):
                        yield piece
                    else:
                        self._finish(piece)
        except ProviderError as error:
            yield StreamChunk(type="error", text=error.message)
            raise

    def _finish(self, reply: ProviderReply) -> None:
        # `reply` is set first, so that whoever catches the error can still see what did arrive.
        self.reply = reply
        if reply.truncated:
            raise truncation_error(reply, self.wire.config.vendor)
        self.on_reply(reply)


def truncation_error(reply: ProviderReply, vendor: str) -> ProviderError:
    """Returns the error for an answer that stopped before its end.

    >>> truncation_error(ProviderReply(truncated=True), "openai").kind
    'truncated'
    """
    return ProviderError(
        "The answer stopped before its end.",
        kind="truncated",
        vendor=vendor,
        request_id=reply.request_id,
        billed="partial",
    )
