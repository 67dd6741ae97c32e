"""Rounds: every contender of every case once, in a new order each time, so that a busy machine is
busy for all.
"""

import asyncio
import gc
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.cases import Case, settings_of
from benchmarks.server import ANSWER, counted
from benchmarks.setting import Ask

__all__ = ["Cell", "Sample", "measured"]


@dataclass(frozen=True)
class Sample:
    """What a turn cost in one round, on the average of its turns."""

    cpu_ms: float
    wall_ms: float
    turns_per_s: float


@dataclass
class Cell:
    """One contender in one case, and its samples so far."""

    case: Case
    name: str
    ask: Ask
    path: str
    requests: int
    frozen: bool
    samples: list[Sample] = field(default_factory=list)
    asked: int = 0

    def figures(self) -> list[float]:
        """The samples of what this case is about."""
        return [getattr(sample, self.case.figure) for sample in self.samples]

    def best(self) -> float:
        """The least disturbed sample: other work on the machine only ever adds."""
        return max(self.figures()) if self.case.figure == "turns_per_s" else min(self.figures())

    def middle(self) -> float:
        """The median."""
        return median(self.figures())


async def measured(
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
    than it should.
    """
    order = random.Random(seed)
    async with opened(cases, origin, folder) as cells:
        before = counted(origin)
        for cell in cells:
            await sampled(cell, turns=min(cell.case.turns, 3))
        for cell in cells:
            cell.samples.clear()
        for _ in range(rounds):
            for cell in order.sample(cells, len(cells)):
                await sampled(cell, turns=cell.case.turns)
                tick()
        check_requests(cells, before, counted(origin))
        return cells


@asynccontextmanager
async def opened(cases: Iterable[Case], origin: str, folder: Path) -> AsyncIterator[list[Cell]]:
    """All cells, ready to be asked: clients connected, earlier turns in their places."""
    async with AsyncExitStack() as stack:
        cells = []
        for case in cases:
            for n, (name, entry) in enumerate(case.entries.items()):
                place = folder / f"{case.name}-{n}"
                place.mkdir()
                ask = await stack.enter_async_context(
                    entry.contender(settings_of(case, entry, origin, place))
                )
                requests = case.requests if entry.requests is None else entry.requests
                cells.append(
                    Cell(case, name, ask, f"/{case.scenario}/{place.name}", requests, entry.frozen)
                )
        yield cells


async def sampled(cell: Cell, *, turns: int) -> None:
    """Ask `cell` so many turns, `at_once` at a time, and keep what they cost."""
    gc.collect()
    if cell.frozen:
        gc.freeze()
    gate = asyncio.Semaphore(cell.case.at_once)

    async def one() -> str:
        async with gate:
            return await cell.ask()

    cpu, wall = time.process_time(), time.perf_counter()
    if cell.case.at_once == 1:
        answers = [await cell.ask() for _ in range(turns)]
    else:
        answers = await asyncio.gather(*(one() for _ in range(turns)))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    gc.unfreeze()
    cell.samples.append(Sample(cpu / turns * 1e3, wall / turns * 1e3, turns / wall))
    cell.asked += turns
    for answer in answers:
        assert answer.startswith(ANSWER), (
            f"{cell.name} answered {answer[:80]!r} in `{cell.case.name}`"
        )


def check_requests(cells: Iterable[Cell], before: dict[str, int], after: dict[str, int]) -> None:
    """Hold what the server counted against what was asked: nobody may save work by leaving a
    request out.
    """
    for cell in cells:
        sent = after.get(cell.path, 0) - before.get(cell.path, 0)
        wanted = cell.asked * cell.requests
        assert sent == wanted, (
            f"{cell.name} sent {sent} requests in `{cell.case.name}`, not {wanted}"
        )
