"""A past turn of a stored thread as steps, into its subgraphs, read from its checkpoints. Nobody is
called.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from langgraph.checkpoint.base import CheckpointTuple
from langgraph.types import PregelTask

from turngraph.interfaces.stepper.engine.event_reconstructor import EventReconstructor
from turngraph.interfaces.stepper.engine.snapshots import Later, SessionSaver, Snapshot
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.engine.stored_thread import (
    Graph,
    StoredThread,
    latest_node,
    point_id,
    values_in,
)
from turngraph.interfaces.stepper.engine.task_controller import Done, Task, Waiting
from turngraph.state.errors import TurnInvocationError

__all__ = ["past_steps"]


@dataclass(frozen=True)
class _Moment:
    """A checkpoint, of the outermost graph or of one in it, and what ran next."""

    space: str
    point: CheckpointTuple
    tasks: tuple[tuple[Task, PregelTask], ...]

    @property
    def time(self) -> float:
        """Seconds since the epoch."""
        return datetime.fromisoformat(self.point.checkpoint["ts"]).timestamp()


def past_steps(graph: Graph, thread_id: str, turn: str | int = -1) -> list[Step]:
    """The steps of one turn of a thread, the oldest first; `turn` is its id or its place, from 0 or
    from the end.

    Raises TurnInvocationError for a graph without checkpointer, a thread without checkpoints, an
    unknown turn.
    """
    thread = StoredThread(graph, thread_id)
    points = _turn(thread, turn)
    return _Past(graph, thread, points).steps()


def _turn(thread: StoredThread, turn: str | int) -> list[CheckpointTuple]:
    turns = _turns(thread)
    if isinstance(turn, str):
        return _named(turns, turn)
    if turn < 0:
        found = next((points for n, points in enumerate(turns, 1) if n == -turn), None)
    else:
        found = dict(enumerate(reversed(list(turns)))).get(turn)
    if found is None:
        raise TurnInvocationError(
            f"There is no turn {turn} in this thread: none of its checkpoints is in one."
        )
    return found


def _named(turns: Iterator[list[CheckpointTuple]], turn: str) -> list[CheckpointTuple]:
    seen: list[str] = []
    for points in turns:
        names = _names(points[-1])
        if turn in names:
            return points
        seen += names
    known = ", ".join(f"`{name}`" for name in seen) or "none that tells its id"
    raise TurnInvocationError(f"There is no turn `{turn}` in this thread. There are: {known}.")


def _names(last: CheckpointTuple) -> list[str]:
    """What a turn is called: by its own state, or, in a parent graph, by the result it left."""
    values = last.checkpoint["channel_values"]
    told = (
        values.get("turn_id"),
        getattr(values.get("result"), "turn_id", None),
        last.metadata.get("run_id"),
    )
    return list(dict.fromkeys(str(name) for name in told if name))


def _turns(thread: StoredThread) -> Iterator[list[CheckpointTuple]]:
    """The last turn, the one before it, and so on: the checkpoints from one input to the next, in
    order.
    """
    points: list[CheckpointTuple] = []
    for point in thread.back_from_the_end():
        if point.metadata.get("source") != "input":
            points.insert(0, point)
        elif points:
            yield points
            points = []
    if points:
        yield points


@dataclass
class _Past:
    """Puts the steps of a turn together: which namespaces are open, and what is about to run in
    each.
    """

    graph: Graph
    thread: StoredThread
    points: Sequence[CheckpointTuple]
    open: dict[str, _Moment] = field(default_factory=dict)
    came_from: dict[str, str] = field(default_factory=dict)
    teller: EventReconstructor = field(default_factory=EventReconstructor)

    def steps(self) -> list[Step]:
        """All steps, and one more where some of the parallel tasks at the end are done."""
        self.saver = SessionSaver(self.thread.thread_id)
        self.seen: dict[str, Mapping[str, Any]] = {}
        steps: list[Step] = []
        ran: list[Done] = []
        for moment in [moment for point in self.points for moment in self._moments(point, "")]:
            ran += self._enter(moment)
            if not moment.tasks and moment.space:
                continue  # the last of a subgraph: what follows it is a step of the graph around
            steps.append(self._step(len(steps), ran))
            ran = []
        return self._with_the_end(steps, ran)

    def _moments(self, point: CheckpointTuple, space: str) -> Iterator[_Moment]:
        """`point`, and what happened in the graphs that ran from there, in the order of time."""
        state = _Read(self, space, point)
        told = self.thread.tasks(point)
        tasks = tuple(
            (self.thread.task(each, point, state), each) for each in told if each.name[:2] != "__"
        )
        self._hold(point, space, {each.id: _path(each.path) for each in told})
        yield _Moment(space, point, tasks)
        inner = [self._inside(task.own_space) for task, _ in tasks if task.is_graph]
        if len(inner) == 1:
            yield from inner[0]
        else:
            yield from sorted(
                (moment for moments in inner for moment in moments), key=lambda moment: moment.time
            )

    def _inside(self, space: str) -> Iterator[_Moment]:
        points = [
            each
            for each in self.thread.back_from_the_end(space)
            if each.metadata.get("source") != "input"
        ]
        for point in reversed(points):
            yield from self._moments(point, space)

    def _hold(self, point: CheckpointTuple, space: str, paths: Mapping[str, str]) -> None:
        first = space not in self.seen
        later: Mapping[str, Later] = self.thread.unsaid(point) if first else {}
        self.seen[space] = self.saver.hold(point, later, paths)

    def _enter(self, moment: _Moment) -> list[Done]:
        """Open `moment`; what had run in its namespace before it is done."""
        before = self.open.get(moment.space)
        done = [] if before is None else self._done(before, moment.time)
        if before is not None:
            inside = [task.own_space for task, _ in before.tasks]
            for space in [each for each in self.open if any(_within(each, own) for own in inside)]:
                del self.open[space]
        self.open[moment.space] = moment
        ran = [each.task.node for each in done]
        self.came_from[moment.space] = ran[-1] if ran else latest_node(moment.point)
        return done

    def _done(self, moment: _Moment, until: float) -> list[Done]:
        seconds = max(0.0, until - moment.time)
        return [Done(task, told.result, None, moment.time, seconds) for task, told in moment.tasks]

    def _step(self, number: int, ran: Sequence[Done]) -> Step:
        return Step(
            number,
            "past",
            tuple(task for task, _ in self._ahead()),
            tuple(ran),
            tuple(event for done in ran for event in self.teller.told(done)),
            seconds=max((done.seconds for done in ran), default=0.0),
            memory=self.saver.taken(
                at={space: point_id(each.point) for space, each in self.open.items()}
            ),
            entered=frozenset(space.rpartition(":")[2] for space in self.open if space),
            came_from={space: self.came_from[space] for space in self.open},
        )

    def _ahead(self) -> list[tuple[Task, PregelTask]]:
        """What is about to run, in every open namespace; a graph in which something is, is not
        about to.
        """
        found = [pair for moment in self.open.values() for pair in moment.tasks]
        busy = {task.space for task, _ in found}
        return [
            (task, told)
            for task, told in found
            if not any(_within(space, task.own_space) for space in busy)
        ]

    def _with_the_end(self, steps: list[Step], ran: list[Done]) -> list[Step]:
        """The last step tells what is done of what is under way, what failed, and what a person is
        asked.
        """
        ahead = self._ahead()
        over = [
            Done(task, told.result, None, self.open[task.space].time, 0.0)
            for task, told in ahead
            if told.result is not None
        ]
        left = [(task, told) for task, told in ahead if told.result is None]
        if over or ran:
            steps.append(self._step(len(steps), [*ran, *over]))
        asked = tuple(
            Waiting(task, interrupt) for task, told in left for interrupt in told.interrupts
        )
        asking = {each.task.id for each in asked}
        failed = next((told.error for _, told in left if told.error is not None), None)
        steps[-1] = replace(
            steps[-1],
            pending=tuple(task for task, _ in left if task.id not in asking),
            waiting=asked,
            error=failed
            if failed is None or isinstance(failed, BaseException)
            else RuntimeError(str(failed)),
            memory=self._whole(),
            known={done.task.key: done.output for done in over},
        )
        return steps

    def _whole(self) -> Snapshot:
        """The end, with what was written since: what is done is not done again."""
        end = self.saver.taken(
            at={space: point_id(each.point) for space, each in self.open.items()}
        )
        return Snapshot(end.storage, self.saver.taken().writes, end.blobs)


class _Read(Mapping[str, Any]):
    """What a task reads of the state, read when a key of it is wanted."""

    def __init__(self, past: _Past, space: str, point: CheckpointTuple) -> None:
        self._past, self._space, self._point = past, space, point
        self._values: Mapping[str, Any] | None = None

    def _read(self) -> Mapping[str, Any]:
        if self._values is None:
            memory = self._past.saver.taken(at={self._space: point_id(self._point)})
            self._values = values_in(
                self._past.graph, self._past.thread.thread_id, memory, self._space
            )
        return self._values

    def __getitem__(self, key: str) -> Any:
        return self._read()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


def _within(space: str, outer: str) -> bool:
    return space == outer or space.startswith(f"{outer}|")


def _path(part: Any) -> str:
    """A task's place as LangGraph orders the writes of parallel tasks by it."""
    if isinstance(part, tuple | list):
        return f"~{', '.join(map(_path, part))}"
    return f"{part:010d}" if isinstance(part, int) else str(part)
