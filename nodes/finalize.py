"""finalize: the typed result of the turn, however it ended, and a conversation that can go on.

reads   messages, turn_id, started_at, first_message, request, plugins, attempts, tool_runs,
        charges, outcome
writes  messages, status, result

`messages` gets answers for tool calls that have none, and loses what could not be sent.
"""

from functools import partial
from typing import TypedDict

from langchain_core.messages import AIMessage, AnyMessage, RemoveMessage, ToolMessage

from turngraph.billing.pricing.charges import total_usd
from turngraph.nodes.support.answer_format import parse_answer
from turngraph.nodes.support.history_repair import answers_for, messages_to_remove
from turngraph.nodes.support.ledger_calls import note_turn_is_over
from turngraph.nodes.support.stage_context import StageContext
from turngraph.providers.writing.openai_messages import openai_messages
from turngraph.state.events import PromptFinished
from turngraph.state.limits import TurnLimits
from turngraph.state.reply import ProviderReply
from turngraph.state.request import ChatRequest
from turngraph.state.result import Attempt, Charge, ToolRun, TurnResult
from turngraph.state.turn import SelectedPlugin, Turn, TurnOutcome
from turngraph.state.usage import total_usage

__all__ = ["finalize"]


class Reads(TypedDict):
    """The slice of the state that this stage sees."""

    messages: list[AnyMessage]
    turn_id: str
    started_at: float
    first_message: int
    request: ChatRequest
    plugins: list[SelectedPlugin]
    attempts: list[Attempt]
    tool_runs: list[ToolRun]
    charges: list[Charge]
    outcome: TurnOutcome


def finalize(state: Reads, context: StageContext) -> Turn:
    """Ends the turn."""
    added = _missing_answers(state["messages"], state["outcome"])
    removed = _unsendable(state, context)
    result = _result(state, added, context.seconds_since(state["started_at"]))
    if not removed and state["request"].body is None:
        own = [*state["messages"][_first_own(state) :], *added]
        result = result.model_copy(update={"new_messages": tuple(openai_messages(own))})
    if result.ok:
        parsed = parse_answer(result.answer, state["request"], context.deps).value
        result = result.model_copy(update={"parsed": parsed})
    warnings = _uncounted(context.deps.limits, state["charges"])
    if removed:
        warnings.append(
            f"{len(removed)} of the conversation's messages could not be sent and were removed."
        )
    if warnings:
        result = result.model_copy(update={"warnings": (*result.warnings, *warnings)})
    result = context.deps.on_finish(result)
    gone = {message.id for message in removed}
    conversation = [each for each in (*state["messages"], *added) if each.id not in gone]
    result = result.with_conversation(partial(openai_messages, conversation))
    context.emit(
        PromptFinished(
            turn_id=result.turn_id,
            status=result.status,
            cost_usd=result.cost_usd,
            seconds=result.seconds,
        )
    )
    note_turn_is_over(state["turn_id"], context)
    patch: Turn = {"result": result, "status": "done"}
    changes = [*added, *(RemoveMessage(id=message.id or "") for message in removed)]
    return {**patch, "messages": changes} if changes else patch  # type: ignore[typeddict-item]


def _unsendable(state: Reads, context: StageContext) -> list[AnyMessage]:
    """Returns the caller's messages that no vendor could be sent, if that ended the turn."""
    error, request = state["outcome"].error, state["request"]
    if error is None or error.kind != "value" or request.body is not None:
        return []
    return messages_to_remove(state["messages"], partial(context.deps.provider.payload, request))


def _result(state: Reads, added: list[ToolMessage], seconds: float) -> TurnResult:
    outcome, attempts, charges = state["outcome"], state["attempts"], state["charges"]
    replies = [attempt.reply for attempt in attempts if attempt.reply is not None]
    last = replies[-1] if replies else None
    usages = [reply.usage for reply in replies if reply.usage is not None]
    own = [*state["messages"][_first_own(state) :], *added]
    return TurnResult(
        turn_id=state["turn_id"],
        status=outcome.status,
        answer=_answer(outcome, last),
        refusal=None if last is None else last.refusal,
        error=outcome.error,
        finish_reason=None if last is None else last.finish_reason,
        usage=total_usage(usages),
        cost_usd=total_usd(charges),
        unpriced=any(charge.unpriced for charge in charges),
        charges=tuple(charges),
        attempts=tuple(attempts),
        tool_runs=tuple(sorted(state["tool_runs"], key=lambda run: run.order)),
        plugins=tuple(plugin.name for plugin in state["plugins"]),
        message_ids=tuple(message.id or "" for message in own),
        # Every attempt repeats its warnings; dict.fromkeys keeps each once, in order.
        warnings=tuple(dict.fromkeys(text for one in attempts for text in _warnings_of(one))),
        seconds=max(0.0, seconds),
    )


def _answer(outcome: TurnOutcome, last: ProviderReply | None) -> str:
    """The text for the caller: what a stage put in its place, else the last response's."""
    if outcome.answer is not None:
        return outcome.answer
    return "" if last is None else last.text


def _uncounted(limits: TurnLimits, charges: list[Charge]) -> list[str]:
    """Returns a warning if the limit on USD could not hold, because a call has no price."""
    if limits.usd is None or not any(charge.unpriced for charge in charges):
        return []
    return [
        "`limits.usd` does not count the calls that have no price: "
        "give one in `prices`, or use a ledger's budget."
    ]


def _warnings_of(attempt: Attempt) -> tuple[str, ...]:
    return attempt.warnings if attempt.reply is None else (*attempt.warnings, *attempt.reply.notes)


def _first_own(state: Reads) -> int:
    """Returns the place in `messages` at which the turn's own begin."""
    first = state.get("first_message")
    if first is None:  # a turn that was begun by a version without this key
        messages, attempts = state["messages"], state["attempts"]
        first = attempts[0].messages_sent if attempts else len(messages)
        while first > 0 and messages[first - 1].type == "human":
            first -= 1
    return first


def _missing_answers(messages: list[AnyMessage], outcome: TurnOutcome) -> list[ToolMessage]:
    """Returns answers for the tool calls that a limit or a cancellation kept from running.

    Without them, vendors would refuse the next request of the thread.
    """
    end = len(messages)
    while end > 0 and isinstance(messages[end - 1], ToolMessage):
        end -= 1
    if end == 0 or not isinstance(last := messages[end - 1], AIMessage):
        return []
    why = outcome.error.message if outcome.error is not None else "The turn ended first."
    return answers_for(last, messages[end:], f"Not run. {why}")
