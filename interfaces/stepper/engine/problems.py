"""Finds what failed in the output of a task, and says it in sentences."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from langchain_core.messages import ToolMessage
from langgraph.types import Command

from turngraph.interfaces.outcomes import why_no_answer
from turngraph.interfaces.plain_text import one_line
from turngraph.interfaces.stepper.engine.task_controller import TaskRun
from turngraph.state.kinds import ToolRunStatus
from turngraph.state.result import ToolRun, TurnResult
from turngraph.state.turn import TurnOutcome

__all__ = ["outcome_problem", "problem_of_run", "raised_text", "result_problem", "updates_in"]

_TOOL_RESULT_WIDTH: Final = 400
_NOT_RUN: Final[tuple[ToolRunStatus, ...]] = ("invalid", "unknown", "rejected")
"""The statuses of a call that reached no tool."""


def problem_of_run(run: TaskRun) -> str:
    """Returns why a task failed, in one sentence; empty if it did not.

    A stage of a turn reports a failed call, budget or limit in what it returns, and a tool in its
    record or message. Only other nodes raise.
    """
    if run.was_stopped:
        return ""
    if run.error is not None:
        return raised_text(run.error)
    if run.task.is_graph or run.task.runs_whole:
        problems_in = result_problem
    else:
        problems_in = _message_problems if run.task.stage is None else _stage_problems
    return " ".join(each for values in updates_in(run.output) for each in problems_in(values))


def _stage_problems(values: Mapping[str, Any]) -> Iterator[str]:
    yield from outcome_problem(values)
    runs = values.get("tool_runs")
    for run in runs if isinstance(runs, list) else ():  # prep_first_request empties the list
        if isinstance(run, ToolRun) and run.status != "ok":
            yield _tool_problem(run.name, run.status, run.content)


def _message_problems(values: Mapping[str, Any]) -> Iterator[str]:
    messages = values.get("messages")
    for message in _last_tool_messages(messages if isinstance(messages, list) else [messages]):
        if message.status == "error":
            yield _tool_problem(message.name or "?", "error", message.text)


def outcome_problem(values: Mapping[str, Any]) -> Iterator[str]:
    """Yields why a stage has ended the turn, if it has ended without an answer."""
    outcome = values.get("outcome")
    if isinstance(outcome, TurnOutcome) and outcome.status != "completed":
        attempts = values.get("attempts")
        reply = attempts[-1].reply if isinstance(attempts, list) and attempts else None
        refusal = None if reply is None else reply.refusal
        yield why_no_answer(outcome.status, outcome.error, refusal)


def result_problem(values: Mapping[str, Any]) -> Iterator[str]:
    """Yields why the turn in `values` has no answer, if it has none."""
    result = values.get("result")
    if isinstance(result, TurnResult) and not result.ok:
        yield why_no_answer(result.status, result.error, result.refusal)


def _tool_problem(name: str, status: str, content: str) -> str:
    text = one_line(content.removeprefix("Error: "), _TOOL_RESULT_WIDTH)
    what = "did not run" if status in _NOT_RUN else "failed"
    return f"The tool `{name}` {what} ({status}): {text}"


def _last_tool_messages(messages: list[Any]) -> Iterator[ToolMessage]:
    """The tool messages at the end: a node may return the whole conversation."""
    for message in reversed(messages):
        if not isinstance(message, ToolMessage):
            return
        yield message


def updates_in(output: object) -> Iterator[Mapping[str, Any]]:
    """Yields what a node wrote to the state. It may return an update, a Command, or a list."""
    if isinstance(output, Mapping):
        yield output
    elif isinstance(output, Command):
        yield from updates_in(output.update)
    elif isinstance(output, list):
        for each in output:
            yield from updates_in(each)


def raised_text(error: BaseException) -> str:
    """Returns the kind and the text of an error."""
    return f"{type(error).__name__}: {error}"
