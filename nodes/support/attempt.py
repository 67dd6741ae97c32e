"""One attempt at a call to the model: started in the ledger, sent, and its outcome recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from langchain_core.messages import AnyMessage

from turngraph.billing.errors import UncappedError
from turngraph.billing.store.calls import Call, StartedAttempt
from turngraph.nodes.support.answer_listener import AnswerListener
from turngraph.nodes.support.call_bounds import estimate_of, no_cap_message, worst_case_of
from turngraph.nodes.support.cancellation import (
    TurnCancelledError,
    call_unless_cancelled,
    unless_cancelled,
)
from turngraph.nodes.support.charging import cost_of_attempt, keep_answer
from turngraph.nodes.support.ledger_calls import (
    keep_unanswered,
    note_response_id,
    start_call,
)
from turngraph.nodes.support.model_run import ModelRun
from turngraph.nodes.support.stage_context import StageContext
from turngraph.nodes.support.stop_reason import CANCELLED_ERROR
from turngraph.nodes.support.telemetry import within
from turngraph.providers.wire.lookup import add_attempt_id
from turngraph.providers.writing.payload import Payload
from turngraph.state.errors import BudgetExceededError, ProviderError
from turngraph.state.events import RequestSent, ResponseReceived
from turngraph.state.flow import Flow, Wait
from turngraph.state.kinds import Billed
from turngraph.state.reply import ProviderReply
from turngraph.state.request import ChatRequest
from turngraph.state.result import Attempt
from turngraph.state.turn_error import TurnError

__all__ = ["AttemptRun", "ModelCall"]


@dataclass(frozen=True)
class ModelCall:
    """A call to the model: what is the same in every attempt at it."""

    id: str
    """The same when the turn is resumed or run again, and new in every fork."""
    turn_id: str
    request: ChatRequest
    payload: Payload
    ledger_call: Call | None
    """The call as the ledger knows it; None without a ledger."""
    reservation: str | None
    """The id under which the ledger holds money for the first attempt."""
    started: StartedAttempt | None
    """The first attempt, if the stage before has marked it as sent already."""
    messages: Sequence[AnyMessage]
    """The messages of the state, which the request carries."""
    ends_at: float | None
    """When the turn must be over, in seconds since the epoch."""

    @property
    def message_count(self) -> int:
        """How many messages of the state the request carries."""
        return len(self.messages)

    @property
    def message_id(self) -> str:
        """The id of the assistant message that the answer becomes."""
        return f"msg-{self.id}"


class AttemptRun:
    """Makes one attempt at `call`; `number` counts the attempts of this run, from 1.

    `run` does it all: it calls `start`, `send` and `record`, in this order. Whatever happens to the
    request, none of them raises it: the `Attempt` says so.
    """

    def __init__(self, call: ModelCall, number: int, context: StageContext) -> None:
        self._call, self._number, self._context = call, number, context
        self._started = StartedAttempt(f"{call.id}.{number}", number, Decimal(0))
        self._sent_at: float | None = None
        self._model_run: ModelRun | None = None
        self._listener = AnswerListener(call.turn_id, call.message_id, context)

    def run(self) -> Flow[Attempt]:
        """Returns the attempt, with its answer or its error. Raises FencedError."""
        finished = yield from self.start()
        if finished is not None:
            return finished
        try:
            attempt = yield from self.send()
        except BaseException as exc:
            # A bug, or a cancelled asyncio task. The request is on its way and may be billed, so
            # the ledger must not believe that it was never sent.
            self._end_model_run(exc)
            yield from self._record_unanswered("unknown", type(exc).__name__)
            raise
        return (yield from self.record(attempt))

    def start(self) -> Flow[Attempt | None]:
        """Marks the attempt as sent in the ledger, before its first byte leaves.

        Returns a finished attempt if nothing needs to be sent: the ledger has the answer, from
        before a worker was killed, or a budget refuses the call. Else it returns None.
        """
        call = self._call
        if self._context.deps.ledger is None:
            return None
        assert call.ledger_call is not None, "with a ledger every call is known to it"
        is_first = self._number == 1
        try:
            if is_first and call.started is not None:
                self._started = call.started
            else:
                self._started = yield from start_call(
                    call.ledger_call,
                    call.payload,
                    worst_case_of(call.request, call.payload, self._context.deps),
                    self._context,
                    call_id=call.id,
                    # A retry must get its own money: the failed attempt may still be billed.
                    reservation=call.reservation if is_first else None,
                )
        except BudgetExceededError as exc:
            return self._refused(TurnError(kind="budget", message=str(exc)))
        except UncappedError:
            # The request had a cap when the money was held; someone has edited the state since.
            return self._refused(TurnError(kind="value", message=no_cap_message(call.payload)))
        if self._started.reply is None:
            return None
        return self._attempt(ProviderReply.model_validate_json(self._started.reply))

    def send(self) -> Flow[Attempt]:
        """Sends the request and returns the attempt, with the answer or the error that came."""
        call, context = self._call, self._context
        self._sent_at = context.deps.clock()
        context.emit(
            RequestSent(
                turn_id=call.turn_id,
                attempt_id=self._id,
                number=self._started.number,
                request=call.request,
                messages=call.message_count,
            )
        )
        if context.tracers is not None:
            self._model_run = ModelRun.start(context.tracers, call.request, call.messages)
        try:
            reply: ProviderReply = yield self._request()
        except ProviderError as exc:
            self._end_model_run(exc)
            arrived = self._listener.partial_reply()
            billed: Billed = exc.billed if arrived is None else "partial"
            return self._attempt(arrived, TurnError.of(exc), billed)
        except TurnCancelledError as exc:
            self._end_model_run(exc)
            return self._attempt(self._listener.partial_reply(), CANCELLED_ERROR, "partial")
        # Of an answer that was cut nobody knows whether the vendor wrote, and bills, the rest.
        is_cut = reply.truncated and reply.usage is None
        return self._attempt(reply, billed="partial" if is_cut else "actual")

    def record(self, attempt: Attempt) -> Flow[Attempt]:
        """Stores the outcome in the ledger, then tells the listeners of an answer.

        In this order, so that a listener that fails cannot lose an answer. Returns the attempt,
        with what the ledger charged for it. Raises FencedError if another worker has taken over
        the turn.
        """
        call, context, reply = self._call, self._context, attempt.reply
        if attempt.error is not None:
            yield from self._record_unanswered(attempt.billed, attempt.error.kind)
            return attempt
        assert reply is not None, "an attempt has an answer or an error"
        if context.deps.ledger is not None:
            attempt = yield from keep_answer(attempt, call.turn_id, context)
        if context.trace is not None:
            context.trace.on_reply(attempt.id, reply)
        if self._model_run is not None:
            self._model_run.end(reply, cost_of_attempt(attempt, context.deps))
        context.emit(
            ResponseReceived(
                turn_id=call.turn_id,
                attempt_id=attempt.id,
                finish_reason=reply.finish_reason,
                usage=reply.usage,
                tool_calls=len(reply.tool_calls),
                seconds=attempt.seconds,
            )
        )
        return attempt

    def _end_model_run(self, error: BaseException) -> None:
        if self._model_run is not None:
            self._model_run.fail(error)

    @property
    def _id(self) -> str:
        assert self._started.attempt_id is not None, "a call to a model may always be repeated"
        return self._started.attempt_id

    def _on_response_id(self, response_id: str) -> None:
        """Called with the answer's id, the first thing a stream tells."""
        self._listener.response_id = response_id
        if self._call.ledger_call is not None:
            note_response_id(self._id, self._call.ledger_call, self._context.deps, response_id)

    def _request(self) -> Wait:
        call, deps = self._call, self._context.deps
        provider, payload = deps.provider, call.payload
        # The tag lets the sweeper find the answer at the vendor. A caller's own body is sent
        # unchanged.
        if deps.ledger is not None and call.request.body is None:
            payload = add_attempt_id(payload, self._id, provider.profile)
        within_s = None if call.ends_at is None else max(0.001, call.ends_at - deps.clock())
        options: dict[str, Any] = {
            "stream": call.request.stream,
            "on_chunk": self._listener.on_chunk,
            "on_response_id": self._on_response_id,
            "client_request_id": self._id,
            "within_s": within_s,
        }
        trace = self._context.trace
        if trace is not None:
            options["headers"] = trace.on_request(self._id, payload, provider.url)
        wait = Wait(
            lambda: call_unless_cancelled(
                partial(provider.send, payload, **options), self._context
            ),
            lambda: unless_cancelled(provider.asend(payload, **options), self._context),
        )
        return wait if trace is None else within(partial(trace.active, self._id), wait)

    def _record_unanswered(self, billed: Billed, why: str) -> Flow[None]:
        if self._context.deps.ledger is None:
            return
        listener = self._listener
        usage = listener.usage_so_far(self._call.payload)
        yield from keep_unanswered(
            self._id, billed, why, usage, listener.response_id, self._context.deps
        )

    def _refused(self, error: TurnError) -> Attempt:
        self._started = StartedAttempt(f"{self._call.id}.0", self._number, Decimal(0))
        return self._attempt(None, error, "none")

    def _attempt(
        self,
        reply: ProviderReply | None,
        error: TurnError | None = None,
        billed: Billed = "actual",
    ) -> Attempt:
        call, deps, now = self._call, self._context.deps, self._context.deps.clock()
        started_at = now if self._sent_at is None else self._sent_at
        return Attempt(
            id=self._id,
            call_id=call.id,
            number=self._started.number,
            request=call.request,
            messages_sent=call.message_count,
            request_sha=call.payload.sha,
            started_at=started_at,
            seconds=max(0.0, now - started_at),
            reply=reply,
            error=error,
            estimate=estimate_of(reply, call.payload),
            held_usd=None if deps.ledger is None else self._started.held_usd,
            billed=billed,
            warnings=call.payload.warnings,
        )
