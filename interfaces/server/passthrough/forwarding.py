"""One forwarded request on its way: a task of its own reads the vendor's answer and meters it.

The task is not the request's, so that an answer whose client has left is still charged.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.passthrough.headers import headers_for_client
from turngraph.interfaces.server.passthrough.metering import NOTHING, Meter, Metered
from turngraph.interfaces.server.passthrough.secret_mask import SecretMask
from turngraph.providers.wire.http_answer import Answer
from turngraph.providers.wire.http_transport import HttpTransport
from turngraph.state.errors import ProviderError

__all__ = ["AnswerHead", "Forwarding"]

_PIECES_AHEAD: Final = 64
"""How many pieces of an answer wait for a slow client."""
_ERROR_BYTES: Final = 1_000_000


@dataclass(frozen=True)
class AnswerHead:
    """What comes before the body of an answer."""

    status: int
    headers: Mapping[str, str]


class Forwarding:
    """Sends a request, and keeps its answer for the client piece by piece.

    `on_end` is called with what was used.
    """

    def __init__(
        self,
        transport: HttpTransport,
        meter: Meter,
        path: str,
        content: bytes,
        headers: Mapping[str, str],
        on_end: Callable[[Metered], Awaitable[None]],
    ) -> None:
        self._transport, self._meter, self._on_end = transport, meter, on_end
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue(_PIECES_AHEAD)
        self._head: asyncio.Future[AnswerHead] = asyncio.get_running_loop().create_future()
        self._broken: ProviderError | None = None
        self._mask = SecretMask(transport.config.secrets)
        self.task = asyncio.create_task(self._run(path, content, headers))

    async def head(self) -> AnswerHead:
        """Waits until the answer begins. Raises ServerError if none comes.

        Where the waiting is cancelled, the request is too.
        """
        try:
            return await asyncio.shield(self._head)
        except asyncio.CancelledError:
            self.task.cancel()
            raise

    async def body(self) -> AsyncIterator[bytes]:
        """Yields the answer's bytes as they come. Where this is closed early, the request ends.

        Raises ProviderError where the vendor's own answer broke off.
        """
        try:
            while (piece := await self._pieces.get()) is not None:
                yield piece
            if self._broken is not None:
                raise self._broken
        finally:
            self.task.cancel()

    async def _run(self, path: str, content: bytes, headers: Mapping[str, str]) -> None:
        used = NOTHING
        try:
            async with self._transport.aforward(path, content, headers) as answer:
                if answer.status_code >= 300:
                    await self._pass_error(answer)
                else:
                    used = await self._pass_answer(answer)
        except ProviderError as exc:
            await self._meter.failed(exc)
            self._fail(exc)
        except asyncio.CancelledError:
            # The client left, or the server stops, before the vendor's answer began.
            if not self._head.done():
                await self._meter.unknown("cancelled")
            raise
        finally:
            if not self._head.done():
                self._head.cancel()
            await self._on_end(used)
        await self._pieces.put(None)

    async def _pass_answer(self, answer: Answer) -> Metered:
        self._begin(answer)
        whole = False
        try:
            async for piece in answer.aiter_bytes():
                self._meter.read(piece)
                await self._put(self._mask.feed(piece))
            whole = True
        except ProviderError as exc:
            self._broken = exc
        else:
            await self._put(self._mask.finish())
        finally:
            # Also when the task is cancelled, because the client has left.
            used = await self._meter.charge(whole=whole)
        return used

    async def _pass_error(self, answer: Answer) -> None:
        body = bytearray()
        async for piece in answer.aiter_bytes():
            body += piece
            if len(body) > _ERROR_BYTES:
                break
        await self._meter.refused(answer.status_code, answer.headers, bytes(body))
        if answer.status_code < 400:
            # A redirect would lead the client, and its key, to somebody else.
            raise_to = ServerError(502, "The vendor answered with a redirect.", code="redirect")
            self._head.set_exception(raise_to)
            return
        self._head.set_result(self._head_of(answer))
        await self._put(self._mask.feed(bytes(body)))
        await self._put(self._mask.finish())

    def _begin(self, answer: Answer) -> None:
        self._meter.answer_begins(answer.status_code, answer.headers)
        self._head.set_result(self._head_of(answer))

    def _head_of(self, answer: Answer) -> AnswerHead:
        headers = self._mask.headers(headers_for_client(answer.headers))
        return AnswerHead(answer.status_code, headers)

    async def _put(self, piece: bytes) -> None:
        if piece:
            await self._pieces.put(piece)

    def _fail(self, exc: ProviderError) -> None:
        if self._head.done():
            self._broken = exc
        else:
            status = 504 if exc.kind == "timeout" else 502
            self._head.set_exception(ServerError(status, str(exc), code=f"upstream_{exc.kind}"))
