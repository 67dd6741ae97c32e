"""Rounds: every contender of every case once, in a new order each time, so that a busy machine is
busy for all.
"""

import random
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.case import Case, Entry, setting_of
from benchmarks.processes import Process, is_installed
from benchmarks.server import Counts, counted
from benchmarks.setting import ANSWER, Setting

__all__ = ["Cell", "measured", "number_of_samples"]

WARM_TURNS: Final = 3
WARM_WAITING: Final = 20


@dataclass
class Cell:
    """One contender in one case, and its samples so far. sent: requests the server should have had
    of it.
    """

    case: Case
    name: str
    entry: Entry
    setting: Setting
    place: Path
    process: Process | None = None
    figures: list[float] = field(default_factory=list)
    sent: int = 0

    def best(self) -> float:
        """The least disturbed sample: other work on the machine only ever adds."""
        return max(self.figures) if self.case.kind.more_is_better else min(self.figures)

    def middle(self) -> float:
        """The median."""
        return median(self.figures)

    @property
    def path(self) -> str:
        """Where the server counts it."""
        return f"/{self.case.scenario}/{self.place.name}"

    def turns(self, number: int) -> None:
        """Expect the requests of so many more turns."""
        requests = self.case.requests if self.entry.requests is None else self.entry.requests
        self.sent += number * requests


def number_of_samples(cases: Iterable[Case], rounds: int) -> int:
    """How often `measured` ticks."""
    return sum(rounds_of(case, rounds) * len(installed(case)) for case in cases)


def rounds_of(case: Case, rounds: int) -> int:
    """How many of `rounds` have a sample of `case`."""
    return rounds if case.rounds is None else min(case.rounds, rounds)


def installed(case: Case) -> list[tuple[str, Entry]]:
    """The entries that can be measured here."""
    return [(name, one) for name, one in case.entries.items() if is_installed(one.contender)]


def measured(
    cases: Sequence[Case],
    origin: str,
    folder: Path,
    *,
    rounds: int,
    seed: int,
    tick: Callable[[], None],
) -> list[Cell]:
    """Every cell of `cases` with a sample for each round. `tick` is called after each sample.

    Raises AssertionError where a contender gives another answer, or sends more or fewer requests
    than it should, or other ones.
    """
    order = random.Random(seed)
    with opened(cases, origin, folder) as cells:
        before = counted(origin)
        for cell in cells:
            warm_up(cell)
        for number in range(rounds):
            for cell in order.sample(cells, len(cells)):
                if number < rounds_of(cell.case, rounds):
                    cell.figures.append(sampled(cell, origin))
                    tick()
        check_requests(cells, before, counted(origin))
        return cells


@contextmanager
def opened(cases: Iterable[Case], origin: str, folder: Path) -> Iterator[list[Cell]]:
    """All cells: processes started, clients connected, earlier turns in their places."""
    with ExitStack() as stack:
        cells = [
            Cell(case, name, entry, setting_of(case, entry, origin, place), place)
            for case in cases
            for n, (name, entry) in enumerate(installed(case))
            for place in [folder / f"{case.name}-{n}"]
        ]
        going_on = [cell for cell in cells if cell.case.kind.probe == "turns"]
        # All processes are started before the first one is asked for anything: imports take long.
        processes = {
            key: stack.enter_context(Process(key[0]))
            for key in dict.fromkeys(map(key_of, going_on))
        }
        for cell in cells:
            cell.place.mkdir()
            if cell.case.kind.probe == "turns":
                cell.process = processes[key_of(cell)]
                open_in(cell.process, cell, cell.setting)
            elif cell.case.kind.probe == "cold":
                with Process(cell.entry.contender) as process:
                    open_in(process, cell, cell.setting)
        yield cells


def key_of(cell: Cell) -> tuple[str, str]:
    """Which process a cell has: the contender's, or one for this case alone."""
    return cell.entry.contender, cell.case.name if cell.case.apart else ""


def warm_up(cell: Cell) -> None:
    """Compile what is imported, fill what is filled by the first turns."""
    if cell.process is not None:
        asked(cell.process, cell, turns=min(cell.case.turns, WARM_TURNS))
    elif cell.case.kind.probe == "import":
        sampled_import(cell)


def sampled(cell: Cell, origin: str) -> float:
    """One figure of `cell`."""
    match cell.case.kind.probe:
        case "turns":
            assert cell.process is not None, "it was opened for these"
            figures = asked(cell.process, cell, turns=cell.case.turns)
            if cell.case.figure == "turns_per_s":
                return cell.case.turns / float(figures["wall_s"])
            spent = figures["cpu_s" if cell.case.figure == "cpu_ms" else "wall_s"]
            return float(spent) / cell.case.turns * 1e3
        case "cold":
            return sampled_cold(cell)
        case "first":
            return sampled_first(cell)
        case "import":
            return sampled_import(cell)
        case "memory":
            return sampled_memory(cell, origin)


def sampled_cold(cell: Cell) -> float:
    """The first turn of a new process in a thread of a database, which is a copy each time."""
    place = cell.place.with_name(f"{cell.place.name}-copy")
    shutil.copytree(cell.place, place)
    with Process(cell.entry.contender) as process:
        open_in(process, cell, replace(cell.setting, folder=place))
        cell.turns(1)  # in another thread: what every process pays once does not count here
        figures = asked(process, cell, turns=1)
    shutil.rmtree(place)
    return float(figures["cpu_s"]) * 1e3


def sampled_first(cell: Cell) -> float:
    """Getting ready and the first turn, less a later turn."""
    later = cell.case.turns
    with Process(cell.entry.contender) as process:
        ready = open_in(process, cell, cell.setting)
        first = asked(process, cell, turns=1)
        return float(ready["cpu_s"] + first["cpu_s"]) - (
            float(asked(process, cell, turns=later)["cpu_s"]) / later
        )


def sampled_import(cell: Cell) -> float:
    """An import."""
    module, name = cell.entry.imports
    with Process(cell.entry.contender, imported=False) as process:
        return float(process.do("import_name", module=module, name=name)["cpu_s"])


def sampled_memory(cell: Cell, origin: str) -> float:
    """What a process grows by, per turn that waits."""
    with Process(cell.entry.contender) as process:
        open_in(process, cell, cell.setting)
        for turns in (WARM_WAITING, cell.case.turns):
            figures = process.do("hold", cell=cell.path, turns=turns, origin=origin)
            check_answers(cell, figures["answers"])
            cell.turns(turns)
        return float(figures["bytes"]) / cell.case.turns / 1e3


def open_in(process: Process, cell: Cell, setting: Setting) -> dict[str, Any]:
    """Make the cell's contender ready there."""
    return process.do("open", cell=cell.path, setting=setting.as_json())


def asked(process: Process, cell: Cell, *, turns: int) -> dict[str, Any]:
    """What so many turns cost, `at_once` at a time."""
    figures = process.do(
        "ask",
        cell=cell.path,
        turns=turns,
        at_once=cell.case.at_once,
        frozen=cell.entry.frozen,
    )
    check_answers(cell, figures["answers"])
    cell.turns(turns)
    return figures


def check_answers(cell: Cell, answers: Iterable[str]) -> None:
    """Hold every answer against the one that the server gives."""
    for answer in answers:
        assert answer.startswith(ANSWER), (
            f"{cell.name} answered {answer[:80]!r} in `{cell.case.name}`"
        )


def check_requests(
    cells: Iterable[Cell], before: dict[str, Counts], after: dict[str, Counts]
) -> None:
    """Hold what the server counted against what was asked: nobody may save work by leaving a
    request out, or the earlier turns of a conversation.
    """
    for cell in cells:
        counts = after.get(cell.path, Counts())
        sent = counts.requests - before.get(cell.path, Counts()).requests
        assert sent == cell.sent, (
            f"{cell.name} sent {sent} requests in `{cell.case.name}`, not {cell.sent}"
        )
        earlier = cell.setting.earlier
        assert counts.earlier >= earlier if earlier else counts.earlier == 0, (
            f"{cell.name} sent {counts.earlier} earlier turns in `{cell.case.name}`, "
            f"at least {earlier} were in the conversation"
        )
