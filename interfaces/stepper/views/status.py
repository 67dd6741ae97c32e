"""How things stand, for every view: which node, step and turn failed, waits for a person or is
done, and what stands where an answer would stand.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from langchain_core.messages import AIMessage, BaseMessage
from langgraph.graph import END

from turngraph.drawing.marks import Mark
from turngraph.interfaces.stepper.engine.namespaces import is_within
from turngraph.interfaces.stepper.engine.outcome import ending_problems, line_mark
from turngraph.interfaces.stepper.engine.problems import problem_of_run
from turngraph.interfaces.stepper.engine.step_texts import step_texts
from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.engine.task_controller import Task, TaskKey
from turngraph.interfaces.stepper.views.model_calls import model_calls
from turngraph.interfaces.stepper.views.questions import call_text, question_text
from turngraph.state.result import Attempt

__all__ = [
    "Answer",
    "NodeStatus",
    "answer_of",
    "calls_model_next",
    "node_statuses",
    "problems_of",
    "shown_steps",
    "step_mark",
    "turn_mark",
    "why_no_step",
]


class NodeStatus(NamedTuple):
    """What happened at a node. `note` adds what one mark cannot say: `1 of 3 failed`."""

    mark: Mark
    note: str = ""


class Answer(NamedTuple):
    """What stands where the answer stands: the answer, or why there is none.

    `mark` is `done` for an answer, `failed` for an error's sentence, `waiting` for a question to a
    person, `next` if the model has not been asked yet.
    """

    mark: Mark
    text: str
    note: str = ""


def answer_of(stepper: Stepper) -> Answer:
    """Returns the answer to the latest call to the model, or what stands in its place.

    Before a call that has not been sent, this is no answer: the one of an earlier call is not shown
    as this one's.
    """
    now, attempts = stepper.now, _attempts(stepper)
    if now.waiting:
        questions = (waiting.interrupt.value for waiting in now.waiting)
        return Answer("waiting", "\n".join(map(question_text, questions)))
    if problems := ending_problems(stepper.steps_so_far):
        part = attempts[-1].reply if attempts else None
        # An answer that asks for tools was no last one; any other is as far as the model came.
        is_last = part is not None and (attempts[-1].error is not None or not part.tool_calls)
        text = part.text if part is not None and is_last else ""
        return Answer("failed", "\n\n".join((*problems, *filter(None, [text]))))
    if calls_model_next(now):
        return Answer("next", "", f"call {len(model_calls(stepper))} is about to be sent")
    reply = attempts[-1].reply if attempts else None
    if reply is not None:
        asked = "\n".join(call_text(call.name, call.arguments) for call in reply.tool_calls)
        text = "\n\n".join(filter(None, (reply.text, asked and f"calls {asked}")))
        return Answer("done", text, f"call {len(model_calls(stepper))}")
    return Answer("done" if now.finished else "next", _last_ai_text(stepper))


def calls_model_next(step: Step) -> bool:
    """Returns whether a request is about to be sent."""
    return any(task.calls_model for task in step.pending)


def problems_of(stepper: Stepper) -> tuple[str, ...]:
    """Returns what is wrong where the stepper stands, one sentence each; empty if nothing is.

    These are the failures of the tasks that have just run, and what has ended the turn.
    """
    failed = (problem_of_run(run) for run in stepper.now.runs)
    return tuple(dict.fromkeys((*ending_problems(stepper.steps_so_far), *filter(None, failed))))


def shown_steps(steps: Sequence[Step]) -> list[tuple[Mark, str]]:
    """Returns the mark of each step and what it did, in one line: `3: call_llm → bill`.

    The end of a turn that failed is called so, though its last stage did what it had to.
    """
    shown = [(step_mark(step), text) for step, text in zip(steps, step_texts(steps), strict=True)]
    if steps[-1].finished and line_mark(steps) == "failed":
        shown[-1] = ("failed", f"{shown[-1][1].removesuffix('finished')}failed")
    return shown


def step_mark(step: Step) -> Mark:
    """Returns the mark of a step: `failed`, `waiting` or `done`."""
    if step.failed or any(problem_of_run(run) for run in step.runs):
        return "failed"
    return "waiting" if step.waiting else "done"


def turn_mark(stepper: Stepper) -> Mark:
    """Returns how the turn stands: it failed, waits for a person, is done, or goes on (`next`)."""
    return line_mark(stepper.steps_so_far)


def why_no_step(stepper: Stepper) -> str:
    """Returns why there is no next step, in one sentence; empty if there is one."""
    now = stepper.now
    if stepper.looks_back:
        return ""
    if now.finished:
        return "Nothing is left to run: the run is over. Go back, or fork from an earlier step."
    if now.waiting and not now.pending:
        return "A person is asked: answer the question before the next step."
    return ""


def node_statuses(stepper: Stepper, under_way: Mark = "next") -> dict[str, NodeStatus]:
    """Returns the status of each node of the graph that goes on; others have not been reached.

    Args:
        stepper: where the turn stands.
        under_way: the mark of what runs next: `running` or `retrying` while a move is under way.
    """
    now, namespace = stepper.now, stepper.now.namespace
    latest: dict[str, tuple[object, dict[TaskKey, str]]] = {}
    for run in (run for step in stepper.steps_so_far for run in step.runs):
        if (place := _place(run.task, namespace)) is None:
            continue
        node, superstep = place
        if node not in latest or latest[node][0] != superstep:
            latest[node] = (superstep, {})
        # A task that failed may have run again.
        latest[node][1][run.task.key] = problem_of_run(run)
    statuses = {node: _ran(problems.values()) for node, (_, problems) in latest.items()}
    # Of several tasks of one node, the one that failed gives the mark.
    for task, mark in sorted(_open_marks(now, under_way), key=lambda each: each[1] == "failed"):
        if (place := _place(task, namespace)) is not None:
            node, superstep = place
            together = node in latest and latest[node][0] == superstep
            statuses[node] = NodeStatus(mark, statuses[node].note if together else "")
    if now.finished and not namespace:
        statuses[END] = NodeStatus(turn_mark(stepper))
    return statuses


def _place(task: Task, namespace: str) -> tuple[str, object] | None:
    """The node of the graph in `namespace` that `task` is or runs in, and its superstep there.

    None for a task of a graph outside.
    """
    if task.namespace == namespace:
        return task.node, task.superstep
    if namespace and not is_within(task.namespace, namespace):
        return None
    inside = task.namespace.removeprefix(f"{namespace}|") if namespace else task.namespace
    own = inside.partition("|")[0]
    return (own.partition(":")[0], own) if own else None


def _open_marks(now: Step, under_way: Mark) -> Iterator[tuple[Task, Mark]]:
    for task in now.pending:
        raised = task in now.failed_tasks
        yield task, "failed" if raised and under_way == "next" else under_way
    for waiting in now.waiting:
        yield waiting.task, "waiting"


def _ran(problems: Collection[str]) -> NodeStatus:
    failed = sum(map(bool, problems))
    if not failed:
        return NodeStatus("done")
    count = f"{failed} of {len(problems)} failed" if len(problems) > 1 else ""
    return NodeStatus("failed", count)


def _attempts(stepper: Stepper) -> list[Attempt]:
    return [attempt for step in stepper.steps_so_far for attempt in step.attempts]


def _last_ai_text(stepper: Stepper) -> str:
    messages = stepper.state.get("messages") or []
    last = messages[-1] if messages and isinstance(messages[-1], BaseMessage) else None
    return last.text if isinstance(last, AIMessage) else ""
