"""Tells parallel tasks apart: what each was given, how it stands, and what came of it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from langchain_core.messages import AIMessage, ToolCall, ToolMessage

from turngraph.drawing.marks import SIGNS, Mark
from turngraph.interfaces.stepper.engine.namespaces import is_within
from turngraph.interfaces.stepper.engine.problems import problem_of_run, updates_in
from turngraph.interfaces.stepper.engine.step_texts import sort_key
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.engine.task_controller import Task, TaskKey, TaskRun
from turngraph.interfaces.stepper.views.questions import call_text, question_text
from turngraph.state.result import TurnResult

__all__ = ["ParallelTask", "parallel_tasks"]

_STOPPED: Final = "stopped half way, because a task beside it failed; it runs again"
_Group = dict[TaskKey, tuple[Task, TaskRun | None]]


class ParallelTask(NamedTuple):
    """One of several tasks that run side by side."""

    name: str
    """The node and, if several tasks are of the same one, the task's number: `each 2`."""
    mark: Mark
    at: str
    """The nodes that are next in the graph that it runs; empty if it runs none, or is done."""
    given: object
    """What was sent to it alone; empty if it was given the state, as its siblings were."""
    answer: object
    """What came of it: an answer, an error's sentence, a question, or what it wrote."""

    @property
    def status(self) -> str:
        """A sign and a word."""
        word = {"next": f"at {self.at}" if self.at else "next"}.get(self.mark, self.mark)
        return f"{SIGNS[self.mark]} {word}"


def parallel_tasks(steps: Sequence[Step]) -> list[ParallelTask]:
    """Returns the tasks that ran side by side last, or that do; empty if none have.

    Tool calls of a turn are left out: they are listed with their results elsewhere. Of tasks inside
    of tasks, the outer ones are returned.
    """
    group = _latest_group(steps)
    tasks = sorted((task for task, _ in group.values()), key=sort_key)
    return [_told(task, group[task.key][1], _name(task, tasks), steps[-1]) for task in tasks]


def _latest_group(steps: Sequence[Step]) -> _Group:
    groups: dict[tuple[str, int], _Group] = {}
    for step in steps:
        for task in step.open_tasks:
            groups.setdefault((task.namespace, task.superstep), {})[task.key] = (task, None)
        for run in step.runs:
            ran = run if run.error is None else None  # it may run again
            group = groups.setdefault((run.task.namespace, run.task.superstep), {})
            group[run.task.key] = (run.task, ran)
    latest: _Group = {}
    for group in groups.values():
        tasks = [task for task, _ in group.values()]
        is_inside = any(
            is_within(tasks[0].namespace, task.own_namespace) for task, _ in latest.values()
        )
        if len(tasks) > 1 and not is_inside and not any(task.call for task in tasks):
            latest = group
    return latest


def _told(task: Task, run: TaskRun | None, name: str, now: Step) -> ParallelTask:
    if run is not None:
        problem = problem_of_run(run)
        answer = problem or next(_answers(run.output), "")
        return ParallelTask(name, "failed" if problem else "done", "", _given(task), answer)
    inside = [
        each
        for each in now.pending
        if each.key == task.key or is_within(each.namespace, task.own_namespace)
    ]
    asked = [
        each.interrupt.value
        for each in now.waiting
        if each.task.key == task.key or is_within(each.task.namespace, task.own_namespace)
    ]
    if asked:
        return ParallelTask(name, "waiting", "", _given(task), "\n".join(map(question_text, asked)))
    keys = {each.key for each in inside}
    raised = [each for each in now.runs if each.failed and each.task.key in keys]
    if raised:
        return ParallelTask(name, "failed", "", _given(task), problem_of_run(raised[0]))
    nodes = ", ".join(each.node for each in inside if each.key != task.key)
    stopped = any(each.was_stopped and each.task.key in keys for each in now.runs)
    return ParallelTask(name, "next", nodes, _given(task), _STOPPED if stopped else "")


def _answers(output: object) -> Iterator[Any]:
    """What a task says, the best first: a turn's answer, a model's message, what it wrote."""
    updates = list(updates_in(output))
    for values in updates:
        if isinstance(values.get("result"), TurnResult):
            yield values["result"].answer
        messages = values.get("messages")
        said = messages[-1] if isinstance(messages, list) and messages else messages
        if isinstance(said, AIMessage | ToolMessage):
            yield said.text
    for values in updates:
        yield {name: value for name, value in values.items() if name != "messages"}


def _name(task: Task, tasks: Sequence[Task]) -> str:
    same = [each for each in tasks if each.node == task.node]
    return f"{task.node} {same.index(task) + 1}" if len(same) > 1 else task.node


def _given(task: Task) -> object:
    if task.path[:1] != ("__pregel_push",):
        return ""
    calls = _tool_calls(task.input)
    if not calls:
        return task.input
    texts = (json.dumps(each["args"], ensure_ascii=False, default=str) for each in calls)
    return " ".join(call_text(each["name"], text) for each, text in zip(calls, texts, strict=True))


def _tool_calls(given: object) -> list[ToolCall]:
    """The calls that LangGraph's own `ToolNode` was sent, in either of its forms."""
    if isinstance(given, Mapping):
        given = [given.get("tool_call")]
    calls = given if isinstance(given, list) else []
    are_calls = all(isinstance(each, dict) and each.get("type") == "tool_call" for each in calls)
    return calls if are_calls else []
