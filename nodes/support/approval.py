"""Asks a person whether a tool call may run."""

from typing import Any

from langgraph.errors import GraphInterrupt
from langgraph.types import interrupt
from pydantic import ValidationError

from turngraph.nodes.support.stage_context import StageContext
from turngraph.state.events import ApprovalAsked, ApprovalDecided
from turngraph.state.json_types import JsonObject
from turngraph.state.turn import ToolTask
from turngraph.tools.output import clean

__all__ = ["ask_person"]


def ask_person(task: ToolTask, arguments: JsonObject, context: StageContext) -> ApprovalDecided:
    """Returns what a person decided about a call, and emits it.

    The graph stops here until they have decided. Resume it with one of
    `Command(resume={"decision": "approve"})`, `{"decision": "edit", "arguments": {…}}` and
    `{"decision": "reject", "reason": "…"}`. Any other answer is refused: the question is asked
    again, with the member `problem`.
    """
    question: dict[str, Any] = {
        "type": "tool_approval",
        "call_id": task["call"].id,
        "tool": task["call"].name,
        "arguments": arguments,
        "order": task["order"],
    }
    answer = _ask(question, task, context)
    while (decided := _decision(answer, task)) is None:
        # Raising here would lose the thread: LangGraph keeps the answer, and would give it again.
        answer = _ask({**question, "problem": _not_a_decision(answer)}, task, context)
    context.emit(decided)
    return decided


def _ask(question: dict[str, Any], task: ToolTask, context: StageContext) -> object:
    """Returns a person's answer. Only a question that stops the graph is emitted: after the answer
    the call is served again from its beginning.
    """
    try:
        return interrupt(question)
    except GraphInterrupt:
        context.emit(
            ApprovalAsked(
                turn_id=task["turn_id"],
                call_id=question["call_id"],
                tool=question["tool"],
                arguments=question["arguments"],
                problem=question.get("problem"),
            )
        )
        raise


def _decision(resumed: object, task: ToolTask) -> ApprovalDecided | None:
    """Returns what a person decided, or None if the answer is no decision."""
    answer = resumed if isinstance(resumed, dict) else {"decision": resumed}
    decision, edited = answer.get("decision"), answer.get("arguments")
    fields: dict[str, Any] = {
        "turn_id": task["turn_id"],
        "call_id": task["call"].id,
        "tool": task["call"].name,
    }
    if decision == "approve" or decision is True:
        return ApprovalDecided(**fields, decision="approve")
    if decision == "reject" or decision is False:
        reason = clean(str(answer.get("reason") or "no reason given"))
        return ApprovalDecided(**fields, decision="reject", reason=reason)
    if decision == "edit" and isinstance(edited, dict):
        try:
            return ApprovalDecided(**fields, decision="edit", arguments=edited)
        except ValidationError:  # no JSON
            return None
    return None


def _not_a_decision(resumed: object) -> str:
    return (
        f"The answer {clean(repr(resumed))[:100]} is no decision, and nothing was run. Allowed: "
        '{"decision": "approve"}, {"decision": "edit", "arguments": {…}}, '
        '{"decision": "reject", "reason": "…"}.'
    )
