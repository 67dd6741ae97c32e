"""What the full screen shows of a stepper, and which pane matters most where it stands."""

from typing import Final

from rich.text import Text

from turngraph.drawing.marks import SIGNS, Mark
from turngraph.interfaces.plain_text import printable
from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.views.next_step import next_step
from turngraph.interfaces.stepper.views.page import graph_path
from turngraph.interfaces.stepper.views.panes import PANES, headline
from turngraph.interfaces.stepper.views.status import calls_model_next, shown_steps, turn_mark
from turngraph.interfaces.terminal.rendering import MARK_STYLES

__all__ = [
    "PANE_NAMES",
    "headline_text",
    "next_text",
    "pane_that_matters",
    "timeline_texts",
]

_NOT_CHOSEN: Final = frozenset({"problem", "question", "charts"})
"""Two always stand above the panes; charts are pictures."""
_NEXT_KEYS: Final = {"step": "s", "run_until": "u", "back": "b", "answer": "a"}
_LAST: Final = ("state", "timeline")
PANE_NAMES: Final = (*(name for name in PANES if name not in {*_NOT_CHOSEN, *_LAST}), *_LAST)
"""The panes that are chosen from, in their order."""


def headline_text(stepper: Stepper, under_way: Mark | None) -> Text:
    """Returns the first line: how the turn stands, the line's name, the step, the cost.

    `under_way` is `running` or `retrying` while a move is.
    """
    mark = under_way or turn_mark(stepper)
    path = graph_path(stepper)
    inside = f" · in {path}" if path else ""
    return Text.assemble(
        (f" {SIGNS[mark]} ", MARK_STYLES[mark]),
        (headline(stepper), "bold"),
        (f"{inside}{f' · {under_way}, esc stops it' if under_way else ''}", MARK_STYLES[mark]),
    )


def next_text(stepper: Stepper) -> Text:
    """Returns the key to press next, and why."""
    step = next_step(stepper)
    return Text.assemble((_NEXT_KEYS[step.action], "bold"), (f"  {printable(step.text)}", ""))


def pane_that_matters(stepper: Stepper) -> str:
    """Returns the pane for someone who has not chosen one."""
    now = stepper.now
    if "messages" not in stepper.graph.channels:
        return "state"
    if calls_model_next(now):
        return "request"
    if any(task.call for task in (*now.open_tasks, *(run.task for run in now.runs))):
        return "tools"
    if now.attempts or now.finished:
        return "answer"
    return "diff" if now.runs else "messages"


def timeline_texts(stepper: Stepper) -> list[Text]:
    """Returns a line for each step, also for those ahead."""
    now = len(stepper.steps_so_far) - 1
    return [
        _timeline_text(step, mark, text, ahead=number > now)
        for number, (step, (mark, text)) in enumerate(
            zip(stepper.timeline, shown_steps(stepper.timeline), strict=True)
        )
    ]


def _timeline_text(step: Step, mark: Mark, text: str, *, ahead: bool) -> Text:
    took = f"  {step.seconds * 1000:.0f} ms" if step.runs else ""
    return Text.assemble(
        (f"{SIGNS[mark]} ", MARK_STYLES[mark]), (text, "dim" if ahead else ""), (took, "dim")
    )
