"""One call of the chat model: what is sent, and LangChain's results made of what comes back, in the
four ways.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import aclosing, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain

from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from turngraph.providers.chunk_stream import cut_short
from turngraph.providers.langchain.errors import as_model_error
from turngraph.providers.langchain.messages import ChunkWriter, message_of
from turngraph.providers.langchain.retries import aretried, retried
from turngraph.providers.wire.wire import Wire
from turngraph.providers.writing.payload import Payload
from turngraph.state.errors import ProviderError
from turngraph.state.reply import ProviderReply, StreamChunk

__all__ = ["ModelCall"]

_Piece = StreamChunk | ProviderReply


@dataclass(frozen=True)
class ModelCall:
    """A payload on its way. `retries`: how often it may be sent again; `blocks`: content as
    standard blocks.

    Raises errors that are ProviderErrors and LangChain's ModelErrors at once, also for an answer
    cut short.
    """

    wire: Wire
    payload: Payload
    retries: int
    blocks: bool

    def result(self) -> ChatResult:
        """The answer, whole."""
        with _langchain_errors():
            return self._result(retried(partial(self.wire.send, self.payload), self.retries))

    async def aresult(self) -> ChatResult:
        """The answer, whole."""
        with _langchain_errors():
            return self._result(
                await aretried(partial(self.wire.asend, self.payload), self.retries)
            )

    def chunks(self) -> Iterator[ChatGenerationChunk]:
        """The answer, piece by piece. Nothing is sent again once the first piece came."""
        writer = self._writer()
        with _langchain_errors():
            first, rest = retried(self._begun, self.retries)
            with closing(rest):
                for piece in chain((first,), rest):
                    yield from self._chunks(piece, writer)

    async def achunks(self) -> AsyncIterator[ChatGenerationChunk]:
        """The answer, piece by piece."""
        writer = self._writer()
        with _langchain_errors():
            first, rest = await aretried(self._abegun, self.retries)
            async with aclosing(rest):
                for chunk in self._chunks(first, writer):
                    yield chunk
                async for piece in rest:
                    for chunk in self._chunks(piece, writer):
                        yield chunk

    def _begun(self) -> tuple[_Piece, Generator[_Piece, None, None]]:
        pieces = self.wire.pieces(self.payload)
        return next(pieces), pieces

    async def _abegun(self) -> tuple[_Piece, AsyncGenerator[_Piece, None]]:
        pieces = self.wire.apieces(self.payload)
        return await anext(pieces), pieces

    def _result(self, reply: ProviderReply) -> ChatResult:
        message = message_of(
            self._whole(reply),
            vendor=self.wire.config.vendor,
            api=self.wire.api,
            warnings=self.payload.warnings,
            blocks=self.blocks,
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _writer(self) -> ChunkWriter:
        return ChunkWriter(
            vendor=self.wire.config.vendor,
            api=self.wire.api,
            warnings=self.payload.warnings,
            blocks=self.blocks,
        )

    def _chunks(self, piece: _Piece, writer: ChunkWriter) -> Iterator[ChatGenerationChunk]:
        chunk = (
            writer.piece(piece)
            if isinstance(piece, StreamChunk)
            else writer.last(self._whole(piece))
        )
        if chunk is not None:
            yield ChatGenerationChunk(message=chunk)

    def _whole(self, reply: ProviderReply) -> ProviderReply:
        if reply.truncated:
            raise cut_short(reply, self.wire.config.vendor)
        return reply


@contextmanager
def _langchain_errors() -> Iterator[None]:
    try:
        yield
    except ProviderError as error:
        raise as_model_error(error) from error
