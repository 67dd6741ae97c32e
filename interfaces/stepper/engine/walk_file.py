"""A walk as a file: every line with its steps, so that it can be opened again and go on."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from turngraph.interfaces.stepper.engine.breakpoints import Breakpoint
from turngraph.interfaces.stepper.engine.damaged_files import damage_named
from turngraph.interfaces.stepper.engine.moves import LineState
from turngraph.interfaces.stepper.engine.stored_steps import StepReader, StepWriter
from turngraph.interfaces.stepper.engine.task_controller import Graph
from turngraph.state.errors import TurnValueError
from turngraph.state.private_files import create_private_file

__all__ = ["SavedLine", "SavedWalk", "read_walk", "write_walk"]

_FORMAT: Final = "turngraph walk"
_VERSION: Final = 1
_BEGINNING: Final = f'{{"format": "{_FORMAT}"'


class SavedLine(NamedTuple):
    """A line of a walk."""

    name: str
    state: LineState
    breakpoints: tuple[Breakpoint, ...]


class SavedWalk(NamedTuple):
    """What a file holds."""

    configurable: Mapping[str, Any]
    """What the graph was configured with, as far as it is plain data; `thread_id` among it."""
    thread_ends: Mapping[str, str]
    """The latest checkpoint that each stored thread had when the walk last met it."""
    lines: tuple[SavedLine, ...]
    shown: str
    """The name of the line from which the walk was saved."""


def write_walk(path: Path, graph: Graph, walk: SavedWalk) -> None:
    """Writes `walk` to `path`, readable for its owner alone. An older walk there is replaced.

    Raises TurnValueError if a value cannot be saved, if the file cannot be written, or if it is
    there and no walk.
    """
    _check_replaceable(path)
    steps = StepWriter(graph)
    lines = [
        {
            "name": line.name,
            "steps": [steps.number(step) for step in line.state.steps],
            "position": line.state.position,
            "breakpoints": [_plain_breakpoint(each) for each in line.breakpoints if not each.when],
        }
        for line in walk.lines
    ]
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "configurable": dict(walk.configurable),
        "thread_ends": dict(walk.thread_ends),
        "shown": walk.shown,
        "lines": lines,
        **steps.tables(),
    }
    # Written beside and renamed: a full disk must not cost the older file.
    part = path.with_name(f"{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        create_private_file(part)
        part.write_text(json.dumps(content, ensure_ascii=True), "utf-8")
        os.replace(part, path)
    except OSError as exc:
        raise TurnValueError(f"`{path}` cannot be written: {exc.strerror or exc}.") from exc


def _check_replaceable(path: Path) -> None:
    """Raises TurnValueError for a file that a wrongly typed name would destroy."""
    try:
        with path.open("rb") as file:
            beginning = file.read(len(_BEGINNING))
    except OSError:  # there is none; anything else is said when it is written
        return
    if beginning and beginning != _BEGINNING.encode():
        raise TurnValueError(f"`{path}` is no saved run and is not replaced. Give another name.")


def read_walk(path: Path, graph: Graph) -> SavedWalk:
    """Reads what `write_walk` wrote for the same graph.

    Raises TurnValueError if the file is no saved run, or one of another graph.
    """
    try:
        written = path.read_bytes()
    except OSError as exc:
        raise TurnValueError(f"`{path}` cannot be read: {exc.strerror or exc}.") from exc
    what = f"`{path}` is no saved run, or it is damaged"
    with damage_named(what, "`stepper.save(path)` writes one."):
        content = json.loads(written.decode("utf-8"))
        if content["format"] != _FORMAT:
            raise ValueError(f"its format is {content['format']!r}")
        if content["version"] != _VERSION:
            raise TurnValueError(
                f"`{path}` is a run of version {content['version']}; this release reads version "
                f"{_VERSION}."
            )
        steps = StepReader(graph, content["configurable"]["thread_id"], content).steps()
        lines = tuple(_read_line(line, steps) for line in content["lines"])
        names = [line.name for line in lines]
        if len(set(names)) < len(names) or content["shown"] not in names or names[0] != "main":
            raise ValueError(f"its lines are {names}")
        return SavedWalk(
            dict(content["configurable"]), dict(content["thread_ends"]), lines, content["shown"]
        )


def _read_line(line: Mapping[str, Any], steps: Sequence[Any]) -> SavedLine:
    own = tuple(steps[number] for number in line["steps"])
    own[line["position"]]  # there is such a step
    breakpoints = tuple(Breakpoint(**each) for each in line["breakpoints"])
    return SavedLine(str(line["name"]), LineState(own, int(line["position"])), breakpoints)


def _plain_breakpoint(each: Breakpoint) -> dict[str, Any]:
    given = {name: value for name, value in vars(each).items() if value is not None}
    # A Decimal is no JSON; its text is taken too.
    return {name: value if isinstance(value, int) else str(value) for name, value in given.items()}
