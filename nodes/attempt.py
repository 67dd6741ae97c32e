"""One request on the wire, and what came of it: an answer, a part of one, or an error. Nothing is raised for those."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from turngraph.nodes.deps import TurnDeps
from turngraph.nodes.flow import Flow, Wait
from turngraph.nodes.here import Here
from turngraph.nodes.limits import CANCELLED
from turngraph.providers.messages import to_chunk
from turngraph.providers.payload import Payload
from turngraph.state.errors import ProviderError
from turngraph.state.events import RequestSent, ResponseReceived, Token
from turngraph.state.reply import ProviderReply, StreamChunk
from turngraph.state.request import ChatRequest
from turngraph.state.result import Attempt, TurnError

__all__ = ["Sending", "attempt"]

_LOOK_UP_S: Final = 0.05


@dataclass(frozen=True)
class Sending:
    """What is sent, the same for every attempt at one call."""

    turn_id: str
    call_id: str
    request: ChatRequest
    payload: Payload
    messages: int
    ends_at: float | None
    """When the turn must be over, in seconds since the epoch."""


class _CancelledError(Exception):
    """The caller gave up while the answer was arriving."""


@dataclass
class _Listener:
    """Passes on what arrives, and remembers the text: what a cut answer leaves behind."""

    tell: Callable[[StreamChunk], None]
    here: Here
    text: list[str] = field(default_factory=list)

    def __call__(self, chunk: StreamChunk) -> None:
        if self.here.cancelled:
            raise _CancelledError
        if chunk.type == "text":
            self.text.append(chunk.text)
        self.tell(chunk)

    @property
    def partly(self) -> ProviderReply | None:
        """What had arrived, as an answer cut short; `None` where nothing had."""
        return ProviderReply(text="".join(self.text), truncated=True) if self.text else None


def attempt(sending: Sending, number: int, deps: TurnDeps, here: Here) -> Flow[Attempt]:
    """Send once. The attempt it returns says what happened, whatever happened."""
    attempt_id = f"{sending.call_id}.{number}"
    started = deps.clock()
    listener = _Listener(_teller(sending, here), here)
    reply: ProviderReply | None = None
    error: TurnError | None = None
    billed = "actual"
    here.emit(
        RequestSent(
            turn_id=sending.turn_id,
            attempt_id=attempt_id,
            number=number,
            request=sending.request,
            messages=sending.messages,
        )
    )
    try:
        reply = yield _send(deps, sending, listener, attempt_id)
    except ProviderError as exc:
        error, billed, reply = TurnError.of(exc), exc.billed, listener.partly
    except _CancelledError:
        error, billed, reply = CANCELLED.error, "partial", listener.partly
    made = Attempt(
        id=attempt_id,
        call_id=sending.call_id,
        number=number,
        request=sending.request,
        messages_sent=sending.messages,
        request_sha=sending.payload.sha,
        started_at=started,
        seconds=max(0.0, deps.clock() - started),
        reply=reply,
        error=error,
        billed=billed,
    )
    if error is None:
        here.emit(_received(sending.turn_id, made))
    return made


def _send(deps: TurnDeps, sending: Sending, listener: _Listener, attempt_id: str) -> Wait:
    ends_at, stream = sending.ends_at, sending.request.stream
    within_s = None if ends_at is None else max(0.001, ends_at - deps.clock())
    provider, payload = deps.provider, sending.payload
    return Wait(
        lambda: provider.send(
            payload, stream=stream, on_chunk=listener, client_request_id=attempt_id, within_s=within_s
        ),
        lambda: _unless_cancelled(
            provider.asend(payload, stream=stream, on_chunk=listener, client_request_id=attempt_id, within_s=within_s),
            listener.here,
        ),
    )


async def _unless_cancelled(answer: Coroutine[Any, Any, ProviderReply], here: Here) -> ProviderReply:
    """The answer, unless the caller gives up first: an answer that is not streamed has no pieces to look up at."""
    if not here.cancellable:
        return await answer
    task = asyncio.create_task(answer)
    try:
        while not task.done():
            if here.cancelled:
                raise _CancelledError
            await asyncio.wait({task}, timeout=_LOOK_UP_S)
        return task.result()
    finally:
        task.cancel()


def _teller(sending: Sending, here: Here) -> Callable[[StreamChunk], None]:
    message_id = f"msg-{sending.call_id}"

    def tell(chunk: StreamChunk) -> None:
        if chunk.type in ("text", "reasoning", "refusal"):
            here.emit(Token(turn_id=sending.turn_id, kind=chunk.type, text=chunk.text))
            if here.tokens_wanted:
                here.push(to_chunk(chunk, message_id=message_id))

    return tell


def _received(turn_id: str, made: Attempt) -> ResponseReceived:
    assert made.reply is not None, "an attempt without an error has its answer"
    return ResponseReceived(
        turn_id=turn_id,
        attempt_id=made.id,
        finish_reason=made.reply.finish_reason,
        usage=made.reply.usage,
        tool_calls=len(made.reply.tool_calls),
        seconds=made.seconds,
    )
