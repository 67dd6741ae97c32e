"""Turns what a person typed into an edit of the state or of the next tasks."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from langchain_core.messages import AnyMessage, ToolMessage
from langgraph.types import Overwrite

from turngraph.interfaces.stepper.engine.call_names import call_name
from turngraph.interfaces.stepper.engine.differences import diff_states, merge_edits
from turngraph.interfaces.stepper.engine.steps import Step, listed
from turngraph.interfaces.stepper.engine.task_controller import Override, Task, TaskKey
from turngraph.interfaces.stepper.engine.typed_json import typed_json
from turngraph.interfaces.stepper.engine.wire_request import request_of, request_with_body
from turngraph.state.errors import TurnInvocationError, TurnValueError
from turngraph.state.messages import merge_messages
from turngraph.state.reply import ToolCall
from turngraph.state.request import ChatRequest
from turngraph.state.result import ToolRun

__all__ = ["Edit", "EditRequest", "edit_from"]


@dataclass(frozen=True)
class Edit:
    """A change at a stop: values for the state, or overrides for the next tasks, or both."""

    label: str
    """What was edited, in words."""
    namespace: str | None = None
    """The namespace of the graph whose state is changed; None if no state is changed."""
    values: Mapping[str, Any] = field(default_factory=dict)
    overrides: Mapping[TaskKey, Override] = field(default_factory=dict)


@dataclass(frozen=True)
class EditRequest:
    """The arguments of `TurnStepper.edit`."""

    request: ChatRequest | Mapping[str, Any] | None = None
    body: Mapping[str, Any] | str | None = None
    tool: str | None = None
    arguments: Mapping[str, Any] | str | None = None
    result: str | None = None
    state: Mapping[str, Any] = field(default_factory=dict)


def edit_from(given: EditRequest, step: Step, state: Mapping[str, Any]) -> Edit:
    """Works out the edit that `given` means at `step`, where the graph has the values `state`.

    Raises TurnInvocationError if nothing or more than one thing is asked for, or if there is
    nothing of the kind to edit; TurnValueError for a wrong value.
    """
    kinds = (given.request, given.body, given.tool, given.state or None)
    if sum(kind is not None for kind in kinds) != 1:
        raise TurnInvocationError(
            "Edit one thing at a time: `request`, `body`, `tool`, or fields of the state."
        )
    if given.request is not None:
        return _edit_request(step, state, given.request)
    if given.body is not None:
        return _edit_body(step, given.body)
    if given.tool is not None:
        return _edit_tool(step, given.tool, state, given.arguments, given.result)
    # The messages reducer replaces a message whose id it knows and appends any other.
    label, overrides = f"edited {', '.join(given.state)}", dict[TaskKey, Override]()
    if "messages" in given.state and any(task.before_edit for task in step.pending):
        messages = merge_messages(state["messages"], [given.state["messages"]])
        overrides = _edited_on(step, {"messages": messages})
    return Edit(label, step.namespace, given.state, overrides)


def _edit_request(
    step: Step, state: Mapping[str, Any], request: ChatRequest | Mapping[str, Any]
) -> Edit:
    """Changes the pending request and those that follow in the turn.

    What an earlier `edit(body=…)` changed in the pending one stays, unless it is the same value.
    """
    task = _pending_model_call(step)
    label = "edited the request for the rest of the turn"
    if isinstance(request, ChatRequest):
        # The empty override discards what an earlier `edit(body=…)` changed.
        return Edit(label, task.namespace, {"request": request}, {task.key: Override()})
    unknown = sorted(set(request) - set(ChatRequest.model_fields))
    if unknown:
        raise TurnValueError(
            f"A request has no `{unknown[0]}`. Known: {', '.join(ChatRequest.model_fields)}; "
            "any member of the JSON itself can be changed with `edit(body=…)`."
        )
    label = f"{label}: {listed(iter(request))}"
    values = {"request": _with_fields(state["request"], request)}
    return Edit(label, task.namespace, values, _edited_on(step, values))


def _with_fields(request: ChatRequest, fields: Mapping[str, object]) -> ChatRequest:
    # `model_copy` would not validate.
    return ChatRequest.model_validate({**request.model_dump(), **fields})


def _edit_body(step: Step, body: Mapping[str, Any] | str) -> Edit:
    """Replaces the JSON of the pending request, and of no other."""
    task = _pending_model_call(step)
    if isinstance(body, str):
        body = typed_json(body, "The request is")
    if not isinstance(body, Mapping):
        raise TurnValueError(f"A request is a JSON object, not a {type(body).__name__}.")
    pending = request_of(task, sent=False)
    if pending is not None and pending.body == body:
        raise TurnInvocationError("This is the pending request as it is: nothing was changed.")
    given = request_of(_as_given(task), sent=False)
    if given is not None and given.body == body:
        return Edit("took the edit of the request back", overrides={task.key: Override()})
    override = Override(input={"request": request_with_body(task, body)})
    paths = [] if pending is None else [each.path for each in diff_states(pending.body, body)]
    label = f"edited the request: {listed(paths)}" if paths else "edited the request"
    return Edit(label, overrides={task.key: override})


def _as_given(task: Task) -> Task:
    """`task` with the input that the graph gave it."""
    return replace(task, input={**task.input, **task.before_edit}, before_edit={})


def _edited_on(step: Step, changed: Mapping[str, Any]) -> dict[TaskKey, Override]:
    """What an earlier `edit(body=…)` has changed in the pending request, once the graph gives its
    task `changed`. Where both have changed the same value, the new one is sent.
    """
    task = next((each for each in step.pending if "request" in each.before_edit), None)
    if task is None:
        return {}
    given = _as_given(task)
    new = replace(given, input={**given.input, **changed})
    wires = [request_of(each, sent=False) for each in (given, task, new)]
    bodies = [wire.body for wire in wires if wire is not None]
    if len(bodies) < len(wires):
        return {}
    body = merge_edits(*bodies)
    if body == bodies[-1]:
        return {task.key: Override()}
    return {task.key: Override(input={"request": request_with_body(new, body)})}


def _edit_tool(
    step: Step,
    tool: str,
    state: Mapping[str, Any],
    arguments: Mapping[str, Any] | str | None,
    result: str | None,
) -> Edit:
    """Gives a pending call other arguments or a result, or a call that ran another result."""
    if (arguments is None) == (result is None):
        raise TurnValueError("Give either `arguments` or `result`.")
    task = next((task for task in step.open_tasks if _is_call_of(task, tool)), None)
    name = tool if task is None or task.call is None else call_name(step, state, task.call.id)
    if task is not None and arguments is not None:
        call = _call_with(task, arguments)
        if _has_same_arguments(call, _as_given(task).input["call"]):
            label = f"took the edit of {name} back"
            return Edit(label, overrides={task.key: Override()})
        override = Override(input={"call": call})
        return Edit(f"edited the arguments of {name}", overrides={task.key: override})
    if task is not None:
        assert result is not None, "one of the two is given"
        # Arguments that were edited before stay: they stand beside the result.
        earlier = step.overrides.get(task.key, Override())
        override = Override(earlier.input, _tool_output(task, result))
        return Edit(f"answered for {name}", overrides={task.key: override})
    if result is None:
        raise TurnInvocationError(f"`{tool}` is not about to run here: go back to before it ran.")
    # The state does not hold the output of a task while its siblings are still to run.
    if any(
        _is_call_of(run.task, tool) for run in step.runs if run.task.key in step.partial_outputs
    ):
        raise TurnInvocationError(
            f"`{tool}` ran, its siblings did not: step on, then edit its result."
        )
    return _edit_result(step, tool, state, result)


def _edit_result(step: Step, tool: str, state: Mapping[str, Any], result: str) -> Edit:
    """Replaces the result of a tool call that ran in this turn; for a name, of its last call."""
    runs: Sequence[ToolRun] = state.get("tool_runs", ())
    edited = next((run for run in reversed(runs) if tool in (run.call_id, run.name)), None)
    if edited is None:
        raise TurnInvocationError(f"No call of `{tool}` in this turn, pending or done.")
    messages = [
        message.model_copy(update={"content": result})
        for message in state["messages"]
        if isinstance(message, ToolMessage) and message.tool_call_id == edited.call_id
    ][-1:]
    changed = [run.model_copy(update={"content": result}) if run is edited else run for run in runs]
    # The reducer of `tool_runs` appends, so the list is overwritten as a whole.
    values = {"messages": messages, "tool_runs": Overwrite(changed)}
    name = call_name(step, state, edited.call_id)
    return Edit(f"edited the result of {name}", step.namespace, values)


def _tool_output(task: Task, result: str) -> dict[str, Any]:
    """What `dispatch_tools` returns for a call that a person answered."""
    call = task.call
    assert call is not None, "only a tool call is answered"
    message: AnyMessage = ToolMessage(
        result, id=f"tool-{task.id}", tool_call_id=call.id, name=call.name
    )
    run = ToolRun(
        call_id=call.id,
        name=call.name,
        arguments=call.arguments,
        status="ok",
        content=result,
        seconds=0.0,
        order=task.input["order"],
    )
    return {"messages": [message], "tool_runs": [run]}


def _call_with(task: Task, arguments: Mapping[str, Any] | str) -> ToolCall:
    assert task.call is not None, "only a tool call has arguments"
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return task.call.model_copy(update={"arguments": text})


def _has_same_arguments(call: ToolCall, other: ToolCall) -> bool:
    try:
        return bool(json.loads(call.arguments) == json.loads(other.arguments))
    except (ValueError, RecursionError):
        return call.arguments == other.arguments


def _is_call_of(task: Task, tool: str) -> bool:
    """Whether `task` serves the call with the id `tool`, or a call of the tool of that name."""
    return task.call is not None and tool in (task.call.id, task.call.name)


def _pending_model_call(step: Step) -> Task:
    tasks = (task for task in step.pending if task.calls_model)
    task = next(tasks, None)
    if task is None:
        raise TurnInvocationError(
            "No request is pending here: step on to `call_llm`, or go back to it."
        )
    return task
