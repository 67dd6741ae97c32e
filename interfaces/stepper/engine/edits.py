"""What a person may change at a stop, worked out from what they typed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AnyMessage, ToolMessage
from langgraph.types import Overwrite

from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.engine.task_controller import Done, Key, Override, Task
from turngraph.interfaces.stepper.engine.wire_request import request_with_body
from turngraph.state.errors import TurnInvocationError, TurnValueError
from turngraph.state.request import ChatRequest
from turngraph.state.result import ToolRun

__all__ = ["Edit", "edit_of"]


@dataclass(frozen=True)
class Edit:
    """`values` written into the state of the graph in `space`, where there is one; `swaps` given to
    the next tasks.
    """

    what: str
    space: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    swaps: Mapping[Key, Override] = field(default_factory=dict)


def edit_of(
    step: Step,
    current: Mapping[str, Any],
    request: Any,
    body: Any,
    tool: str | None,
    arguments: Any,
    result: Any,
    state: Mapping[str, Any],
) -> Edit:
    """The one thing that was given to `TurnStepper.edit`; `current` are the values of the state.

    Raises TurnInvocationError for nothing, for more than one thing, and where there is nothing of
    the kind.
    """
    given = [kind for kind in (request, body, tool, state or None) if kind is not None]
    if len(given) != 1:
        raise TurnInvocationError(
            "Edit one thing at a time: `request`, `body`, `tool`, or fields of the state."
        )
    if request is not None:
        return _request(step, current, request)
    if body is not None:
        return _body(step, body)
    if tool is not None:
        return _tool(step, tool, current, arguments=arguments, result=result)
    return _state(step, state)


def _state(step: Step, values: Mapping[str, Any]) -> Edit:
    """Write state fields. Messages with a known id replace, others are added."""
    return Edit(f"edited {', '.join(values)}", step.space, values)


def _request(
    step: Step, current: Mapping[str, Any], request: ChatRequest | Mapping[str, Any]
) -> Edit:
    """Ask otherwise, in this request and those that follow in the turn; what `body` changed in this
    one stays.
    """
    task = _calling(step)
    swapped = step.swaps.get(task.key)
    if isinstance(request, ChatRequest):
        return Edit("edited the request", task.space, {"request": request}, {task.key: Override()})
    unknown = sorted(set(request) - set(ChatRequest.model_fields))
    if unknown:
        raise TurnValueError(
            f"A request has no `{unknown[0]}`. Known: {', '.join(ChatRequest.model_fields)}; "
            "any member of the JSON itself can be changed with `edit(body=…)`."
        )
    changed = {"request": _changed(current["request"], request)}
    if swapped is None or "request" not in swapped.input:
        return Edit("edited the request", task.space, changed)
    this_one = Override(input={"request": _changed(swapped.input["request"], request)})
    return Edit("edited the request", task.space, changed, {task.key: this_one})


def _changed(request: ChatRequest, fields: Mapping[str, Any]) -> ChatRequest:
    return ChatRequest.model_validate({**request.model_dump(), **fields})


def _body(step: Step, body: Mapping[str, Any] | str) -> Edit:
    """Send this very JSON, in the pending request alone."""
    task = _calling(step)
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError as exc:
            raise TurnValueError(f"The request is no JSON: {exc}.") from exc
    if not isinstance(body, Mapping):
        raise TurnValueError(f"A request is a JSON object, not a {type(body).__name__}.")
    return Edit(
        "edited the request",
        swaps={task.key: Override(input={"request": request_with_body(task, body)})},
    )


def _tool(
    step: Step,
    tool: str,
    state: Mapping[str, Any],
    *,
    arguments: Mapping[str, Any] | str | None,
    result: str | None,
) -> Edit:
    """Give a tool other arguments before it runs, or the model another result, before or after it
    ran.
    """
    if (arguments is None) == (result is None):
        raise TurnValueError("Give `arguments` or `result`: one of them.")
    waiting = [each.task for each in step.waiting]
    task = next((task for task in (*step.pending, *waiting) if _serves(task, tool)), None)
    if task is not None and arguments is not None:
        return Edit(
            f"edited the arguments of {tool}",
            swaps={task.key: Override(input={"call": _called(task, arguments)})},
        )
    if task is not None:
        assert result is not None, "one of the two was given"
        return Edit(
            f"answered for {tool}", swaps={task.key: Override(output=_answered(task, result))}
        )
    if result is None:
        raise TurnInvocationError(f"`{tool}` is not about to run here: go back to before it ran.")
    if any(_serves(done.task, tool) for done in step.done if done.task.key in step.known):
        raise TurnInvocationError(
            f"`{tool}` ran, its siblings did not: step on, then edit its result."
        )
    return _after(step, tool, state, result)


def _after(step: Step, tool: str, state: Mapping[str, Any], result: str) -> Edit:
    """Another result of a tool that ran in this turn."""
    runs: Sequence[ToolRun] = state.get("tool_runs", ())
    found = next((run for run in reversed(runs) if tool in (run.call_id, run.name)), None)
    if found is None:
        raise TurnInvocationError(f"No call of `{tool}` in this turn, pending or done.")
    changed = [run.model_copy(update={"content": result}) if run is found else run for run in runs]
    messages = [
        message.model_copy(update={"content": result})
        for message in state["messages"]
        if isinstance(message, ToolMessage) and message.tool_call_id == found.call_id
    ][-1:]
    values = {"messages": messages, "tool_runs": Overwrite(changed)}
    return Edit(f"edited the result of {tool}", step.space, values)


def _answered(task: Task, result: str) -> dict[str, Any]:
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


def _called(task: Task, arguments: Mapping[str, Any] | str) -> Any:
    assert task.call is not None, "only a tool call has arguments"
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return task.call.model_copy(update={"arguments": text})


def _serves(task: Task | Done, tool: str) -> bool:
    call = task.call if isinstance(task, Task) else task.task.call
    return call is not None and tool in (call.id, call.name)


def _calling(step: Step) -> Task:
    task = next(
        (task for task in step.pending if task.node == "call_llm" and task.stage is not None), None
    )
    if task is None:
        raise TurnInvocationError(
            "No request is pending here: step on to `call_llm`, or go back to it."
        )
    return task
