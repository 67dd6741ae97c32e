"""Compares what two lines sent to the model."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final
from weakref import WeakKeyDictionary

from turngraph.interfaces.stepper.engine.differences import Differences, diff_states
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.engine.task_controller import TaskRun
from turngraph.interfaces.stepper.engine.wire_request import sent_body

__all__ = ["first_request_that_differs"]

# What was sent does not change, and in a long thread it takes long to write and to compare.
_COMPARED: Final[WeakKeyDictionary[TaskRun, WeakKeyDictionary[TaskRun, Differences]]] = (
    WeakKeyDictionary()
)


def first_request_that_differs(first: Sequence[Step], second: Sequence[Step]) -> Differences:
    """Returns the differences of the first call that was sent otherwise. The later ones follow
    from it.
    """
    pairs = zip(_calls_in(first), _calls_in(second), strict=False)
    for number, (mine, other) in enumerate(pairs, 1):
        if mine is not other and (changes := _compared(mine, other)):
            return Differences(
                replace(each, path=f"request {number}: {each.path}") for each in changes
            )
    return Differences()


def _compared(mine: TaskRun, other: TaskRun) -> Differences:
    known = _COMPARED.setdefault(mine, WeakKeyDictionary())
    if other not in known:
        one, another = (sent_body(run.task) or {} for run in (mine, other))
        known[other] = diff_states(one, another)
    return known[other]


def _calls_in(steps: Sequence[Step]) -> Iterator[TaskRun]:
    return (run for step in steps for run in step.runs if run.task.calls_model)
