"""call_llm: send the prepared request, retry where that may help, keep the answer and what every
attempt used.

reads   messages, turn_id, settings, started_at, request, reservation, attempts, tool_runs
writes  messages (the assistant's), attempts (of this call), asked, stop

The one place that retries: a second loop below it would multiply the bill.
"""

import asyncio
import re
import time
from functools import partial
from typing import Final, TypedDict

from langchain_core.messages import AnyMessage

from turngraph.nodes.support.attempt import Sending, attempt
from turngraph.nodes.support.dependencies import TurnDeps
from turngraph.nodes.support.ledger_calls import attribution_of, call_of, seq_of
from turngraph.nodes.support.limits import CANCELLED, over_limit, over_time
from turngraph.nodes.support.stage_context import StageContext
from turngraph.nodes.support.stop_reason import stop_for
from turngraph.providers.wire.retry_delay import retry_delay_s
from turngraph.providers.writing.messages import to_ai_message
from turngraph.state.errors import TurnValueError
from turngraph.state.events import ResponseFailed, TurnWarning
from turngraph.state.flow import Flow, Wait
from turngraph.state.reply import ProviderReply
from turngraph.state.request import ChatRequest
from turngraph.state.result import Attempt, ToolRun, TurnError
from turngraph.state.turn import Turn, TurnOutcome, TurnSettings

__all__ = ["call_llm"]

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""https://platform.openai.com/docs/api-reference/chat/create, `tools.function.name`."""
_NO_NAME: Final = re.compile(r"[^A-Za-z0-9_-]")
_LOOK_UP_S = 0.05


class Reads(TypedDict):
    """The slice of the state this stage sees."""

    messages: list[AnyMessage]
    turn_id: str
    settings: TurnSettings | None
    started_at: float
    request: ChatRequest
    reservation: str | None
    attempts: list[Attempt]
    tool_runs: list[ToolRun]


def call_llm(state: Reads, deps: TurnDeps, here: StageContext) -> Flow[Turn]:
    """One call to the model, whatever number of attempts it takes."""
    request, turn_id = state["request"], state["turn_id"]
    try:
        payload = deps.provider.payload(request, state["messages"])
    except TurnValueError as exc:
        return {
            "pending_tool_calls": [],
            "outcome": TurnOutcome(status="error", error=TurnError(kind="value", message=str(exc))),
        }
    for warning in payload.warnings:
        here.emit(TurnWarning(turn_id=turn_id, message=warning))
    ends_at = None if deps.limits.seconds is None else state["started_at"] + deps.limits.seconds
    attribution, seq = attribution_of(turn_id, state["settings"], here), seq_of(state["attempts"])
    call = call_of(request, payload, attribution, seq, deps)
    sending = Sending(
        turn_id,
        here.task_id,
        request,
        payload,
        call,
        state["reservation"],
        len(state["messages"]),
        ends_at,
    )
    attempts: list[Attempt] = []
    left = min(deps.limits.attempts, deps.limits.calls - len(state["attempts"]))
    for number in range(1, left + 1):
        made = yield from attempt(sending, number, deps, here)
        attempts.append(made)
        wait_s = _wait_before_next(made, number, left, deps)
        if wait_s is not None and ends_at is not None and deps.clock() + wait_s >= ends_at:
            wait_s = None
        if made.error is not None:
            here.emit(
                ResponseFailed(
                    turn_id=turn_id, attempt_id=made.id, error=made.error, retry_in_s=wait_s
                )
            )
        if wait_s is None:
            break
        yield from _pause(wait_s, here)
        if here.cancelled:
            return {"attempts": attempts, "pending_tool_calls": [], "outcome": CANCELLED}
    patch = _patch(attempts, here.task_id)
    if patch["outcome"] is None:
        patch["outcome"] = over_limit(
            deps.limits, tool_runs=state["tool_runs"], asked=len(patch["pending_tool_calls"])
        )
    elif attempts[-1].error is not None and attempts[-1].error.kind == "timeout":
        patch["outcome"] = (
            over_time(deps.limits, deps.clock() - state["started_at"]) or patch["outcome"]
        )
    return patch


def _pause(seconds: float, here: StageContext) -> Flow[None]:
    """Wait, no longer than until the caller gives up."""
    while seconds > 0 and not here.cancelled:
        piece_s = min(seconds, _LOOK_UP_S) if here.cancellable else seconds
        yield Wait(partial(time.sleep, piece_s), partial(asyncio.sleep, piece_s))
        seconds -= piece_s


def _wait_before_next(made: Attempt, number: int, left: int, deps: TurnDeps) -> float | None:
    """Seconds until the next attempt; `None` where there is none: an answer came, or another could
    not help.

    Once a piece of the answer was shown to anyone, sending again would show them a second
    beginning.
    """
    if made.error is None or made.reply is not None or number >= left:
        return None
    return retry_delay_s(made.error, retries=number - 1, jitter=deps.chance())


def _patch(attempts: list[Attempt], task_id: str) -> Turn:
    last = attempts[-1]
    if last.reply is None:
        assert last.error is not None, "an attempt has an answer or an error"
        return {"attempts": attempts, "pending_tool_calls": [], "outcome": _stop(last.error)}
    stop = stop_for(last.reply) if last.error is None else _stop(last.error, begun=True)
    if (
        last.request.body is not None
    ):  # passthrough: its conversation, and its tool calls, are the caller's own
        return {
            "attempts": attempts,
            "pending_tool_calls": [],
            "outcome": stop or TurnOutcome(status="completed"),
        }
    reply = _nameable(last.reply) if stop is None else _without_calls(last.reply)
    patch: Turn = {
        "attempts": attempts,
        "pending_tool_calls": list(reply.tool_calls),
        "outcome": stop,
    }
    if _says_something(reply):
        request = last.request
        patch["messages"] = [
            to_ai_message(
                reply, message_id=f"msg-{task_id}", vendor=request.vendor, api=request.api
            )
        ]
    return patch


def _stop(error: TurnError, *, begun: bool = False) -> TurnOutcome:
    if error.kind in ("cancelled", "budget"):
        return TurnOutcome(
            status="cancelled" if error.kind == "cancelled" else "budget", error=error
        )
    cut = begun and error.kind in {"connection", "timeout", "truncated"}
    return TurnOutcome(status="truncated" if cut else "error", error=error)


def _without_calls(reply: ProviderReply) -> ProviderReply:
    """A cut answer's text alone: a call nobody answers, or its item, would be refused in the next
    request.
    """
    return reply.model_copy(update={"tool_calls": (), "items": ()}) if reply.tool_calls else reply


def _nameable(reply: ProviderReply) -> ProviderReply:
    """The answer, every call in it under a name that may stand in a conversation.

    A model that makes a name up is told that there is no such tool; sent back as it is, an empty
    name or one with a slash would be refused, in this request and in every later one of the thread.
    """
    if all(_NAME.fullmatch(call.name) for call in reply.tool_calls):
        return reply
    calls = tuple(
        call
        if _NAME.fullmatch(call.name)
        else call.model_copy(update={"name": "unknown_" + _NO_NAME.sub("_", call.name[:50])})
        for call in reply.tool_calls
    )
    return reply.model_copy(update={"tool_calls": calls, "items": ()})


def _says_something(reply: ProviderReply) -> bool:
    """An assistant message without text and calls is refused by vendors in the next request
    (Mistral, Gemini).
    """
    return bool(reply.text or reply.tool_calls or reply.refusal or reply.items)
