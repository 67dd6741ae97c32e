"""What a person does next, in one sentence, and the button that does it."""

from typing import NamedTuple

from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.engine.steps import Step, listed
from turngraph.interfaces.stepper.engine.task_controller import graphs_in
from turngraph.interfaces.stepper.views.model_calls import model_calls
from turngraph.interfaces.stepper.views.status import calls_model_next, turn_mark
from turngraph.nodes.support.stage import Stage

__all__ = ["NextStep", "next_step"]


class NextStep(NamedTuple):
    """A sentence, and the action of the button that it is about."""

    action: str
    text: str
    until: str = ""
    """The node that `run_until` runs to."""


def next_step(stepper: Stepper) -> NextStep:
    """Returns what to press where the stepper stands, and why."""
    now = stepper.now
    if stepper.looks_back:
        return NextStep(
            "step",
            "You look at an earlier step. Step shows the one after it, and runs nothing; a change "
            "here starts a fork, and what ran stays.",
        )
    if now.waiting and not now.pending:
        return NextStep("answer", "A person is asked: answer in the pane `question`.")
    if now.finished:
        return NextStep("back", _at_the_end(stepper))
    nodes = f"`{listed(now.nodes)}`"
    if now.failed:
        return NextStep("step", _after_a_failure(now))
    if calls_model_next(now):
        is_edited = any("request" in task.before_edit for task in now.pending)
        if is_edited:
            text = "Your change is in the request. Press Step to send it."
        elif now.kind == "edit":
            text = "Your change is made, for the rest of the turn. Press Step to send the request."
        else:
            text = "The request in the pane `request` is not sent yet. Change it, or press Step."
        return NextStep("step", text)
    tools = [task.call.name for task in now.pending if task.call is not None]
    if tools:
        asked = f"The model asks for {', '.join(f'`{name}`' for name in dict.fromkeys(tools))}"
        return NextStep(
            "step", f"{asked}. Change the arguments in the pane `tools`, or press Step to run it."
        )
    until = _first_model_call(stepper)
    if until and not model_calls(stepper):
        return NextStep(
            "run_until",
            f"Run until `{until}` goes on to the request to the model: you can change it there, "
            "before it is sent.",
            until,
        )
    return NextStep("step", f"Step runs {nodes}. Run goes on to the end.")


def _after_a_failure(now: Step) -> str:
    failed = now.failed_tasks
    others = listed(task.name for task in now.pending if task not in failed)
    also = f" and goes on with `{others}`" if others else ""
    names = listed(task.name for task in failed)
    return f"`{names}` failed. Step runs it again{also}, as it is or as you edit it."


def _at_the_end(stepper: Stepper) -> str:
    over = "The run has failed" if turn_mark(stepper) == "failed" else "The run is over"
    return (
        f"{over}: nothing is left to run. To try something else, look back or choose a step in the "
        "timeline, and change what you find there; this run stays."
    )


def _first_model_call(stepper: Stepper) -> str:
    """The path of the first node that calls the model; empty if no turn is in the graph."""
    paths = (
        f"{path}/{name}".lstrip("/")
        for path, graph in graphs_in(stepper.graph)
        for name, node in graph.nodes.items()
        if name == "call_llm" and isinstance(node.bound, Stage)
    )
    return next(paths, "")
