"""What the widget draws, as plain JSON, and what each of its buttons does."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, get_args

from turngraph.interfaces.plain_text import printable
from turngraph.interfaces.stepper.engine.breakpoints import Breakpoint
from turngraph.interfaces.stepper.engine.task_controller import graphs_in
from turngraph.interfaces.stepper.views.page import OPEN, graph_path, graph_svg
from turngraph.interfaces.stepper.views.panes import panes_of, where
from turngraph.state.errors import TurnInvocationError, TurnValueError
from turngraph.state.events import AnyEvent

if TYPE_CHECKING:
    from turngraph.interfaces.stepper.stepper import TurnStepper

__all__ = ["MOVES", "choices_of", "view_of"]

_EDITABLE: Final = 200_000
"""Characters of a request that can be edited on the screen; `stepper.edit(body=…)` takes any."""
Asked = Mapping[str, Any]


def choices_of(stepper: "TurnStepper") -> dict[str, Any]:
    """What can be chosen from, the same at every step: nodes and events to run to, reasons to stop."""
    nodes = [
        f"{path}/{name}".lstrip("/")
        for path, graph in graphs_in(stepper.graph)
        for name in graph.nodes
        if not name.startswith("__")
    ]
    kinds = get_args(get_args(AnyEvent)[0])
    events = sorted(kind.model_fields["type"].default for kind in kinds)
    return {"nodes": nodes, "events": events, "reasons": list(_REASONS), "open": list(OPEN)}


def view_of(stepper: "TurnStepper", *, compared: str | None = None) -> dict[str, Any]:
    """All that is drawn of where the walk stands."""
    shown = panes_of(stepper, compared=compared)
    return {
        "where": where(stepper),
        "line": stepper.name,
        "lines": list(stepper.forks),
        "steps": [printable(str(step)) for step in stepper.timeline],
        "place": len(stepper.behind) - 1,
        "graph": graph_path(stepper),
        "svg": graph_svg(stepper),
        "panes": {name: asdict(pane) for name, pane in shown.items()},
        "body": _body(stepper),
        "calls": _calls(stepper),
        "questions": _questions(stepper),
        "breakpoints": [printable(repr(each)) for each in stepper.breakpoints],
    }


def _body(stepper: "TurnStepper") -> str:
    """The pending request whole, as it may be edited; empty where there is none, or one too long
    for a page.
    """
    request = stepper.request
    whole = "" if request is None or request.sent else str(request)
    return whole if len(whole) <= _EDITABLE else ""


def _calls(stepper: "TurnStepper") -> list[dict[str, Any]]:
    """Tool calls whose arguments can be edited, and those whose result can."""
    now = stepper.now
    open_tasks = (*now.pending, *(waiting.task for waiting in now.waiting))
    pending = [task.call for task in open_tasks if task.call is not None]
    runs = stepper.state.get("tool_runs") or []
    ahead = [
        {"id": call.id, "name": call.name, "arguments": call.arguments, "result": None}
        for call in pending
    ]
    done = [
        {"id": run.call_id, "name": run.name, "arguments": None, "result": run.content}
        for run in runs
    ]
    return [*ahead, *done]


def _questions(stepper: "TurnStepper") -> list[dict[str, Any]]:
    """What a person is asked; whether it is a turn's own question, which is answered by yes or no."""
    asked = [waiting.interrupt for waiting in stepper.now.waiting]
    return [
        {
            "id": each.id,
            "text": printable(json.dumps(each.value, ensure_ascii=False, default=str)),
            "approval": isinstance(each.value, dict) and each.value.get("type") == "tool_approval",
        }
        for each in asked
    ]


_REASONS: Final[Mapping[str, Callable[[str], Any]]] = {
    "node": str,
    "tool": str,
    "plugin": str,
    "cost_above": str,
    "iteration": int,
    "answer": str,
    "event": str,
}
"""What a breakpoint may be made of on the screen, and how what was typed is read."""


def _stop_at(stepper: "TurnStepper", asked: Asked) -> None:
    reason, value = str(asked["reason"]), str(asked["value"]).strip()
    if reason not in _REASONS or not value:
        raise TurnValueError(
            f"A breakpoint needs a reason and a value. Reasons: {', '.join(_REASONS)}."
        )
    try:
        stepper.breakpoints.append(Breakpoint(**{reason: _REASONS[reason](value)}))
    except ValueError as exc:
        raise TurnValueError(f"`{value}` is no value for `{reason}`: {exc}.") from exc


def _answered(stepper: "TurnStepper", asked: Asked) -> None:
    try:
        value = json.loads(str(asked["value"]))
    except ValueError as exc:
        raise TurnValueError(f"The answer is no JSON: {exc}.") from exc
    stepper.answer(value, str(asked["question"]))


def _back(stepper: "TurnStepper", asked: Asked) -> None:
    if len(stepper.behind) < 2:
        raise TurnInvocationError("This is the first step: there is nothing to go back to.")
    stepper.back()


MOVES: Final[Mapping[str, Callable[["TurnStepper", Asked], Any]]] = {
    "step": lambda stepper, asked: stepper.step(),
    "step_into": lambda stepper, asked: stepper.step_into(),
    "step_over": lambda stepper, asked: stepper.step_over(),
    "back": _back,
    "run": lambda stepper, asked: stepper.run(),
    "until": lambda stepper, asked: stepper.run_until(str(asked["until"])),
    "retry": lambda stepper, asked: stepper.retry(),
    "jump": lambda stepper, asked: stepper.jump(int(asked["step"])),
    "edit": lambda stepper, asked: stepper.edit(body=str(asked["body"])),
    "arguments": lambda stepper, asked: stepper.edit(
        tool=str(asked["tool"]), arguments=str(asked["value"])
    ),
    "result": lambda stepper, asked: stepper.edit(
        tool=str(asked["tool"]), result=str(asked["value"])
    ),
    "answer": _answered,
    "break": _stop_at,
    "unbreak": lambda stepper, asked: stepper.breakpoints.pop(int(asked["place"])),
}
"""By the name a button sends. What is refused raises TurngraphError, ValueError or LookupError."""
