"""What edits have changed in the tasks that run next. The state does not show it: it keeps what the
graph has written, and the edit is given to the task alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from turngraph.interfaces.stepper.engine.differences import Change, diff_states
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.engine.task_controller import Task
from turngraph.interfaces.stepper.engine.wire_request import request_of

__all__ = ["edits_of_step", "written_result"]


def edits_of_step(before: Step, now: Step) -> Iterator[Change]:
    """Yields what `now`, a step that edited, has changed in the tasks that run next."""
    known = list(before.overrides.values())
    edited = [key for key, each in now.overrides.items() if not any(each is one for one in known)]
    earlier = {_place(task): task for task in before.open_tasks}
    for task in now.open_tasks:
        if task.key in edited and _place(task) in earlier:
            yield from _changes(earlier[_place(task)], before, task, now)


def written_result(task: Task, step: Step) -> str | None:
    """Returns the result that a person has written for a tool call that is still to come."""
    override = step.overrides.get(task.key)
    if override is None or override.output is None:
        return None
    return str(override.output["messages"][0].content)


def _place(task: Task) -> tuple[str, str, tuple[Any, ...]]:
    return task.namespace, task.node, task.path


def _changes(old: Task, before: Step, new: Task, now: Step) -> Iterator[Change]:
    name = "request" if new.call is None else new.call.name
    for change in diff_states(_given(old, before), _given(new, now)):
        yield replace(change, path=f"{name}, this call only: {change.path}")


def _given(task: Task, step: Step) -> Mapping[str, Any]:
    """What the task is about to be given, by its name."""
    if task.call is not None:
        result = written_result(task, step)
        return {
            "arguments": task.call.arguments,
            "result": "(not run yet)" if result is None else result,
        }
    request = request_of(task, sent=False)
    return {} if request is None else request.body
