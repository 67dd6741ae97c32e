"""What the prompt of a key begins with, and what it offers as one types."""

from collections.abc import Sequence

from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.views.questions import answer_draft
from turngraph.interfaces.stepper.views.widget_view import widget_choices
from turngraph.interfaces.terminal.view import PANE_NAMES

__all__ = ["draft_for", "known_for"]


def draft_for(key: str, stepper: Stepper) -> str:
    """Returns the text that the prompt of `key` begins with."""
    now = stepper.now
    if key == "a":
        return answer_draft(now.waiting[0].interrupt.value) if now.waiting else ""
    if key == "l":
        others = [name for name in stepper.forks if name != stepper.name]
        return others[0] if len(others) == 1 else ""
    if key not in ("g", "w"):
        return ""
    calls = [task.call for task in now.open_tasks if task.call is not None]
    if calls:
        # Of several calls of one tool, only the id says which.
        names = [call.name for call in calls]
        name = calls[0].name if names.count(calls[0].name) == 1 else calls[0].id
        return f"{name} {calls[0].arguments}" if key == "g" else f"{name} "
    runs = stepper.state.get("tool_runs") or []
    return f"{runs[-1].name} {runs[-1].content}" if runs and key == "w" else ""


def known_for(key: str, stepper: Stepper) -> Sequence[str]:
    """Returns what the prompt of `key` offers."""
    if key == "p":
        return PANE_NAMES
    if key in ("l", "c"):
        return [name for name in stepper.forks if name != stepper.name]
    choices = widget_choices(stepper)
    if key == "u":
        return [*choices["nodes"], *choices["events"]]
    if key == "k":
        return [f"{reason} " for reason in choices["reasons"]]
    if key in ("e", "E") and stepper.request is not None:
        return [f"{name}=" for name in stepper.request.body]
    return ("approve", "reject") if key == "a" else ()
