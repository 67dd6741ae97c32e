"""finalize: the typed result of the turn, whatever became of it, and a conversation that can go on.

reads   everything
writes  result, status, answers for calls that were left open, and removals of messages nobody could be sent
"""

from functools import partial
from typing import TypedDict

from langchain_core.messages import AIMessage, AnyMessage, RemoveMessage, ToolMessage

from turngraph.billing.pricing.charges import total_usd
from turngraph.nodes.support.dependencies import TurnDeps
from turngraph.nodes.support.history_repair import answers_for, unsendable
from turngraph.nodes.support.ledger_calls import finish_turn
from turngraph.nodes.support.stage_context import StageContext
from turngraph.state.events import PromptFinished
from turngraph.state.flow import Flow
from turngraph.state.limits import TurnLimits
from turngraph.state.reply import ProviderReply
from turngraph.state.request import ChatRequest
from turngraph.state.result import Attempt, Charge, ToolRun, TurnResult
from turngraph.state.turn import SelectedPlugin, Turn, TurnOutcome
from turngraph.state.usage import total_usage

__all__ = ["finalize"]


class Reads(TypedDict):
    """The slice of the state this stage sees."""

    messages: list[AnyMessage]
    turn_id: str
    started_at: float
    request: ChatRequest
    plugins: list[SelectedPlugin]
    attempts: list[Attempt]
    tool_runs: list[ToolRun]
    charges: list[Charge]
    outcome: TurnOutcome


def finalize(state: Reads, deps: TurnDeps, here: StageContext) -> Flow[Turn]:
    """End the turn."""
    left_open = _left_open(state["messages"], state["outcome"])
    taken_out = _taken_out(state, deps)
    result = _result(state, deps.clock(), tuple(message.id or "" for message in left_open))
    notes = _holes(deps.limits, state["charges"])
    if taken_out:
        notes.append(
            f"What could not be sent was taken out of the conversation: {len(taken_out)} of its messages."
        )
    if notes:
        result = result.model_copy(update={"warnings": (*result.warnings, *notes)})
    result = deps.on_finish(result)
    here.emit(
        PromptFinished(
            turn_id=result.turn_id,
            status=result.status,
            cost_usd=result.cost_usd,
            seconds=result.seconds,
        )
    )
    yield from finish_turn(state["turn_id"], deps, here)
    patch: Turn = {"result": result, "status": "done"}
    closing = [*left_open, *(RemoveMessage(id=message.id or "") for message in taken_out)]
    return {**patch, "messages": closing} if closing else patch  # type: ignore[typeddict-item]


def _taken_out(state: Reads, deps: TurnDeps) -> list[AnyMessage]:
    """What the caller said and no vendor could be sent, where it is that which ended the turn."""
    error, request = state["outcome"].error, state["request"]
    if error is None or error.kind != "value" or request.body is not None:
        return []
    return unsendable(state["messages"], partial(deps.provider.payload, request))


def _result(state: Reads, now: float, closing_ids: tuple[str, ...]) -> TurnResult:
    stop, attempts, charges = state["outcome"], state["attempts"], state["charges"]
    replies = [attempt.reply for attempt in attempts if attempt.reply is not None]
    last = replies[-1] if replies else None
    usages = [reply.usage for reply in replies if reply.usage is not None]
    return TurnResult(
        turn_id=state["turn_id"],
        status=stop.status,
        answer=_answer(stop, last),
        refusal=None if last is None else last.refusal,
        error=stop.error,
        finish_reason=None if last is None else last.finish_reason,
        usage=total_usage(usages),
        cost_usd=total_usd(charges),
        unpriced=any(charge.unpriced for charge in charges),
        charges=tuple(charges),
        attempts=tuple(attempts),
        tool_runs=tuple(sorted(state["tool_runs"], key=lambda run: run.order)),
        plugins=tuple(plugin.name for plugin in state["plugins"]),
        message_ids=(*_own_ids(state["messages"], attempts), *closing_ids),
        warnings=tuple(dict.fromkeys(note for made in attempts for note in _notes(made))),
        seconds=max(0.0, now - state["started_at"]),
    )


def _answer(outcome: TurnOutcome, last: ProviderReply | None) -> str:
    """The text for the caller: what a stage put in its place, else the last response's."""
    if outcome.answer is not None:
        return outcome.answer
    return "" if last is None else last.text


def _holes(limits: TurnLimits, charges: list[Charge]) -> list[str]:
    """Limits that could not hold, because nobody knows what was used."""
    if limits.usd is None or not any(charge.unpriced for charge in charges):
        return []
    return [
        "`limits.usd` does not count the calls that have no price: give one in `prices`, or use a ledger's budget."
    ]


def _notes(attempt: Attempt) -> tuple[str, ...]:
    return attempt.warnings if attempt.reply is None else (*attempt.warnings, *attempt.reply.notes)


def _own_ids(messages: list[AnyMessage], attempts: list[Attempt]) -> tuple[str, ...]:
    """The messages of this turn: what the person asked last, and all that came after the first
    request.
    """
    first = attempts[0].messages_sent if attempts else len(messages)
    while first > 0 and messages[first - 1].type == "human":
        first -= 1
    return tuple(message.id or "" for message in messages[first:])


def _left_open(messages: list[AnyMessage], stop: TurnOutcome) -> list[ToolMessage]:
    """Answers for calls that a limit or a cancellation kept from running."""
    asked = next(
        (message for message in reversed(messages) if not isinstance(message, ToolMessage)), None
    )
    if not isinstance(asked, AIMessage) or not (asked.tool_calls or asked.invalid_tool_calls):
        return []
    answered = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    why = stop.error.message if stop.error is not None else "The turn ended first."
    return answers_for(asked, answered, f"Not run. {why}")
