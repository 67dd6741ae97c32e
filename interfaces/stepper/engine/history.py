"""Rebuilds the steps of a finished turn from its stored checkpoints, into its subgraphs. No node
runs and nobody is called.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from langgraph.checkpoint.base import CheckpointTuple
from langgraph.types import PregelTask

from turngraph.interfaces.stepper.engine.event_reconstructor import EventReconstructor
from turngraph.interfaces.stepper.engine.namespaces import is_within, task_ids
from turngraph.interfaces.stepper.engine.snapshots import LazyValue, SessionSaver, Snapshot
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.engine.stored_thread import (
    StoredThread,
    checkpoint_id,
    last_node,
    state_values,
)
from turngraph.interfaces.stepper.engine.task_controller import (
    Graph,
    Task,
    TaskRun,
    WaitingTask,
)
from turngraph.interfaces.stepper.engine.turn_lookup import checkpoints_of_turn

__all__ = ["history_steps"]

_EDITS: Final = {"update": "edited the state", "fork": "went back to here"}
"""By LangGraph's `source` of a checkpoint."""
StoredTask = tuple[Task, PregelTask]
"""A task in the session's form and in LangGraph's, which knows its outcome."""


@dataclass(frozen=True)
class _Superstep:
    """A checkpoint of the outermost graph or of a subgraph, and the tasks that ran after it."""

    namespace: str
    checkpoint: CheckpointTuple
    tasks: tuple[StoredTask, ...]

    @property
    def time(self) -> float:
        """When the checkpoint was stored, in seconds since the epoch."""
        return datetime.fromisoformat(self.checkpoint.checkpoint["ts"]).timestamp()

    @property
    def edit(self) -> str:
        """What made the checkpoint, if it was no task; empty otherwise."""
        return _EDITS.get(str(self.checkpoint.metadata.get("source")), "")


def history_steps(
    graph: Graph, thread_id: str, turn: str | int = -1, end: str | None = None
) -> list[Step]:
    """Returns the steps of one turn of a stored thread, the oldest first.

    Args:
        graph: the graph whose checkpointer stores the thread.
        thread_id: the thread.
        turn: the turn's id, or its number: from 0 for the first turn, from -1 for the last.
        end: the id of the checkpoint up to which the thread is read; by default the latest.

    Raises TurnInvocationError if the graph has no checkpointer, or if the thread or the turn does
    not exist.
    """
    thread = StoredThread(graph, thread_id, end)
    return _HistoryBuilder(graph, thread).steps(checkpoints_of_turn(thread, turn))


class _HistoryBuilder:
    """Puts the steps of a turn together.

    It follows the checkpoints in the order of time and knows for each namespace the superstep that
    is under way.
    """

    def __init__(self, graph: Graph, thread: StoredThread) -> None:
        self.graph, self.thread = graph, thread
        self.saver = SessionSaver(thread.thread_id)
        self._current: dict[str, _Superstep] = {}
        self._last_nodes: dict[str, str] = {}
        self._copied_namespaces: set[str] = set()
        self._events = EventReconstructor()

    def steps(self, checkpoints: Sequence[CheckpointTuple]) -> list[Step]:
        """Returns a step for each superstep, and one more if parallel tasks at the end are done."""
        steps: list[Step] = []
        runs: list[TaskRun] = []
        # All checkpoints are copied before the first step is made: a step's snapshot is cut out of
        # the copy.
        for superstep in [step for each in checkpoints for step in self._supersteps(each, "")]:
            runs += self._enter(superstep)
            if not superstep.tasks and superstep.namespace:
                continue  # a subgraph has ended: what comes next is a step of the graph around it
            step = self._step(len(steps), runs)
            steps.append(replace(step, label=superstep.edit if steps else ""))
            runs = []
        return self._with_end(steps, runs)

    def _supersteps(self, checkpoint: CheckpointTuple, namespace: str) -> Iterator[_Superstep]:
        """Yields the superstep of `checkpoint`, then those of the subgraphs that ran in it."""
        state = _LazyState(self, namespace, checkpoint)
        stored = self.thread.tasks(checkpoint)
        tasks = tuple(
            (self.thread.task(task, checkpoint, state), task)
            for task in stored
            if task.name[:2] != "__"  # LangGraph's own
        )
        self._copy(checkpoint, namespace, {task.id: _sort_key(task.path) for task in stored})
        yield _Superstep(namespace, checkpoint, tasks)
        subgraphs = [self._subgraph(task.own_namespace) for task, _ in tasks if task.is_graph]
        if len(subgraphs) == 1:
            yield from subgraphs[0]
        else:  # subgraphs that ran in parallel took turns
            supersteps = (superstep for subgraph in subgraphs for superstep in subgraph)
            yield from sorted(supersteps, key=lambda superstep: superstep.time)

    def _subgraph(self, namespace: str) -> Iterator[_Superstep]:
        checkpoints = [
            checkpoint
            for checkpoint in self.thread.newest_first(namespace)
            if checkpoint.metadata.get("source") != "input"
        ]
        for checkpoint in reversed(checkpoints):
            yield from self._supersteps(checkpoint, namespace)

    def _copy(self, checkpoint: CheckpointTuple, namespace: str, paths: Mapping[str, str]) -> None:
        # Later checkpoints of a namespace hold their changes; the first one needs the base.
        missing: Mapping[str, LazyValue] = {}
        if namespace not in self._copied_namespaces:
            missing = self.thread.missing_channels(checkpoint)
        self._copied_namespaces.add(namespace)
        self.saver.copy_checkpoint(checkpoint, missing, paths)

    def _enter(self, superstep: _Superstep) -> list[TaskRun]:
        """Makes `superstep` the current one; returns the runs that this completes."""
        before = self._current.get(superstep.namespace)
        # After an update of the state the same tasks are still to run.
        runs = [] if before is None or superstep.edit else _runs_of(before, superstep.time)
        if before is not None:
            ended = [task.own_namespace for task, _ in before.tasks]
            for namespace in list(self._current):
                if any(is_within(namespace, outer) for outer in ended):
                    del self._current[namespace]
        self._current[superstep.namespace] = superstep
        self._last_nodes[superstep.namespace] = (
            runs[-1].task.node if runs else last_node(superstep.checkpoint)
        )
        return runs

    def _step(self, number: int, runs: Sequence[TaskRun]) -> Step:
        return Step(
            number,
            "history",
            tuple(task for task, _ in self._pending()),
            tuple(runs),
            tuple(event for run in runs for event in self._events.events_of(run)),
            seconds=max((run.seconds for run in runs), default=0.0),
            snapshot=self._snapshot(),
            entered_task_ids=frozenset(task_ids(each)[-1] for each in self._current if each),
            last_nodes={namespace: self._last_nodes[namespace] for namespace in self._current},
        )

    def _pending(self) -> list[StoredTask]:
        """The tasks that run next in every namespace. A task whose graph has begun is not one."""
        tasks = [pair for superstep in self._current.values() for pair in superstep.tasks]
        busy = {task.namespace for task, _ in tasks}
        return [
            (task, stored)
            for task, stored in tasks
            if not any(is_within(namespace, task.own_namespace) for namespace in busy)
        ]

    def _with_end(self, steps: list[Step], runs: list[TaskRun]) -> list[Step]:
        """Completes the last step: what has finished of the tasks under way, what failed, and what
        a person is asked.
        """
        pending = self._pending()
        finished = [
            TaskRun(task, stored.result, None, self._current[task.namespace].time, 0.0)
            for task, stored in pending
            if stored.result is not None
        ]
        unfinished = [(task, stored) for task, stored in pending if stored.result is None]
        if finished or runs:
            steps.append(self._step(len(steps), [*runs, *finished]))
        waiting = tuple(
            WaitingTask(task, interrupt)
            for task, stored in unfinished
            for interrupt in stored.interrupts
        )
        waiting_ids = {each.task.id for each in waiting}
        steps[-1] = replace(
            steps[-1],
            pending=tuple(task for task, _ in unfinished if task.id not in waiting_ids),
            waiting=waiting,
            error=_first_error(unfinished),
            snapshot=self._final_snapshot(),
            partial_outputs={run.task.key: run.output for run in finished},
        )
        return steps

    def _snapshot(self) -> Snapshot:
        return self.saver.snapshot(
            at={
                namespace: checkpoint_id(superstep.checkpoint)
                for namespace, superstep in self._current.items()
            }
        )

    def _final_snapshot(self) -> Snapshot:
        """The end of the turn with all writes, so that finished tasks do not run again."""
        end = self._snapshot()
        return Snapshot(end.storage, self.saver.snapshot().writes, end.blobs)


class _LazyState(Mapping[str, Any]):
    """The state that a task reads; it is decoded when a key of it is first used."""

    def __init__(
        self, builder: _HistoryBuilder, namespace: str, checkpoint: CheckpointTuple
    ) -> None:
        self._builder, self._namespace, self._checkpoint = builder, namespace, checkpoint
        self._values: Mapping[str, Any] | None = None

    def _read(self) -> Mapping[str, Any]:
        if self._values is None:
            builder, at = self._builder, {self._namespace: checkpoint_id(self._checkpoint)}
            self._values = state_values(
                builder.graph,
                builder.thread.thread_id,
                builder.saver.snapshot(at=at),
                self._namespace,
            )
        return self._values

    def __getitem__(self, key: str) -> Any:
        return self._read()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


def _runs_of(superstep: _Superstep, end: float) -> list[TaskRun]:
    # The time of a single task is not stored: each is given that of the whole superstep.
    seconds = max(0.0, end - superstep.time)
    return [
        TaskRun(task, stored.result, None, superstep.time, seconds)
        for task, stored in superstep.tasks
    ]


def _first_error(tasks: Sequence[StoredTask]) -> BaseException | None:
    """The first error among `tasks`; most checkpointers store only its text."""
    error = next((stored.error for _, stored in tasks if stored.error is not None), None)
    return error if error is None or isinstance(error, BaseException) else RuntimeError(str(error))


def _sort_key(path: object) -> str:
    """A task's path in the form by which LangGraph orders the writes of parallel tasks."""
    if isinstance(path, tuple | list):
        return f"~{', '.join(map(_sort_key, path))}"
    return f"{path:010d}" if isinstance(path, int) else str(path)
