"""One request on the wire, and what came of it: an answer, a part of one, or an error. Nothing is
raised for those.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any, Final, Literal

from turngraph.billing.errors import UncappedError
from turngraph.billing.store.calls import Call, StartedAttempt
from turngraph.nodes.support.dependencies import TurnDeps
from turngraph.nodes.support.ledger_calls import (
    begin_call,
    estimate_of,
    keep_answer,
    note_begun,
    release_call,
    uncapped,
)
from turngraph.nodes.support.limits import CANCELLED
from turngraph.nodes.support.stage_context import StageContext
from turngraph.providers.wire.lookup import add_attempt_id
from turngraph.providers.writing.messages import to_chunk
from turngraph.providers.writing.payload import Payload
from turngraph.state.errors import BudgetExceededError, ProviderError
from turngraph.state.events import RequestSent, ResponseReceived, Token
from turngraph.state.flow import Flow, Wait
from turngraph.state.reply import ProviderReply, StreamChunk
from turngraph.state.request import ChatRequest
from turngraph.state.result import Attempt, TurnError
from turngraph.state.usage import Usage

__all__ = ["Sending", "attempt"]

_LOOK_UP_S: Final = 0.05


@dataclass(frozen=True)
class Sending:
    """What is sent, the same for every attempt at one call."""

    turn_id: str
    call_id: str
    request: ChatRequest
    payload: Payload
    call: Call
    """The same for the ledger."""
    reservation: str | None
    messages: int
    ends_at: float | None
    """When the turn must be over, in seconds since the epoch."""


class _CancelledError(Exception):
    """The caller gave up while the answer was arriving."""


@dataclass
class _Listener:
    """Passes on what arrives, and remembers what a cut answer leaves behind: its text, its id, what
    it used.
    """

    tell: Callable[[StreamChunk], None]
    note: Callable[[str], None]
    here: StageContext
    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    usage: Usage | None = None
    """Told at the very end of a stream; then only its last bytes are missing."""
    response_id: str | None = None

    def begun(self, response_id: str) -> None:
        """The answer's id, the first thing a stream tells."""
        self.response_id = response_id
        self.note(response_id)

    def __call__(self, chunk: StreamChunk) -> None:
        if self.here.cancelled:
            raise _CancelledError
        if chunk.type == "text":
            self.text.append(chunk.text)
        elif chunk.type == "reasoning":
            self.reasoning.append(chunk.text)
        elif chunk.type == "usage":
            self.usage = chunk.usage
        self.tell(chunk)

    @property
    def partly(self) -> ProviderReply | None:
        """What had arrived, as an answer cut short; `None` where no text had."""
        return self._cut() if self.text else None

    def used(self, payload: Payload) -> Usage | None:
        """What the answer used as far as it arrived; `None` where nothing did."""
        return self.usage or (
            estimate_of(self._cut(), payload) if self.text or self.reasoning else None
        )

    def _cut(self) -> ProviderReply:
        return ProviderReply(
            text="".join(self.text),
            reasoning="".join(self.reasoning) or None,
            usage=self.usage,
            response_id=self.response_id,
            truncated=True,
        )


def attempt(sending: Sending, number: int, deps: TurnDeps, here: StageContext) -> Flow[Attempt]:
    """Send once. The attempt it returns says what happened, whatever happened.

    With a ledger it is marked as sent before its first byte leaves; an answer that was kept there
    before the worker was killed is used, and nothing is sent.
    """
    if deps.ledger is None:
        begun = StartedAttempt(f"{sending.call_id}.{number}", number, Decimal(0))
        made = yield from _sent(sending, begun, _listener(sending, begun, deps, here), deps, here)
        return _told(made, sending, here)
    try:
        reservation = sending.reservation if number == 1 else None
        begun = yield from begin_call(
            sending.request, sending.payload, sending.call, reservation, deps, here
        )
    except BudgetExceededError as exc:
        return _refused(sending, number, TurnError(kind="budget", message=str(exc)), deps)
    except UncappedError:  # the cap was there when the money was held, and was taken out since
        return _refused(
            sending, number, TurnError(kind="value", message=uncapped(sending.payload)), deps
        )
    if begun.reply is not None:
        return _made(
            sending, begun, deps.clock(), deps, reply=ProviderReply.model_validate_json(begun.reply)
        )
    return (yield from _kept(sending, begun, deps, here))


def _kept(
    sending: Sending, begun: StartedAttempt, deps: TurnDeps, here: StageContext
) -> Flow[Attempt]:
    """Send, and tell the ledger what became of it, also when the task is cancelled meanwhile."""
    assert begun.attempt_id is not None, "a call to a model may always be repeated"
    listener = _listener(sending, begun, deps, here)
    try:
        made = yield from _sent(sending, begun, listener, deps, here)
    except BaseException as exc:
        yield from _lost(sending, begun.attempt_id, listener, "unknown", type(exc).__name__, deps)
        raise
    if made.error is None:
        assert made.reply is not None, "an attempt has an answer or an error"
        yield from keep_answer(begun.attempt_id, made.reply, sending.turn_id, deps)
    else:
        yield from _lost(sending, begun.attempt_id, listener, made.billed, made.error.kind, deps)
    return _told(made, sending, here)


def _lost(
    sending: Sending, attempt_id: str, listener: _Listener, billed: str, why: str, deps: TurnDeps
) -> Flow[None]:
    yield from release_call(
        attempt_id, billed, why, listener.used(sending.payload), listener.response_id, deps
    )


def _sent(
    sending: Sending, begun: StartedAttempt, listener: _Listener, deps: TurnDeps, here: StageContext
) -> Flow[Attempt]:
    started = deps.clock()
    here.emit(
        RequestSent(
            turn_id=sending.turn_id,
            attempt_id=begun.attempt_id or "",
            number=begun.number,
            request=sending.request,
            messages=sending.messages,
        )
    )
    try:
        reply = yield _send(deps, sending, listener, begun.attempt_id or "")
    except ProviderError as exc:
        billed = "partial" if listener.partly is not None else exc.billed
        return _made(
            sending,
            begun,
            started,
            deps,
            reply=listener.partly,
            error=TurnError.of(exc),
            billed=billed,
        )
    except _CancelledError:
        return _made(
            sending,
            begun,
            started,
            deps,
            reply=listener.partly,
            error=CANCELLED.error,
            billed="partial",
        )
    return _made(sending, begun, started, deps, reply=reply)


def _told(made: Attempt, sending: Sending, here: StageContext) -> Attempt:
    """The attempt, once listeners know of its answer: kept before, whatever a listener does."""
    if made.error is None:
        here.emit(_received(sending.turn_id, made))
    return made


def _made(
    sending: Sending,
    begun: StartedAttempt,
    started: float,
    deps: TurnDeps,
    *,
    reply: ProviderReply | None = None,
    error: TurnError | None = None,
    billed: Literal["none", "partial", "unknown", "actual"] = "actual",
) -> Attempt:
    return Attempt(
        id=begun.attempt_id or "",
        call_id=sending.call_id,
        number=begun.number,
        request=sending.request,
        messages_sent=sending.messages,
        request_sha=sending.payload.sha,
        started_at=started,
        seconds=max(0.0, deps.clock() - started),
        reply=reply,
        error=error,
        estimate=estimate_of(reply, sending.payload),
        held_usd=begun.held_usd if deps.ledger is not None else None,
        billed=billed,
        warnings=sending.payload.warnings,
    )


def _refused(sending: Sending, number: int, error: TurnError, deps: TurnDeps) -> Attempt:
    begun = StartedAttempt(f"{sending.call_id}.0", number, Decimal(0))
    return _made(sending, begun, deps.clock(), deps, error=error, billed="none")


def _send(deps: TurnDeps, sending: Sending, listener: _Listener, attempt_id: str) -> Wait:
    ends_at, stream = sending.ends_at, sending.request.stream
    within_s = None if ends_at is None else max(0.001, ends_at - deps.clock())
    provider, payload, begun = deps.provider, sending.payload, listener.begun
    if (
        deps.ledger is not None and sending.request.body is None
    ):  # a caller's own body goes out as it is
        payload = add_attempt_id(payload, attempt_id, provider.profile)
    return Wait(
        lambda: provider.send(
            payload,
            stream=stream,
            on_chunk=listener,
            on_response_id=begun,
            client_request_id=attempt_id,
            within_s=within_s,
        ),
        lambda: _unless_cancelled(
            provider.asend(
                payload,
                stream=stream,
                on_chunk=listener,
                on_response_id=begun,
                client_request_id=attempt_id,
                within_s=within_s,
            ),
            listener.here,
        ),
    )


async def _unless_cancelled(
    answer: Coroutine[Any, Any, ProviderReply], here: StageContext
) -> ProviderReply:
    """The answer, unless the caller gives up first: an answer that is not streamed has no pieces to
    look up at.
    """
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


def _listener(
    sending: Sending, begun: StartedAttempt, deps: TurnDeps, here: StageContext
) -> _Listener:
    return _Listener(
        _teller(sending, here),
        partial(note_begun, begun.attempt_id or "", sending.call, deps),
        here,
    )


def _teller(sending: Sending, here: StageContext) -> Callable[[StreamChunk], None]:
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
