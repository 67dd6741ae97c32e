"""dispatch_tools: serve one tool call. Every call is a task of its own, so one that fails harms no
sibling.

reads   one ToolTask
writes  messages (one tool message), tool_runs (one record)

Whatever is wrong with a call is told to the model, which can mend it; nothing here ends the turn.
"""

import json
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from langchain_core.messages import ToolMessage
from langgraph.types import interrupt

from turngraph.nodes.support.dependencies import TurnDeps
from turngraph.nodes.support.limits import over_time
from turngraph.nodes.support.stage_context import StageContext
from turngraph.nodes.support.tool_ledger import serve_once
from turngraph.state.errors import ToolArgumentsError, ToolError, ToolTimeoutError, UnknownToolError
from turngraph.state.events import PluginCalled, ToolRequested, ToolResponded
from turngraph.state.flow import Flow, Wait
from turngraph.state.reply import ToolCall
from turngraph.state.result import ToolRun
from turngraph.state.turn import ToolTask, Turn
from turngraph.tools.output import ToolOutput, clean

__all__ = ["dispatch_tools"]

Status = Literal["ok", "error", "invalid", "unknown", "timeout", "rejected"]


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the model is told, and how the call ended."""

    status: Status
    output: ToolOutput
    attempt_id: str | None = None
    edited: str | None = None
    """The arguments a person put in place of the model's, as JSON."""


def dispatch_tools(task: ToolTask, deps: TurnDeps, here: StageContext) -> Flow[Turn]:
    """Serve one call: check it, let a person agree where one must, run it, tell the model."""
    call = task["call"]
    is_plugin = any(plugin.name == call.name for plugin in deps.plugins)
    here.emit(
        ToolRequested(
            turn_id=task["turn_id"], call_id=call.id, tool=call.name, arguments=call.arguments
        )
    )
    if is_plugin and "offered" not in task:
        here.emit(PluginCalled(turn_id=task["turn_id"], call_id=call.id, plugin=call.name))
    started = deps.clock()
    answer = yield from _served(task, deps, here)
    output = answer.output.cut(deps.limits.tool_result_chars)
    run = ToolRun(
        call_id=call.id,
        name=call.name,
        arguments=call.arguments if answer.edited is None else answer.edited,
        status=answer.status,
        content=output.content,
        seconds=max(0.0, deps.clock() - started),
        order=task["order"],
        attempt_id=answer.attempt_id,
        kind="plugin" if is_plugin else "tool",
        truncated=output.truncated,
        rows=output.rows,
    )
    here.emit(
        ToolResponded(
            turn_id=task["turn_id"],
            call_id=call.id,
            tool=call.name,
            status=run.status,
            seconds=run.seconds,
        )
    )
    message = ToolMessage(
        output.content,
        id=f"tool-{here.task_id}",
        tool_call_id=call.id,
        name=call.name,
        artifact=output.artifact,
        status="success" if answer.status == "ok" else "error",
    )
    return {"messages": [message], "tool_runs": [run]}


def _served(task: ToolTask, deps: TurnDeps, here: StageContext) -> Flow[_Answer]:
    call = task["call"]
    out_of_time = over_time(deps.limits, deps.clock() - task["started_at"])
    if here.cancelled:
        return _told("rejected", "Not run: the turn was cancelled.")
    if out_of_time is not None:
        return _told("rejected", "Not run: the turn is over its time.")
    try:
        if "offered" in task:
            raise UnknownToolError(call.name, offered=task["offered"])
        arguments = deps.toolbox.check(call)
        if deps.approve(call):
            decision = _decision(call, arguments)
            if isinstance(decision, _Answer):
                return decision
            call = decision
            arguments = deps.toolbox.check(call)
        run = partial(_run, deps, call, arguments, task)
        output, attempt_id = yield from serve_once(task, call, arguments, run, deps, here)
    except UnknownToolError as exc:
        return _told("unknown", str(exc))
    except ToolArgumentsError as exc:
        return _told("invalid", str(exc))
    except ToolTimeoutError as exc:
        return _told("timeout", str(exc))
    except ToolError as exc:
        return _told("error", str(exc))
    edited = None if call.arguments == task["call"].arguments else call.arguments
    if edited is not None:  # the conversation still says what the model asked for
        output = output.model_copy(
            update={"content": f"[A person changed the arguments to {edited}.]\n{output.content}"}
        )
    return _Answer(output.status, output, attempt_id, edited)


def _run(deps: TurnDeps, call: ToolCall, arguments: dict[str, Any], task: ToolTask) -> Wait:
    seconds = deps.limits.tool_seconds
    if deps.limits.seconds is not None:
        seconds = min(
            seconds, max(0.001, deps.limits.seconds - (deps.clock() - task["started_at"]))
        )
    run, arun = deps.toolbox.run, deps.toolbox.arun
    return Wait(
        partial(run, call.name, arguments, call_id=call.id, timeout_s=seconds, state=task),
        partial(arun, call.name, arguments, call_id=call.id, timeout_s=seconds, state=task),
    )


def _decision(call: ToolCall, arguments: dict[str, Any]) -> ToolCall | _Answer:
    """What a person decided: the call as it is, edited, or rejected. The graph stops here until
    they have.

    Resume with `Command(resume={"decision": "approve"})`, `{"decision": "edit", "arguments": {…}}`
    or `{"decision": "reject", "reason": "…"}`.
    """
    asked = {"type": "tool_approval", "call_id": call.id, "tool": call.name, "arguments": arguments}
    given = interrupt(asked)
    wish = given if isinstance(given, dict) else {"decision": given}
    if wish.get("decision") in ("approve", True):
        return call
    if wish.get("decision") == "edit" and isinstance(wish.get("arguments"), dict):
        return call.model_copy(
            update={"arguments": json.dumps(wish["arguments"], ensure_ascii=False)}
        )
    if wish.get("decision") in ("reject", False):
        return _told(
            "rejected",
            f"A person refused this call: {clean(str(wish.get('reason') or 'no reason given'))}.",
        )
    return _told(
        "rejected",
        "This call was not approved: the decision was none of `approve`, `edit` (with `arguments`), `reject`.",
    )


def _told(status: Status, content: str) -> _Answer:
    return _Answer(status, ToolOutput(content=content, status="error"))
