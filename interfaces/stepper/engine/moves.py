"""The moves of a walk, in the order in which they were made on any of its lines: undo and redo."""

from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import Generic, NamedTuple, Protocol, Self, TypeVar

from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.state.errors import TurnInvocationError

__all__ = ["LineState", "Move", "MoveHistory", "UndoneRun", "fork_name"]


class LineState(NamedTuple):
    """The steps of a line, and the number of the one it stands at."""

    steps: tuple[Step, ...]
    position: int


class _Line(Protocol):
    """What the history needs of a line."""

    name: str
    line_state: LineState

    def line_of(self, name: str, state: LineState) -> Self:
        """Returns another line at `state`; it is not in the walk yet."""


L = TypeVar("L", bound=_Line)


@dataclass(frozen=True, eq=False)
class Move(Generic[L]):
    """One move of a line: how the line stood before and after it, and the lines that it added."""

    name: str
    """What was called: `step`, `edit`, `fork`, …"""
    line: L
    before: LineState
    after: LineState
    names: tuple[str, str]
    """The line's name before and after it. One that leaves its past gets a name of its own."""
    new_lines: tuple[L, ...] = ()

    @property
    def is_look(self) -> bool:
        """Whether it has only shown another step: nothing ran, and nothing was changed."""
        return self.before.steps is self.after.steps and not self.new_lines


class UndoneRun(NamedTuple, Generic[L]):
    """Steps that ran and that no line shows since a move was undone."""

    line: L
    """The line on which they ran; it may have been undone itself."""
    state: LineState


class MoveHistory(Generic[L]):
    """Records moves, undoes them and makes them again. Nothing runs for it.

    Args:
        lines: the lines of the walk by name; undoing a fork takes one out.
    """

    def __init__(self, lines: dict[str, L]) -> None:
        self._lines = lines
        self._done: list[Move[L]] = []
        self._undone: list[Move[L]] = []
        self._added: dict[L, list[L]] = {}

    @property
    def to_undo(self) -> str:
        """The name of the move that `undo` would take back; empty if there is none."""
        return self._done[-1].name if self._done else ""

    @property
    def to_redo(self) -> str:
        """The name of the move that `redo` would make again; empty if there is none."""
        return self._undone[-1].name if self._undone else ""

    def add_line(self, line: L, maker: L) -> None:
        """Adds a line that the move under way on the line `maker` has made.

        Raises TurnInvocationError if a line has that name already.
        """
        if line.name in self._lines:
            raise TurnInvocationError(
                f"There is a line `{line.name}` already. Lines: {', '.join(self._lines)}."
            )
        self._lines[line.name] = line
        self._added.setdefault(maker, []).append(line)

    def keep_past(self, line: L, state: LineState) -> str:
        """Makes `line` a fork of its past, whose steps stay a line of the old name. Returns that.

        `line` goes on under a new name: `fork 1`.
        """
        name, line.name = line.name, fork_name(self._lines)
        self._lines[name] = line.line_of(name, state)
        self._lines[line.name] = line
        self._added.setdefault(line, []).append(self._lines[name])
        return name

    @contextmanager
    def recording(self, name: str, line: L) -> Iterator[None]:
        """Records what is done inside as one move, also if it fails half way.

        Moves along the steps that are there, one after another, are one move.

        Moves that were undone cannot be made again after it. Runs that only they would show become
        lines.

        Raises TurnInvocationError for a line that was taken out by `undo`.
        """
        if self._lines.get(line.name) is not line:
            raise TurnInvocationError(
                f"The line `{line.name}` was undone. `redo` brings it back, as long as no other "
                "move is made."
            )
        before, old_name = line.line_state, line.name
        try:
            yield
        finally:
            after = line.line_state
            if after != before or line in self._added:
                self._keep_undone(line)
                added = tuple(self._added.pop(line, ()))
                self._add(Move(name, line, before, after, (old_name, line.name), added))

    def undo(self) -> L:
        """Takes the last move back and returns its line.

        Steps that ran are not run again: they stay ahead on the line, or come back by `redo`.
        Raises TurnInvocationError if there is no move.
        """
        if not self._done:
            raise TurnInvocationError("Nothing was done yet, so there is nothing to undo.")
        move = self._done.pop()
        self._undone.append(move)
        old_name, new_name = move.names
        if old_name != new_name:  # its place in the order is that of the line it left
            del self._lines[new_name]
            move.line.name, self._lines[old_name] = old_name, move.line
        for line in move.new_lines:
            if self._lines.get(line.name) is line:
                del self._lines[line.name]
        _restore(move.line, move.before)
        return move.line

    def redo(self) -> L:
        """Makes the move again that was undone last and returns its line. Nothing runs.

        Raises TurnInvocationError if there is no such move, as after any new one.
        """
        if not self._undone:
            raise TurnInvocationError("No move was undone since the last one: nothing to redo.")
        move = self._undone.pop()
        self._done.append(move)
        move.line.name = move.names[1]
        for line in (move.line, *move.new_lines):
            self._lines[line.name] = line
        _restore(move.line, move.after)
        # A fork is where one goes on after it was made.
        return move.new_lines[-1] if move.name == "fork" else move.line

    def begin_anew(self, maker: L) -> None:
        """Forgets every move. Runs that only `redo` would show become lines, as by `maker`."""
        self._keep_undone(maker)
        self._added.clear()
        self._done.clear()

    def steps(self) -> Iterator[Step]:
        """Yields every step that a line may stand at after `undo` or `redo`; some several times."""
        for move in (*self._done, *self._undone):
            yield from (*move.before.steps, *move.after.steps)

    def undone_lines(self) -> list[L]:
        """Returns the lines that were undone and can come back."""
        return [line for move in self._undone for line in move.new_lines]

    def undone_runs(self) -> list[UndoneRun[L]]:
        """Returns what would be lost if the undone moves were forgotten, the longest runs first."""
        shown = {step for line in self._lines.values() for step in line.line_state.steps}
        found: list[UndoneRun[L]] = []
        for move in self._undone:
            lines = [(line, line.line_state) for line in move.new_lines]
            for line, state in [(move.line, move.after), *lines]:
                if any(step.runs and step not in shown for step in state.steps):
                    shown.update(state.steps)
                    found.append(UndoneRun(line, state))
        return found

    def _add(self, move: Move[L]) -> None:
        last = self._done[-1] if self._done else None
        if last is not None and last.line is move.line and last.is_look and move.is_look:
            self._done.pop()
            move = replace(move, before=last.before)
        if move.before != move.after or move.new_lines:
            self._done.append(move)

    def _keep_undone(self, maker: L) -> None:
        for line, state in self.undone_runs():
            if line.name in self._lines:
                self.add_line(line.line_of(fork_name(self._lines), state), maker)
            else:
                line.line_state = state
                self.add_line(line, maker)
        self._undone.clear()


def fork_name(taken: Container[str]) -> str:
    """Returns the first free name of a fork.

    >>> fork_name({"main", "fork 1"})
    'fork 2'
    """
    return next(each for each in (f"fork {n}" for n in count(1)) if each not in taken)


def _restore(line: _Line, state: LineState) -> None:
    """Brings a line to `state`; plain steps that ran after it stay ahead, as after going back.

    So does the step at which another version of the graph was loaded.
    """
    steps, ahead = line.line_state.steps, len(state.steps)
    goes_on = steps[:ahead] == state.steps and len(steps) > ahead
    if goes_on and steps[ahead].kind in ("step", "reload"):
        state = LineState(steps, state.position)
    line.line_state = state
