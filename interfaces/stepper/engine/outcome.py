"""How a line of steps stands: it failed, waits for a person, is done, or goes on."""

from collections.abc import Sequence

from turngraph.drawing.marks import Mark
from turngraph.interfaces.stepper.engine.problems import (
    outcome_problem,
    raised_text,
    result_problem,
    updates_in,
)
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.state.result import TurnResult

__all__ = ["ending_problems", "latest_result", "line_mark"]


def line_mark(steps: Sequence[Step]) -> Mark:
    """Returns how the turn stands at the last of `steps`; `next` if it goes on."""
    now = steps[-1]
    if now.waiting:
        return "waiting"
    if ending_problems(steps):
        return "failed"
    return "done" if now.finished else "next"


def ending_problems(steps: Sequence[Step]) -> tuple[str, ...]:
    """Returns what has ended the turn without an answer, or keeps the graph from going on.

    One sentence each; empty if nothing has.
    """
    if steps[-1].error is not None:
        return (raised_text(steps[-1].error),)
    for step in reversed(steps):
        for run in reversed(step.runs):
            for values in updates_in(run.output):
                if "outcome" in values:
                    return tuple(outcome_problem(values))
                if isinstance(values.get("result"), TurnResult):
                    return tuple(result_problem(values))
    return ()


def latest_result(steps: Sequence[Step]) -> TurnResult | None:
    """Returns what the turn that ended last came to, in whichever graph it ran; None if none has.

    The state of the outermost graph need not hold it.
    """
    for step in reversed(steps):
        for run in reversed(step.runs):
            for values in updates_in(run.output):
                if isinstance(result := values.get("result"), TurnResult):
                    return result
    return None
