"""What edits have changed in the tasks that run next. The state does not show it: it keeps what the
graph has written, and the edit is given to the task alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from turngraph.interfaces.stepper.engine.differences import Change, diff_states
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.engine.task_controller import Task
from turngraph.interfaces.stepper.engine.wire_request import WireRequest, request_of

__all__ = ["edits_of_step", "written_result"]


def edits_of_step(before: Step, now: Step, shown: WireRequest | None) -> Iterator[Change]:
    """Yields what `now`, a step that edited, has changed in the tasks that run next.

    `shown` is the request that is about to be sent, if one is: in a long thread, writing it again
    takes long.
    """
    known = list(before.overrides.values())
    edited = [key for key, each in now.overrides.items() if not any(each is one for one in known)]
    earlier = {_place(task): task for task in before.open_tasks}
    for task in now.open_tasks:
        if task.key in edited and _place(task) in earlier:
            old = earlier[_place(task)]
            if task.call is None and not old.before_edit and shown is not None:
                yield from _named(task, shown.edits)
            else:
                yield from _named(task, diff_states(_given(old, before), _given(task, now)))


def written_result(task: Task, step: Step) -> str | None:
    """Returns the result that a person has written for a tool call that is still to come."""
    override = step.overrides.get(task.key)
    if override is None or override.output is None:
        return None
    return str(override.output["messages"][0].content)


def _place(task: Task) -> tuple[str, str, tuple[Any, ...]]:
    return task.namespace, task.node, task.path


def _named(task: Task, changes: Iterable[Change]) -> Iterator[Change]:
    name = "request" if task.call is None else task.call.name
    for change in changes:
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
