"""Rows of the panes that list tool calls and charges."""

from turngraph.drawing.marks import SIGNS
from turngraph.interfaces.plain_text import money
from turngraph.interfaces.stepper.engine.call_names import numbered
from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.engine.task_controller import Task
from turngraph.interfaces.stepper.views.pending_edits import written_result
from turngraph.state.reply import ToolCall
from turngraph.state.result import Charge, ToolRun

__all__ = ["charge_row", "tool_rows"]


def tool_rows(stepper: Stepper) -> list[tuple[str, ...]]:
    """Returns the calls that ran, then those that are next: status, tool, arguments, result.

    A tool that is called several times has the numbers of its calls: `weather 2`.
    """
    rows = _unnumbered_rows(stepper)
    names = numbered([name for _, name, *_ in rows])
    return [(status, name, *others) for (status, _, *others), name in zip(rows, names, strict=True)]


def _unnumbered_rows(stepper: Stepper) -> list[tuple[str, ...]]:
    ran: list[tuple[str, ...]] = [
        (_status(run), run.name, run.arguments, run.content)
        for run in stepper.state.get("tool_runs") or []
    ]
    waiting = {each.task.key for each in stepper.now.waiting}
    return ran + [
        _open_row(task, task.call, stepper.now, waits=task.key in waiting)
        for task in stepper.now.open_tasks
        if task.call
    ]


def _open_row(task: Task, call: ToolCall, step: Step, *, waits: bool) -> tuple[str, ...]:
    result = written_result(task, step)
    is_edited = result is not None or bool(task.before_edit)
    status = f"{'waiting' if waits else 'next'}{', edited' if is_edited else ''}"
    return status, call.name, call.arguments, "…" if result is None else result


def _status(run: ToolRun) -> str:
    return run.status if run.status == "ok" else f"{SIGNS['failed']} {run.status}"


def charge_row(charge: Charge) -> tuple[str, ...]:
    """Returns what a charge is for and of, its tokens, and its USD with what marks it."""
    usage = charge.usage
    tokens = (None, None) if usage is None else (usage.input_tokens, usage.output_tokens)
    marks = [name for name in ("estimated", "overrun") if getattr(charge, name)]
    return (
        charge.kind,
        charge.tool or charge.plugin or charge.model,
        *("" if number is None else str(number) for number in tokens),
        " ".join((money(charge.amount_usd), *marks)),
    )
