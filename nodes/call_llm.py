"""call_llm: sends the prepared request, retries it if that may help, keeps what came back.

reads   messages, turn_id, settings, started_at, request, reservation, attempts, tool_runs
writes  messages, attempts, pending_tool_calls, outcome

`messages` gets the assistant message, `attempts` those of this call only. An answer that does not
fit its format is followed by a message that asks for another one, where that is wanted. This is
the one place that retries: a second loop below it would multiply the bill.
"""

from collections.abc import Collection
from typing import TypedDict

from langchain_core.messages import AnyMessage

from turngraph.billing.store.calls import Call, StartedAttempt
from turngraph.nodes.support.answer_format import (
    misfit,
    parse_answer,
    repair_message,
    was_repaired,
)
from turngraph.nodes.support.attempt import AttemptRun, ModelCall
from turngraph.nodes.support.cancellation import pause
from turngraph.nodes.support.ledger_calls import attribution_of, ledger_call, next_seq
from turngraph.nodes.support.limits import over_limit, over_time
from turngraph.nodes.support.retries import wait_before_retry
from turngraph.nodes.support.stage_context import StageContext
from turngraph.nodes.support.stop_reason import (
    CANCELLED,
    outcome_of_error,
    outcome_of_reply,
    unsendable,
)
from turngraph.providers.writing.messages import to_ai_message
from turngraph.providers.writing.payload import Payload
from turngraph.state.errors import TurnValueError
from turngraph.state.events import ResponseFailed, TurnWarning
from turngraph.state.flow import Flow
from turngraph.state.reply import ProviderReply
from turngraph.state.request import ChatRequest
from turngraph.state.result import Attempt, ToolRun
from turngraph.state.tool_names import as_tool_name, is_tool_name
from turngraph.state.turn import Turn, TurnOutcome, TurnSettings

__all__ = ["call_llm"]


class Reads(TypedDict):
    """The slice of the state that this stage sees."""

    messages: list[AnyMessage]
    turn_id: str
    settings: TurnSettings | None
    started_at: float
    request: ChatRequest
    reservation: str | None
    attempts: list[Attempt]
    tool_runs: list[ToolRun]


def call_llm(state: Reads, context: StageContext) -> Flow[Turn]:
    """Makes one call to the model, with as many attempts as it takes."""
    deps, request = context.deps, state["request"]
    prepared = None if context.next_call is None else context.next_call.take(request)
    try:
        payload = (
            deps.provider.payload(request, state["messages"])
            if prepared is None
            else prepared.payload
        )
    except TurnValueError as exc:
        return {"pending_tool_calls": [], "outcome": unsendable(exc)}
    for warning in payload.warnings:
        context.emit(TurnWarning(turn_id=state["turn_id"], message=warning))
    started = None if prepared is None else prepared.started
    call = _model_call(state, payload, started, context)
    attempts, gave_up = yield from _attempts(call, state, context)
    if gave_up:
        return {"attempts": attempts, "pending_tool_calls": [], "outcome": CANCELLED}
    patch, last = _patch(attempts, call.message_id), attempts[-1]
    if last.reply is not None and patch["outcome"] == TurnOutcome(status="completed"):
        _check_answer(patch, last.reply, state, context)
    elif patch["outcome"] is None:
        patch["outcome"] = over_limit(
            deps.limits,
            tool_runs=state["tool_runs"],
            more_tool_calls=len(patch["pending_tool_calls"]),
        )
    elif last.error is not None and last.error.kind == "timeout":
        # The request was given no more time than the turn has left, so the turn's limit is the
        # better explanation.
        out_of_time = over_time(deps.limits, context.seconds_since(state["started_at"]))
        patch["outcome"] = out_of_time or patch["outcome"]
    return patch


def _model_call(
    state: Reads, payload: Payload, started: StartedAttempt | None, context: StageContext
) -> ModelCall:
    deps, request, turn_id = context.deps, state["request"], state["turn_id"]
    seconds, seq = deps.limits.seconds, next_seq(state["attempts"])
    return ModelCall(
        id=context.call_id("completion", seq),
        turn_id=turn_id,
        request=request,
        payload=payload,
        ledger_call=_ledger_call(state, payload, seq, context),
        reservation=state["reservation"],
        started=started,
        messages=state["messages"],
        ends_at=None if seconds is None else state["started_at"] + seconds,
    )


def _ledger_call(state: Reads, payload: Payload, seq: int, context: StageContext) -> Call | None:
    if context.deps.ledger is None:
        return None
    attribution = attribution_of(state["turn_id"], state["settings"], context)
    return ledger_call(state["request"], payload, attribution, seq, context.deps)


def _attempts(
    call: ModelCall, state: Reads, context: StageContext
) -> Flow[tuple[list[Attempt], bool]]:
    """Makes attempts until one has an answer, or another one cannot help or is not allowed.

    Also returns whether the caller cancelled the turn between two attempts.
    """
    limits, attempts = context.deps.limits, list[Attempt]()
    allowed = min(limits.attempts, limits.calls - len(state["attempts"]))
    for number in range(1, allowed + 1):
        attempt = yield from AttemptRun(call, number, context).run()
        attempts.append(attempt)
        wait_s = wait_before_retry(attempt, number, allowed, call.ends_at, context.deps)
        if attempt.error is not None:
            context.emit(
                ResponseFailed(
                    turn_id=call.turn_id,
                    attempt_id=attempt.id,
                    error=attempt.error,
                    retry_in_s=wait_s,
                )
            )
        if wait_s is None:
            break
        yield from pause(wait_s, context)
        if context.cancelled:
            return attempts, True
    return attempts, False


def _patch(attempts: list[Attempt], message_id: str) -> Turn:
    last = attempts[-1]
    if last.reply is None:
        assert last.error is not None, "an attempt has an answer or an error"
        outcome: TurnOutcome | None = outcome_of_error(last.error)
    elif last.error is None:
        outcome = outcome_of_reply(last.reply)
    else:
        outcome = outcome_of_error(last.error, answer_began=True)
    patch: Turn = {"attempts": attempts, "pending_tool_calls": [], "outcome": outcome}
    if last.reply is None:
        return patch
    if last.request.body is not None:
        # Passthrough: the conversation and its tool calls are the caller's own business.
        return {**patch, "outcome": outcome or TurnOutcome(status="completed")}
    reply = (
        _with_valid_names(last.reply, last.request.echoed_tools)
        if outcome is None
        else _without_calls(last.reply)
    )
    patch["pending_tool_calls"] = list(reply.tool_calls)
    # Mistral and Gemini refuse an assistant message without text and calls in the next request.
    if reply.text or reply.tool_calls or reply.refusal or reply.items:
        vendor, api = last.request.vendor, last.request.api
        patch["messages"] = [to_ai_message(reply, message_id=message_id, vendor=vendor, api=api)]
    return patch


def _check_answer(patch: Turn, reply: ProviderReply, state: Reads, context: StageContext) -> None:
    """Ends the turn with an answer that does not fit its format, or asks once for another one."""
    problem = parse_answer(reply.text, state["request"], context.deps).problem
    if problem is None:
        return
    if context.deps.repair_answer and not was_repaired(state["messages"]):
        patch["outcome"] = None
        patch["messages"] = [*patch["messages"], repair_message(problem, context.task_id)]
    else:
        patch["outcome"] = misfit(problem, reply.request_id)


def _without_calls(reply: ProviderReply) -> ProviderReply:
    """Returns the text alone of an answer that ends the turn.

    Vendors would refuse the next request over a call that nobody answers.
    """
    return reply.model_copy(update={"tool_calls": (), "items": ()}) if reply.tool_calls else reply


def _with_valid_names(reply: ProviderReply, own: Collection[str]) -> ProviderReply:
    """Returns the answer with a valid name in every tool call, or one of the vendor's `own`.

    A model that invents a name is told that there is no such tool. Sent back unchanged, an empty
    name or one with a slash would be refused in this request and in every later one of the thread.
    """

    def is_valid(name: str) -> bool:
        return name in own or is_tool_name(name)

    if all(is_valid(call.name) for call in reply.tool_calls):
        return reply
    calls = tuple(
        call
        if is_valid(call.name)
        else call.model_copy(update={"name": "unknown_" + as_tool_name(call.name[:50])})
        for call in reply.tool_calls
    )
    return reply.model_copy(update={"tool_calls": calls, "items": ()})
