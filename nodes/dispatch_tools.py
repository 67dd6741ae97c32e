"""dispatch_tools: serves one tool call. Each call is a task of its own, so none can harm another.

reads   nothing: it is sent a ToolTask
writes  messages, tool_runs

`messages` gets one tool message, `tool_runs` one record. Whatever is wrong with a call, the model
is told and can correct it; nothing here ends the turn.
"""

import json
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from langchain_core.messages import ToolMessage
from langgraph.types import interrupt

from turngraph.nodes.support.approval import ApprovalFailedError, ask_person, needs_person
from turngraph.nodes.support.cancellation import TurnCancelledError, tool_unless_cancelled
from turngraph.nodes.support.limits import over_time
from turngraph.nodes.support.stage_context import StageContext
from turngraph.nodes.support.telemetry import within
from turngraph.nodes.support.tool_ledger import run_once
from turngraph.state.errors import ToolArgumentsError, ToolError, ToolTimeoutError, UnknownToolError
from turngraph.state.events import PluginCalled, ToolRequested, ToolResponded
from turngraph.state.flow import Flow, Wait
from turngraph.state.json_types import JsonObject
from turngraph.state.kinds import ToolKind, ToolRunStatus
from turngraph.state.reply import ToolCall
from turngraph.state.result import ToolRun
from turngraph.state.turn import ToolTask, Turn
from turngraph.tools.output import ToolOutput, as_output

__all__ = ["dispatch_tools"]


CANCELLED: Final = "The turn was cancelled while `{tool}` ran; whether it took effect is unknown."


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the model is told, and how the call ended."""

    status: ToolRunStatus
    output: ToolOutput
    attempt_id: str | None = None
    edited_arguments: str | None = None
    """The arguments that a person put in place of the model's, as JSON."""


def dispatch_tools(task: ToolTask, context: StageContext) -> Flow[Turn]:
    """Serves one call: checks it, asks a person if one must agree, runs it, tells the model."""
    call, turn_id, deps = task["call"], task["turn_id"], context.deps
    kind: ToolKind = "plugin" if any(one.name == call.name for one in deps.plugins) else "tool"
    context.emit(
        ToolRequested(turn_id=turn_id, call_id=call.id, tool=call.name, arguments=call.arguments)
    )
    if kind == "plugin" and "offered" not in task:
        context.emit(PluginCalled(turn_id=turn_id, call_id=call.id, plugin=call.name))
    started_at = deps.clock()
    answer = yield from _answer(task, context)
    run = _tool_run(task, answer, kind, context.seconds_since(started_at), context)
    context.emit(
        ToolResponded(
            turn_id=turn_id,
            call_id=call.id,
            tool=call.name,
            status=run.status,
            seconds=run.seconds,
        )
    )
    message = ToolMessage(
        answer.output.model_copy(update={"content": run.content}).message_content,
        id=f"tool-{context.task_id}",
        tool_call_id=call.id,
        name=call.name,
        artifact=answer.output.artifact,
        status="success" if answer.status == "ok" else "error",
    )
    return {"messages": [message], "tool_runs": [run]}


def _tool_run(
    task: ToolTask, answer: _Answer, kind: ToolKind, seconds: float, context: StageContext
) -> ToolRun:
    call, edited = task["call"], answer.edited_arguments
    output = answer.output.cut(context.deps.limits.tool_result_chars)
    return ToolRun(
        call_id=call.id,
        name=call.name,
        arguments=call.arguments if edited is None else edited,
        status=answer.status,
        content=output.content,
        seconds=max(0.0, seconds),
        order=task["order"],
        attempt_id=answer.attempt_id,
        kind=kind,
        truncated=output.truncated,
        rows=output.rows,
    )


def _answer(task: ToolTask, context: StageContext) -> Flow[_Answer]:
    """Returns the tool's answer, or why it has none."""
    seconds = context.seconds_since(task["started_at"])
    if context.cancelled:
        return _failed("rejected", "Not run: the turn was cancelled.")
    if over_time(context.deps.limits, seconds) is not None:
        return _failed("rejected", "Not run: the turn is over its time.")
    try:
        return (yield from _checked_and_run(task, context))
    except UnknownToolError as exc:
        return _failed("unknown", str(exc))
    except ToolArgumentsError as exc:
        return _failed("invalid", str(exc))
    except ToolTimeoutError as exc:
        return _failed("timeout", str(exc))
    except ApprovalFailedError as exc:
        return _failed("rejected", str(exc))
    except TurnCancelledError:
        return _failed("timeout", CANCELLED.format(tool=task["call"].name))
    except ToolError as exc:
        return _failed("error", str(exc))


def _checked_and_run(task: ToolTask, context: StageContext) -> Flow[_Answer]:
    call, toolbox = task["call"], context.deps.toolbox
    if "offered" in task:
        raise UnknownToolError(call.name, offered=task["offered"])
    if "echoed" in task:
        return _Answer("ok", ToolOutput(content=call.arguments))
    if "by_caller" in task:
        return _ask_caller(task)
    arguments = toolbox.check(call)
    if needs_person(call, context):
        decided = ask_person(task, arguments, context)
        if decided.decision == "reject":
            return _failed("rejected", f"A person refused this call: {decided.reason}.")
        if decided.decision == "edit":
            edited_arguments = json.dumps(decided.arguments, ensure_ascii=False)
            call = call.model_copy(update={"arguments": edited_arguments})
        arguments = toolbox.check(call)
    run = partial(_run, call, arguments, task, context)
    output, attempt_id = yield from run_once(task, call, arguments, run, context)
    edited = None if call.arguments == task["call"].arguments else call.arguments
    if edited is not None:
        # The conversation keeps the model's own arguments; without a note the model would take the
        # answer for one to those.
        note = f"[A person changed the arguments to {edited}.]"
        output = output.model_copy(update={"content": f"{note}\n{output.content}"})
    return _Answer(output.status, output, attempt_id, edited)


def _run(call: ToolCall, arguments: JsonObject, task: ToolTask, context: StageContext) -> Wait:
    limits, toolbox = context.deps.limits, context.deps.toolbox
    timeout_s = limits.tool_seconds
    if limits.seconds is not None:
        left_s = limits.seconds - context.seconds_since(task["started_at"])
        timeout_s = min(timeout_s, max(0.001, left_s))
    options: dict[str, Any] = {"call_id": call.id, "timeout_s": timeout_s, "state": task}
    wait = Wait(
        partial(toolbox.run, call.name, arguments, **options),
        partial(toolbox.arun, call.name, arguments, **options),
    )
    wait = tool_unless_cancelled(wait, context)
    trace = context.trace
    return wait if trace is None else within(partial(trace.active, call.id), wait)


def _ask_caller(task: ToolTask) -> _Answer:
    """Returns the answer of a tool that the caller runs.

    The graph stops here until `Command(resume=…)` gives the answer: text, content blocks, or any
    JSON value.
    """
    call = task["call"]
    question = {
        "type": "tool_call",
        "call_id": call.id,
        "tool": call.name,
        "arguments": call.arguments,
        "order": task["order"],
    }
    output = as_output(interrupt(question))
    return _Answer(output.status, output)


def _failed(status: ToolRunStatus, content: str) -> _Answer:
    return _Answer(status, ToolOutput(content=content, status="error"))
