"""One forwarded request on its way: a task of its own reads the vendor's answer and meters it.

The task is not the request's, so that an answer whose client has left is still charged.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final

from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.passthrough.headers import headers_for_client
from turngraph.interfaces.server.passthrough.kept_answers import KeyClaim
from turngraph.interfaces.server.passthrough.last_event import WholeLines, error_event
from turngraph.interfaces.server.passthrough.metering import NOTHING, Meter, Metered
from turngraph.interfaces.server.passthrough.secret_mask import SecretMask
from turngraph.providers.wire.http_answer import Answer
from turngraph.providers.wire.http_transport import HttpTransport
from turngraph.state.errors import ProviderError

__all__ = ["AnswerHead", "Forwarding", "Outgoing"]

_PIECES_AHEAD: Final = 64
"""How many pieces of an answer wait for a slow client."""
_ERROR_BYTES: Final = 1_000_000


@dataclass(frozen=True)
class Outgoing:
    """A request as it is sent to a vendor."""

    path: str
    content: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class AnswerHead:
    """What comes before the body of an answer."""

    status: int
    headers: Mapping[str, str]


class Forwarding:
    """Sends a request, and keeps its answer for the client piece by piece.

    Args:
        claim: the `Idempotency-Key` of the request. One with a key is read to its end even if its
            client leaves: the client will come again for the answer.
        on_end: called with what was used.
    """

    def __init__(
        self,
        transport: HttpTransport,
        meter: Meter,
        outgoing: Outgoing,
        claim: KeyClaim | None,
        on_end: Callable[[Metered], Awaitable[None]],
    ) -> None:
        self._transport, self._meter, self._claim = transport, meter, claim
        self._on_end = on_end
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue(_PIECES_AHEAD)
        self._head: asyncio.Future[AnswerHead] = asyncio.get_running_loop().create_future()
        self._head.add_done_callback(_retrieve)
        self._mask = SecretMask(transport.config.secrets)
        self._lines: WholeLines | None = None
        self._error: ServerError | ProviderError | None = None
        self._used, self._last = NOTHING, b""
        self._client_left = self._stopped = False
        self.task = asyncio.create_task(self._run(outgoing))

    async def head(self) -> AnswerHead:
        """Waits until the answer begins. Raises ServerError if none comes.

        Where the waiting is cancelled, the request is too.
        """
        try:
            return await asyncio.shield(self._head)
        except asyncio.CancelledError:
            self._leave()
            raise

    async def body(self) -> AsyncIterator[bytes]:
        """Yields the answer's bytes as they come. Where this is closed early, the request ends.

        A stream that the server ends has an error event at its end. Raises what else has ended the
        answer before it was whole.
        """
        try:
            while (piece := await self._pieces.get()) is not None:
                yield piece
            if isinstance(self._error, ServerError) and self._can_tell:
                yield error_event(self._meter.api, self._error, self._last)
            elif self._error is not None:
                raise self._error
        finally:
            self._leave()

    def stop(self) -> None:
        """Ends the answer, because the server stops. Its client is told."""
        self._stopped = True
        self.task.cancel()

    @property
    def _can_tell(self) -> bool:
        return self._lines is not None and self._lines.is_between

    def _leave(self) -> None:
        self._client_left = True
        while not self._pieces.empty():
            self._pieces.get_nowait()
        if self._claim is None:
            self.task.cancel()

    async def _run(self, outgoing: Outgoing) -> None:
        whole = False
        try:
            async with nullcontext() if self._claim is None else self._claim.renewed():
                whole = await self._forward(outgoing)
        except asyncio.CancelledError:
            # The client left, or the server stops.
            if not self._head.done():
                await self._meter.unknown("cancelled")
            if not self._stopped:
                raise
            self._fail(_stopping())
        finally:
            if not self._head.done():
                self._head.cancel()
            self._meter.close()
            try:
                await self._on_end(self._used)
            finally:
                if self._claim is not None:
                    await self._claim.end(whole=whole)
        await self._put(None)

    async def _forward(self, outgoing: Outgoing) -> bool:
        """Returns whether a whole answer, and no error, has come."""
        total_s = self._transport.config.timeouts.total_s
        try:
            async with (
                # Also for a client that does not read: it holds one of the server's places.
                asyncio.timeout(total_s),
                self._transport.aforward(
                    outgoing.path, outgoing.content, outgoing.headers
                ) as answer,
            ):
                if answer.status_code >= 300:
                    await self._pass_error(answer)
                    return False
                await self._pass_answer(answer)
        except ProviderError as exc:
            await self._meter.failed(exc)
            self._fail(exc)
        except TimeoutError:
            if not self._head.done():
                await self._meter.unknown("timeout")
            sentence = f"The answer was not whole, and read, after {total_s:g} seconds."
            self._fail(ServerError(504, sentence, code="upstream_timeout"))
        return self._error is None and self._meter.is_complete

    async def _pass_answer(self, answer: Answer) -> None:
        self._meter.answer_begins(answer.status_code, answer.headers)
        self._begin(answer)
        if "event-stream" in answer.headers.get("Content-Type", ""):
            self._lines = WholeLines()
        whole = False
        try:
            async for piece in answer.aiter_bytes():
                self._meter.read(piece)
                await self._pass(self._mask.feed(piece))
            whole = True
        except ProviderError as exc:
            self._error = exc
        else:
            await self._pass(self._mask.finish(), is_last=True)
        finally:
            # Also when the task is cancelled, because the client has left or the server stops.
            self._used = await self._meter.charge(whole=whole)

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
        self._begin(answer)
        await self._pass(self._mask.feed(bytes(body)))
        await self._pass(self._mask.finish(), is_last=True)

    def _begin(self, answer: Answer) -> None:
        headers = self._mask.headers(headers_for_client(answer.headers))
        if self._claim is not None:
            self._claim.begin(answer.status_code, headers)
        self._head.set_result(AnswerHead(answer.status_code, headers))

    async def _pass(self, data: bytes, *, is_last: bool = False) -> None:
        if self._lines is not None:
            data = self._lines.feed(data) + (self._lines.finish() if is_last else b"")
        if data:
            if self._claim is not None:
                self._claim.add(data)
            self._last = data
            await self._put(data)

    async def _put(self, piece: bytes | None) -> None:
        if not self._client_left:
            await self._pieces.put(piece)

    def _fail(self, exc: ServerError | ProviderError) -> None:
        if self._head.done():
            self._error = exc
        elif isinstance(exc, ServerError):
            self._head.set_exception(exc)
        else:
            status = 504 if exc.kind == "timeout" else 502
            self._head.set_exception(ServerError(status, str(exc), code=f"upstream_{exc.kind}"))


def _stopping() -> ServerError:
    return ServerError(
        503,
        "The server was stopped before the answer had ended. Send the request again.",
        code="server_stopping",
        headers={"Retry-After": "1"},
    )


def _retrieve(head: "asyncio.Future[AnswerHead]") -> None:
    """Looks at the exception, so that asyncio does not report it as lost if the client has left."""
    if not head.cancelled():
        head.exception()
