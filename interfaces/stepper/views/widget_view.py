"""What the widget draws, as JSON."""

from collections.abc import Collection
from dataclasses import asdict
from typing import Final

from turngraph.drawing.marks import SIGNS, Mark
from turngraph.interfaces.plain_text import printable
from turngraph.interfaces.stepper.engine.call_names import numbered
from turngraph.interfaces.stepper.engine.retry_pauses import RetryPause
from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.engine.stop_names import EVENT_TYPES
from turngraph.interfaces.stepper.engine.task_controller import graphs_in
from turngraph.interfaces.stepper.views.actions import BREAKPOINT_FIELDS
from turngraph.interfaces.stepper.views.cost import has_turn
from turngraph.interfaces.stepper.views.message_edits import editable_messages
from turngraph.interfaces.stepper.views.model_calls import model_calls
from turngraph.interfaces.stepper.views.next_step import next_step
from turngraph.interfaces.stepper.views.page import graph_svg, open_panes
from turngraph.interfaces.stepper.views.panes import graph_name, headline, panes_of
from turngraph.interfaces.stepper.views.questions import answer_draft, is_approval, question_text
from turngraph.interfaces.stepper.views.shown_request import ShownRequest, shown_request, when_sent
from turngraph.interfaces.stepper.views.state_edits import state_fields
from turngraph.interfaces.stepper.views.status import shown_steps, turn_mark, why_no_step
from turngraph.interfaces.stepper.views.turn_edits import turn_fields
from turngraph.state.json_types import JsonObject

__all__ = ["pauses_view", "widget_choices", "widget_view"]

_MAX_EDITABLE_CHARS: Final = 200_000
"""A longer request cannot be edited on the screen; `stepper.edit(body=…)` takes any."""


def widget_choices(stepper: Stepper) -> JsonObject:
    """Returns what can be chosen, which is the same at every step.

    `nodes` and `events` to run to, `reasons` for a breakpoint, and the panes that are `open` first.
    """
    nodes = [
        f"{path}/{name}".lstrip("/")
        for path, graph in graphs_in(stepper.graph)
        for name in graph.nodes
        if not name.startswith("__")
    ]
    return {
        "nodes": nodes,
        # No other graph has any event, so a run to one would not stop before the end.
        "events": list(EVENT_TYPES) if has_turn(stepper.graph) else [],
        "reasons": list(BREAKPOINT_FIELDS),
        "open": list(open_panes(stepper)),
        "signs": dict(SIGNS),
    }


def widget_view(
    stepper: Stepper, *, compared: str | None = None, call: int | None = None
) -> JsonObject:
    """Returns everything that is drawn of the place where the stepper stands.

    Args:
        stepper: where the turn stands.
        compared: the line that the pane `compare` shows beside this one.
        call: the number of the call to the model whose request and response are shown.
    """
    request, calls = shown_request(stepper, call), model_calls(stepper)
    steps = shown_steps(stepper.timeline)
    return {
        "headline": headline(stepper),
        "mark": turn_mark(stepper),
        "sign": SIGNS[turn_mark(stepper)],
        "line": stepper.name,
        "lines": list(stepper.forks),
        "steps": [printable(text) for _, text in steps],
        "marks": [
            _mark(step, mark, stepper)
            for step, (mark, _) in zip(stepper.timeline, steps, strict=True)
        ],
        "position": len(stepper.steps_so_far) - 1,
        "graph": graph_name(stepper),
        "svg": graph_svg(stepper),
        "panes": {name: asdict(pane) for name, pane in panes_of(stepper, compared, call).items()},
        "next": next_step(stepper)._asdict(),
        "turn": None if request is None or request.wire.sent else turn_fields(stepper),
        "body": _editable_body(request),
        "when": when_sent(stepper),
        "edits": _edits(request),
        "confirmation": _confirmation(stepper, request),
        "model_calls": [{"number": each.number, "name": each.name} for each in calls],
        "model_call": 0 if request is None else request.call,
        "messages": editable_messages(stepper),
        "state": state_fields(stepper),
        "calls": _editable_calls(stepper),
        "questions": _questions(stepper),
        "undo": _move_name(stepper.to_undo),
        "redo": _move_name(stepper.to_redo),
        "disabled": _disabled(stepper),
        "hidden": _hidden(stepper),
        "breakpoints": [printable(repr(each)) for each in stepper.breakpoints],
    }


def pauses_view(stepper: Stepper, pauses: Collection[RetryPause]) -> JsonObject:
    """Returns what is drawn while a move is under way: the pauses before a call is sent again, and
    where the move is.
    """
    return {
        "waits": [{"text": printable(str(each)), "seconds": each.seconds_left} for each in pauses],
        "headline": headline(stepper),
        "graph": graph_name(stepper),
        "svg": graph_svg(stepper, "retrying" if pauses else "running"),
    }


def _mark(step: Step, mark: Mark, stepper: Stepper) -> Mark:
    """How a step went; the one where the stepper stands is `next` as long as it may go on."""
    goes_on = step is stepper.now and mark == "done" and turn_mark(stepper) == "next"
    return "next" if goes_on else mark


def _disabled(stepper: Stepper) -> dict[str, str]:
    """Why a button does nothing here, by its action; without those that do something."""
    why = why_no_step(stepper)
    reasons = {
        **dict.fromkeys(("step", "step_into", "step_over", "run", "run_until"), why),
        "back": "This is the first step." if len(stepper.steps_so_far) == 1 else "",
        "retry": "" if any(step.runs for step in stepper.steps_so_far) else "Nothing has run yet.",
        "undo": "" if stepper.to_undo else "There is nothing to undo.",
        "redo": "" if stepper.to_redo else "There is nothing to redo.",
    }
    return {action: reason for action, reason in reasons.items() if reason}


def _hidden(stepper: Stepper) -> list[str]:
    """The actions whose buttons would do here what Step does."""
    has_graphs = len(list(graphs_in(stepper.graph))) > 1
    into = has_graphs or len(stepper.now.pending) > 1
    return [*([] if into else ["step_into"]), *([] if has_graphs else ["step_over"])]


def _editable_body(request: ShownRequest | None) -> str:
    """The JSON of the pending request; empty if none is pending or it is too long for a page."""
    body = "" if request is None or request.wire.sent else request.text
    return body if len(body) <= _MAX_EDITABLE_CHARS else ""


def _edits(request: ShownRequest | None) -> list[str]:
    """What was edited in the request that is shown, one line each."""
    return [] if request is None else [printable(str(each)) for each in request.wire.edits]


def _confirmation(stepper: Stepper, request: ShownRequest | None) -> str:
    """What an edit has done to the request that is about to be sent; empty if nothing has."""
    if request is None or request.wire.sent or stepper.looks_back:
        return ""
    if request.wire.edits:
        return "Edited, for this request only: Step sends it as it stands here."
    if stepper.now.kind == "edit":
        return printable(f"Done: {stepper.now.label}. It stays for the rest of the turn.")
    return ""


def _move_name(move: str) -> str:
    """A move as its button calls it."""
    names = {"back": "look back", "jump": "look", "retry": "run again"}
    return names.get(move, move.replace("_", " "))


def _editable_calls(stepper: Stepper) -> list[JsonObject]:
    """The tool calls whose arguments can be edited, then those whose result can.

    Each has the name that it has in the pane, where those that ran stand first.
    """
    pending = [task.call for task in stepper.now.open_tasks if task.call is not None]
    runs = stepper.state.get("tool_runs") or []
    calls: list[JsonObject] = [
        *({"id": run.call_id, "arguments": None, "result": run.content} for run in runs),
        *({"id": call.id, "arguments": call.arguments, "result": None} for call in pending),
    ]
    names = numbered([each.name for each in (*runs, *pending)])
    named = [{**call, "name": printable(name)} for call, name in zip(calls, names, strict=True)]
    return named[len(runs) :] + named[: len(runs)]


def _questions(stepper: Stepper) -> list[JsonObject]:
    """What a person is asked. The approval of a tool call gets buttons of its own."""
    return [
        {
            "id": waiting.interrupt.id,
            "text": printable(question_text(waiting.interrupt.value)),
            "approval": is_approval(waiting.interrupt.value),
            "draft": answer_draft(waiting.interrupt.value),
        }
        for waiting in stepper.now.waiting
    ]
