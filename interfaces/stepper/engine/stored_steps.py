"""Steps of a walk as JSON and back. A step that several lines share is written once."""

from collections.abc import Mapping
from typing import Any, Final

from langgraph.pregel import Pregel
from langgraph.types import Interrupt
from pydantic import TypeAdapter

from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.engine.stored_snapshots import SnapshotReader, SnapshotWriter
from turngraph.interfaces.stepper.engine.stored_values import ValueReader, ValueWriter
from turngraph.interfaces.stepper.engine.task_controller import (
    Graph,
    Override,
    Task,
    TaskRun,
    WaitingTask,
    calls_graph,
)
from turngraph.nodes.support.stage import Stage
from turngraph.state.errors import TurnValueError
from turngraph.state.events import AnyEvent

__all__ = ["StepReader", "StepWriter"]

_EVENTS: Final[TypeAdapter[AnyEvent]] = TypeAdapter(AnyEvent)


class StepWriter:
    """Writes the steps of a walk through `graph`."""

    def __init__(self, graph: Graph) -> None:
        self._values = ValueWriter(graph)
        self._snapshots = SnapshotWriter(self._values)
        self._steps: list[dict[str, Any]] = []
        self._numbers: dict[Step, int] = {}

    def number(self, step: Step) -> int:
        """Returns the number of a step, which is written if it has not been yet.

        Raises TurnValueError for a value that cannot be saved.
        """
        if step not in self._numbers:
            self._steps.append(self._step(step))
            self._numbers[step] = len(self._steps) - 1
        return self._numbers[step]

    def tables(self) -> dict[str, Any]:
        """Returns everything written so far."""
        return {
            "steps": self._steps,
            "checkpoints": self._snapshots.entries,
            "objects": self._values.objects,
        }

    def _step(self, step: Step) -> dict[str, Any]:
        write = self._values.write
        return {
            "number": step.number,
            "kind": step.kind,
            "label": step.label,
            "seconds": step.seconds,
            "error": write(step.error),
            "pending": [self._task(task) for task in step.pending],
            "runs": [self._run(run) for run in step.runs],
            "waiting": [
                [self._task(each.task), write(each.interrupt.value), each.interrupt.id]
                for each in step.waiting
            ],
            "events": [_EVENTS.dump_python(event, mode="json") for event in step.events],
            "entered": sorted(step.entered_task_ids),
            "last_nodes": dict(step.last_nodes),
            "outputs": write(dict(step.partial_outputs)),
            "overrides": [
                [write(key), write(override.input), write(override.output)]
                for key, override in step.overrides.items()
            ],
            "snapshot": self._snapshots.write(step.snapshot),
        }

    def _task(self, task: Task) -> dict[str, Any]:
        return {
            "id": task.id,
            "node": task.node,
            "namespace": task.namespace,
            "own_namespace": task.own_namespace,
            "path": self._values.write(task.path),
            "superstep": task.superstep,
            "input": self._values.write(task.input),
            "before_edit": self._values.write(task.before_edit),
        }

    def _run(self, run: TaskRun) -> dict[str, Any]:
        return {
            "task": self._task(run.task),
            "output": self._values.write(run.output),
            "error": self._values.write(run.error),
            "started_at": run.started_at,
            "seconds": run.seconds,
            "overridden": run.overridden,
        }


class StepReader:
    """Reads the steps that a `StepWriter` wrote, for the same graph.

    Args:
        graph: the graph that the walk goes through.
        thread_id: the thread of the walk's checkpoints.
        tables: what `StepWriter.tables` returned.
    """

    def __init__(self, graph: Graph, thread_id: str, tables: Mapping[str, Any]) -> None:
        self._graph, self._steps = graph, tables["steps"]
        self._values = ValueReader(graph, tables["objects"])
        self._snapshots = SnapshotReader(thread_id, self._values, tables["checkpoints"])

    def steps(self) -> list[Step]:
        """Returns all steps by number.

        Raises TurnValueError for a node that the graph does not have; TypeError, ValueError,
        AttributeError or LookupError for damaged JSON.
        """
        return [self._step(step) for step in self._steps]

    def _step(self, step: Mapping[str, Any]) -> Step:
        read = self._values.read
        return Step(
            number=step["number"],
            kind=step["kind"],
            label=step["label"],
            seconds=step["seconds"],
            error=read(step["error"]),
            pending=tuple(self._task(task) for task in step["pending"]),
            runs=tuple(self._run(run) for run in step["runs"]),
            waiting=tuple(
                WaitingTask(self._task(task), Interrupt(value=read(value), id=interrupt_id))
                for task, value, interrupt_id in step["waiting"]
            ),
            events=tuple(_EVENTS.validate_python(event) for event in step["events"]),
            entered_task_ids=frozenset(step["entered"]),
            last_nodes=dict(step["last_nodes"]),
            partial_outputs=read(step["outputs"]),
            overrides={
                read(key): Override(read(given), read(output))
                for key, given, output in step["overrides"]
            },
            snapshot=self._snapshots.read(step["snapshot"]),
        )

    def _task(self, task: Mapping[str, Any]) -> Task:
        node = self._node(task["namespace"], task["node"])
        return Task(
            id=task["id"],
            node=task["node"],
            namespace=task["namespace"],
            own_namespace=task["own_namespace"],
            path=self._values.read(task["path"]),
            superstep=task["superstep"],
            input=self._values.read(task["input"]),
            stage=node.bound if isinstance(node.bound, Stage) else None,
            is_graph=isinstance(node.bound, Pregel),
            runs_whole=calls_graph(node),
            # Files of walks that were saved before edits were noted have no such member.
            before_edit=self._values.read(task["before_edit"]) if "before_edit" in task else {},
        )

    def _run(self, run: Mapping[str, Any]) -> TaskRun:
        return TaskRun(
            task=self._task(run["task"]),
            output=self._values.read(run["output"]),
            error=self._values.read(run["error"]),
            started_at=run["started_at"],
            seconds=run["seconds"],
            overridden=run["overridden"],
        )

    def _node(self, namespace: str, name: str) -> Any:
        graph: Any = self._graph
        for part in (*filter(None, namespace.split("|")), name):
            node = getattr(graph, "nodes", {}).get(part.partition(":")[0])
            if node is None:
                raise TurnValueError(
                    f"The run goes through the node `{part.partition(':')[0]}`, which this graph "
                    "does not have. Open it with the graph that it was made with."
                )
            graph = node.bound
        return node
