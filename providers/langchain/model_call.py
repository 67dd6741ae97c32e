"""One call of the chat model, in LangChain's four ways: whole or streamed, sync or async."""

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import aclosing, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain

from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from turngraph.providers.chunk_stream import truncation_error
from turngraph.providers.langchain.errors import as_model_error
from turngraph.providers.langchain.messages import ChunkWriter, message_of
from turngraph.providers.langchain.retries import acall_with_retries, call_with_retries
from turngraph.providers.wire.wire import Wire
from turngraph.providers.writing.payload import Payload
from turngraph.state.errors import ProviderError
from turngraph.state.reply import ProviderReply, StreamChunk

__all__ = ["ModelCall"]

_Piece = StreamChunk | ProviderReply


@dataclass(frozen=True)
class ModelCall:
    """A payload, and how it is sent. Each method sends it and returns LangChain's results.

    An answer that stopped early is an error. All errors are a ProviderError and LangChain's
    ModelError at the same time.
    """

    wire: Wire
    payload: Payload
    max_retries: int
    """How often the payload may be sent again after an error that is retryable."""
    blocks: bool
    """Whether content is LangChain's standard blocks. If not, it is text."""

    def result(self) -> ChatResult:
        """Returns the whole answer."""
        with _langchain_errors():
            send = partial(self.wire.send, self.payload)
            return self._result(call_with_retries(send, self.max_retries))

    async def aresult(self) -> ChatResult:
        """Async version of `result`."""
        with _langchain_errors():
            send = partial(self.wire.asend, self.payload)
            return self._result(await acall_with_retries(send, self.max_retries))

    def chunks(self) -> Iterator[ChatGenerationChunk]:
        """Yields the answer piece by piece.

        It is sent again only until the first piece has come: later, the caller would see a second
        beginning.
        """
        writer = self._writer()
        with _langchain_errors():
            first, rest = call_with_retries(self._start, self.max_retries)
            # A reader that stops early leaves the generator waiting; `closing` ends the request.
            with closing(rest):
                for piece in chain((first,), rest):
                    yield from self._chunks(piece, writer)

    async def achunks(self) -> AsyncIterator[ChatGenerationChunk]:
        """Async version of `chunks`."""
        writer = self._writer()
        with _langchain_errors():
            first, rest = await acall_with_retries(self._astart, self.max_retries)
            async with aclosing(rest):
                for chunk in self._chunks(first, writer):
                    yield chunk
                async for piece in rest:
                    for chunk in self._chunks(piece, writer):
                        yield chunk

    def _start(self) -> tuple[_Piece, Generator[_Piece, None, None]]:
        """Returns the first piece, and the generator of the others."""
        # Nothing is sent before `next`: an error of the request is raised here, and retried.
        pieces = self.wire.stream(self.payload)
        return next(pieces), pieces

    async def _astart(self) -> tuple[_Piece, AsyncGenerator[_Piece, None]]:
        pieces = self.wire.astream(self.payload)
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
        if isinstance(piece, StreamChunk):
            chunk = writer.piece(piece)
        else:
            chunk = writer.last(self._whole(piece))
        if chunk is not None:
            yield ChatGenerationChunk(message=chunk)

    def _whole(self, reply: ProviderReply) -> ProviderReply:
        # A message of LangChain's cannot say that it was cut off: a part would pass for the whole.
        if reply.truncated:
            raise truncation_error(reply, self.wire.config.vendor)
        return reply


@contextmanager
def _langchain_errors() -> Iterator[None]:
    try:
        yield
    except ProviderError as error:
        raise as_model_error(error) from error
