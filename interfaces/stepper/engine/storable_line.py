"""A line that can be saved in a file, opened again, and written into a stored thread."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from langgraph.checkpoint.base import BaseCheckpointSaver

from turngraph.interfaces.stepper.engine.background import BackgroundLoop
from turngraph.interfaces.stepper.engine.line import Line
from turngraph.interfaces.stepper.engine.moves import fork_name
from turngraph.interfaces.stepper.engine.session import Session, config_of
from turngraph.interfaces.stepper.engine.task_controller import Graph
from turngraph.interfaces.stepper.engine.thread_writer import latest_checkpoint_id, write_thread
from turngraph.interfaces.stepper.engine.walk_file import (
    SavedLine,
    SavedWalk,
    read_walk,
    write_walk,
)
from turngraph.state.argument_kinds import Kind, check_kinds, is_path
from turngraph.state.errors import TurnInvocationError, TurnValueError

__all__ = ["StorableLine"]

_PATH: Final = Kind(is_path, "the path of a file")


class StorableLine(Line):
    """The part of a stepper that outlives its process."""

    def save(self, path: Path | str) -> None:
        """Writes the whole run to a file: every line, its steps and where it stands; breakpoints.

        Only its owner may read the file: it holds the conversation. An older run is replaced.
        Runs that were undone are saved as lines; a breakpoint with a function is left out.

        Raises TurnValueError if the state holds something that cannot be saved, or if the file
        cannot be written or is there and no saved run.
        """
        lines = {
            name: SavedLine(name, line.line_state, tuple(line.breakpoints))
            for name, line in self.forks.items()
        }
        for line, state in self._walk.moves.undone_runs():
            name = line.name if line.name not in lines else fork_name(lines)
            lines[name] = SavedLine(name, state, tuple(line.breakpoints))
        configurable = self._timeline.session.config["configurable"]
        plain = {
            name: value
            for name, value in configurable.items()
            if isinstance(value, bool | int | float | str)
        }
        walk = SavedWalk(plain, self._walk.thread_ends, tuple(lines.values()), self.name)
        write_walk(_checked(path), self.graph, walk)

    @classmethod
    def open(cls, path: Path | str, graph: Graph, *, context: object = None) -> Self:
        """Opens a run that `save` wrote, and returns the line from which it was saved.

        Nothing runs now. The run goes on where it stood: what was answered is not asked again.

        Args:
            path: the file.
            graph: the graph that the run was made with, or one with the same nodes.
            context: what the nodes read from `runtime.context`; it is not saved, as it may hold a
                key.

        Raises TurnValueError if the file is no saved run, is damaged, or goes through nodes that
        the graph does not have.
        """
        walk = read_walk(_checked(path), graph)
        first, *others = walk.lines
        main = cls.__new__(cls)
        session = Session(graph, {"configurable": dict(walk.configurable)}, context)
        main._begin(graph, session, first.state.steps, BackgroundLoop())
        main.line_state = first.state
        main._walk.thread_ends.update(walk.thread_ends)
        for line in others:
            main.forks[line.name] = main.line_of(line.name, line.state)
        for line in walk.lines:
            main.forks[line.name].breakpoints = list(line.breakpoints)
        return main.forks[walk.shown]

    def write_to(self, thread: str | Mapping[str, Any] | None = None) -> None:
        """Writes this line, as it stands here, into a thread of the graph's own checkpointer.

        The thread then goes on from here: `graph.invoke(…)` with its id continues the conversation,
        and `attach` shows the steps. Until this is called, no stored thread is changed.

        Args:
            thread: a thread's id or a LangGraph configuration; by default the thread that the run
                began with. Another thread must be new.

        Raises TurnInvocationError if the graph has no checkpointer, or if the thread holds what
        this run did not begin with.
        """
        session = self._timeline.session
        if thread is None:
            thread = session.config
        config: Any = config_of(thread)
        if (named := config.get("configurable", {}).get("thread_id")) is None:
            raise TurnInvocationError("`thread` names no thread. Write its id, such as '1'.")
        thread_id = str(named)
        ends = self._walk.thread_ends
        ends[thread_id] = write_thread(
            self.graph, session.saver, self.now.snapshot, config, ends.get(thread_id, "")
        )

    def _remember_thread_end(self) -> None:
        """Notes where the stored thread of this walk ends, which `write_to` compares later."""
        if isinstance(self.graph.checkpointer, BaseCheckpointSaver):
            thread_id = self._timeline.session.saver.thread_id
            self._walk.thread_ends[thread_id] = latest_checkpoint_id(self.graph, thread_id)


def _checked(path: object) -> Path:
    check_kinds({"path": _PATH}, {"path": path}, TurnValueError)
    return Path(path)  # type: ignore[arg-type]
