"""Asks a person whether a tool call may run."""

from typing import Any, Final

from langgraph.errors import GraphBubbleUp, GraphInterrupt
from langgraph.types import interrupt
from pydantic import ValidationError

from turngraph.nodes.support.stage_context import StageContext
from turngraph.state.events import ApprovalAsked, ApprovalDecided
from turngraph.state.json_types import JsonObject
from turngraph.state.quoting import written
from turngraph.state.reply import ToolCall
from turngraph.state.turn import ToolTask
from turngraph.tools.failures import describe_error, log_failure
from turngraph.tools.output import clean

__all__ = ["DECISIONS", "ApprovalFailedError", "ask_person", "needs_person", "read_decision"]

DECISIONS: Final = (
    '{"decision": "approve"}, {"decision": "edit", "arguments": {…}}, '
    '{"decision": "reject", "reason": "…"}'
)
"""What a person may answer."""


class ApprovalFailedError(Exception):
    """The caller's `approve` raised. The text is for the model."""


def needs_person(call: ToolCall, context: StageContext) -> bool:
    """Whether a person must agree to `call`, as the caller's `approve` says.

    Raises ApprovalFailedError where it raises: the call must not run unseen, and its turn is not
    lost for it.
    """
    try:
        return context.deps.approve(call)
    except GraphBubbleUp:
        raise
    except Exception as exc:
        log_failure(f"`approve` failed for a call of {call.name}", exc)
        raise ApprovalFailedError(
            f"Not run: `approve` failed, so nobody knows whether a person must agree to this call. "
            f"{describe_error(exc)}"
        ) from exc


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
    decided = read_decision(resumed)
    if decided is None:
        return None
    try:
        return ApprovalDecided(
            turn_id=task["turn_id"], call_id=task["call"].id, tool=task["call"].name, **decided
        )
    except ValidationError:  # arguments that are no JSON
        return None


def read_decision(answer: object) -> dict[str, Any] | None:
    """The fields of `ApprovalDecided` that `answer` gives; None if it is no decision.

    >>> read_decision({"decision": "reject"})
    {'decision': 'reject', 'reason': 'no reason given'}
    """
    given = answer if isinstance(answer, dict) else {"decision": answer}
    decision, edited = given.get("decision"), given.get("arguments")
    if decision == "approve" or decision is True:
        return {"decision": "approve"}
    if decision == "reject" or decision is False:
        reason = clean(str(given.get("reason") or "no reason given"))
        return {"decision": "reject", "reason": reason}
    if decision == "edit" and isinstance(edited, dict):
        return {"decision": "edit", "arguments": edited}
    return None


def _not_a_decision(resumed: object) -> str:
    return (
        f"The answer {clean(written(resumed))} is no decision, and nothing was run. Allowed: "
        f"{DECISIONS}."
    )
