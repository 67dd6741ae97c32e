"""What each step of a line did, in one line of text; tasks of the same node are numbered.

A step alone does not know its siblings: which of three tasks a node inside one belongs to is known
by the steps before it.
"""

from collections.abc import Iterable, Sequence

from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.engine.task_controller import Task, TaskKey

__all__ = ["TaskNames", "sort_key", "step_texts"]

_Group = tuple[str, int, str]


class TaskNames:
    """The readable path of each task of a line: `joke 2/write` if there are several of `joke`.

    Args:
        steps: the line, as far as it is known.
    """

    def __init__(self, steps: Iterable[Step]) -> None:
        groups: dict[_Group, dict[TaskKey, Task]] = {}
        for step in steps:
            for task in (*step.open_tasks, *(run.task for run in step.runs)):
                group = (task.namespace, task.superstep, task.node)
                groups.setdefault(group, {})[task.key] = task
        self._numbers: dict[TaskKey, int] = {}
        self._outer: dict[str, Task] = {}  # by the namespace of the graph that a task runs
        for tasks in groups.values():
            for number, task in enumerate(sorted(tasks.values(), key=sort_key), 1):
                self._outer[task.own_namespace] = task
                if len(tasks) > 1:
                    self._numbers[task.key] = number

    def of(self, task: Task) -> str:
        """Returns the name of a task of these steps."""
        number = self._numbers.get(task.key)
        own = task.node if number is None else f"{task.node} {number}"
        outer = self._outer.get(task.namespace)
        path = task.name.rpartition("/")[0] if outer is None else self.of(outer)
        return f"{path}/{own}" if path else own

    def graph_of(self, task: Task) -> str:
        """Returns the name of the task whose graph a task runs in: `joke 2`; empty if none does."""
        return self.of(task).rpartition("/")[0]


def sort_key(task: Task) -> tuple[str, str]:
    """Sorts by LangGraph's path, in which a number counts the tasks that were sent."""
    numbers = (f"{part:09}" if isinstance(part, int) else str(part) for part in task.path)
    return task.node, " ".join(numbers)


def step_texts(steps: Sequence[Step]) -> list[str]:
    """Returns a line for each step: `3: joke 1/write → joke 2/write, joke 1/polish`."""
    names = TaskNames(steps)
    return [step.text(names.of) for step in steps]
