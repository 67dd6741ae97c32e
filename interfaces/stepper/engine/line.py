"""A line of a walk: it belongs together with the other lines, and every move of it is recorded."""

from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field
from typing import Any, Self

from turngraph.interfaces.stepper.engine.background import BackgroundLoop
from turngraph.interfaces.stepper.engine.breakpoints import Breakpoint
from turngraph.interfaces.stepper.engine.inspector import Inspector
from turngraph.interfaces.stepper.engine.moves import LineState, MoveHistory
from turngraph.interfaces.stepper.engine.session import Session
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.engine.task_controller import Graph
from turngraph.interfaces.stepper.engine.timeline import Timeline

__all__ = ["Line", "Walk"]


@dataclass(eq=False)
class Walk:
    """What all lines of a walk share."""

    graph: Graph
    loop: BackgroundLoop
    lines: dict[str, Any]
    """By name; all are of the class of the first one."""
    moves: MoveHistory[Any]
    thread_ends: dict[str, str] = field(default_factory=dict)
    """The latest checkpoint of each stored thread, by its id, when the walk last met it."""


class Line(Inspector):
    """The part of a stepper that knows the other lines, undoes and redoes."""

    breakpoints: list[Breakpoint]
    """Where `run` and `run_until` stop by themselves."""

    @property
    def graph(self) -> Graph:
        """The graph that is stepped through."""
        return self._walk.graph

    @property
    def context(self) -> object:
        """What the nodes read from `runtime.context`; None if nothing was given."""
        return self._timeline.session.context

    def undo(self) -> Self:
        """Takes back the last move of the run, on whichever line it was made.

        Looking at other steps, one after another, is one move.

        Returns the stepper of that line. Nothing runs: steps that ran stay ahead, as after `back`,
        and what an edit or a retry led to comes back by `redo`. After a new move there is no
        `redo`; runs that only it would bring back become lines of their own. Nothing that happened
        outside is undone: what was billed is billed.

        Raises TurnInvocationError if nothing was done yet.
        """
        line: Self = self._walk.moves.undo()
        return line._notified()

    def redo(self) -> Self:
        """Makes the move again that `undo` took back last. Nothing runs, and nothing is billed.

        Returns the stepper of its line. Raises TurnInvocationError if there is no such move.
        """
        line: Self = self._walk.moves.redo()
        return line._notified()

    @property
    def to_undo(self) -> str:
        """The name of the move that `undo` takes back, such as `edit`; empty if there is none."""
        return self._walk.moves.to_undo

    @property
    def to_redo(self) -> str:
        """The name of the move that `redo` makes again; empty if there is none."""
        return self._walk.moves.to_redo

    def on_move(self, watcher: Callable[[], None]) -> None:
        """Calls `watcher` after every move of this line."""
        self._watchers.append(watcher)

    def on_step(self, watcher: Callable[[], None]) -> None:
        """Calls `watcher` after each step of a run that goes on, on any line. It must return at
        once: it is called on the thread that runs the graph.
        """
        self._timeline.session.step_watchers.append(watcher)

    @property
    def line_state(self) -> LineState:
        """All steps of this line and the number of the one it stands at."""
        return self._timeline.state

    @line_state.setter
    def line_state(self, state: LineState) -> None:
        self._timeline.state = state

    def line_of(self, name: str, state: LineState) -> Self:
        """Returns another line of this walk, at `state`. It is shown once a move has added it."""
        # `__init__` would start another event loop; all lines of a walk share one.
        line = type(self).__new__(type(self))
        session = Session(self.graph, self._timeline.session.config, self.context)
        session.event_watchers = self._timeline.session.event_watchers
        session.step_watchers = self._timeline.session.step_watchers
        line._join(self._walk, name, session, state.steps)
        line.line_state = state
        line._states = self._states
        line.breakpoints.extend(self.breakpoints)
        return line

    def _begin(
        self, graph: Graph, session: Session, steps: Collection[Step], loop: BackgroundLoop
    ) -> None:
        """Makes this line the first one of a new walk."""
        lines: dict[str, Any] = {"main": self}
        self._join(Walk(graph, loop, lines, MoveHistory(lines)), "main", session, steps)

    def _join(self, walk: Walk, name: str, session: Session, steps: Collection[Step]) -> None:
        super().__init__(name, Timeline(session, steps, self._keep_line), walk.lines)
        self._walk = walk
        self.breakpoints = []
        self._watchers: list[Callable[[], None]] = []

    def _keep_line(self, steps: tuple[Step, ...]) -> str:
        return self._walk.moves.keep_past(self, LineState(steps, len(steps) - 1))

    def _run(self, move: str, work: Coroutine[Any, Any, Step]) -> Step:
        """Does `work` on the background loop; it is recorded under the name `move`."""
        step = self._walk.loop.run(self._recorded(move, work))
        self._notified()
        return step

    async def _arun(self, move: str, work: Coroutine[Any, Any, Step]) -> Step:
        step = await self._walk.loop.arun(self._recorded(move, work))
        self._notified()
        return step

    async def _recorded(self, move: str, work: Coroutine[Any, Any, Step]) -> Step:
        async with self._timeline.lock():
            try:
                with self._walk.moves.recording(move, self):
                    return await work
            finally:
                work.close()  # one that never began would be warned about

    def _notified(self) -> Self:
        for watcher in self._watchers:
            watcher()
        return self
