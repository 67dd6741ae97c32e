"""The calls to the model: those that were sent, and the one that is about to be."""

from typing import NamedTuple

from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.engine.steps import attempts_of
from turngraph.interfaces.stepper.engine.task_controller import Task
from turngraph.state.result import Attempt

__all__ = ["ModelCall", "model_calls", "shown_call"]


class ModelCall(NamedTuple):
    """One call to the model, with its number from 1. A call that is sent again stays one call."""

    number: int
    task: Task
    sent: bool
    attempts: tuple[Attempt, ...] = ()

    @property
    def name(self) -> str:
        """`call 2`, and what is to be known of it: `call 2 (edited)`."""
        return f"call {self.number}{' (edited)' if self.task.before_edit else ''}"


def model_calls(stepper: Stepper) -> list[ModelCall]:
    """Returns the calls up to where the stepper stands, in their order.

    The last one is not sent yet if it is what runs next.
    """
    runs = [run for step in stepper.steps_so_far for run in step.runs if run.task.calls_model]
    sent = [ModelCall(n, run.task, True, attempts_of(run)) for n, run in enumerate(runs, 1)]
    pending = [task for task in stepper.now.pending if task.calls_model][:1]
    return sent + [ModelCall(len(sent) + 1, task, False) for task in pending]


def shown_call(stepper: Stepper, number: int | None) -> ModelCall | None:
    """Returns the call of that number; without one, or if there is none of it, the latest."""
    calls = model_calls(stepper)
    chosen = (call for call in calls if call.number == number)
    return next(chosen, calls[-1] if calls else None)
