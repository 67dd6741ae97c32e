"""`make bench`, or `python -m benchmarks`: run everything, show it, and write it down beside this
file.
"""

import asyncio
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from cyclopts import App
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.cases import CASES, Case
from benchmarks.chart import draw
from benchmarks.measuring import measured
from benchmarks.results import Results, rows_of, write_json
from benchmarks.server import vendor
from benchmarks.storage import agent_bytes, turn_bytes
from benchmarks.tables import markdown, show, write_into

HERE: Final = Path(__file__).parent
PLACES: Final = (10, 100, 1000)

app = App(name="benchmarks", help=__doc__)


@app.default
def main(
    *,
    rounds: int = 7,
    turns: int = max(PLACES),
    only: tuple[str, ...] = (),
    seed: int | None = None,
    write: bool = True,
) -> None:
    """Compare turngraph with a hand loop and LangChain's agent.

    Args:
        rounds: samples of every contender in every case.
        turns: length of the thread whose storage is measured.
        only: names of cases to run; all by default. The results are then not written down.
        seed: of the order of the samples.
        write: write results.json, results.svg and the tables in README.md.
    """
    unknown = sorted(set(only) - {case.name for case in CASES})
    if unknown:
        sys.exit(
            f"No case is called `{unknown[0]}`. Cases: {', '.join(case.name for case in CASES)}."
        )
    cases = [
        case
        for case in CASES
        if not only or case.name in only or any(_needs(name, case) for name in only)
    ]
    places = [place for place in PLACES if place <= turns] if not only else []
    chosen = random.SystemRandom().randrange(10**6) if seed is None else seed
    console = Console()
    console.print(f"{rounds} rounds, order by seed {chosen}")
    results = run(cases, places, rounds=rounds, seed=chosen, console=console)
    show(results, console)
    if write and not only:
        write_json(results, HERE / "results.json")
        (HERE / "results.svg").write_text(draw(results.rows))
        write_into(HERE / "README.md", markdown(results))


def run(
    cases: Sequence[Case], places: Sequence[int], *, rounds: int, seed: int, console: Console
) -> Results:
    """Measure `cases`, and what is stored at the turns `places`."""
    samples = rounds * sum(len(case.entries) for case in cases)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with (
        vendor() as origin,
        tempfile.TemporaryDirectory() as folder,
        Progress(*columns, console=console) as progress,
    ):
        sampling = progress.add_task("Samples", total=samples)
        storing = progress.add_task("Stored turns", total=max(places, default=0) + len(places))
        tick, tock = _ticker(progress, sampling), _ticker(progress, storing)
        cells = asyncio.run(
            measured(cases, origin, Path(folder), rounds=rounds, seed=seed, tick=tick)
        )
        stored = asyncio.run(_stored(origin, Path(folder), places, tock))
    return Results(rows_of(cells), stored, rounds, seed)


async def _stored(
    origin: str, folder: Path, places: Sequence[int], tick: Callable[[], None]
) -> dict[str, dict[int, float]]:
    if not places:
        return {}
    base_url = f"{origin}/calls-1/stored/v1"
    return {
        "turngraph": await turn_bytes(base_url, folder, places, tick),
        "langchain create_agent": await agent_bytes(base_url, folder, places, tick),
    }


def _needs(name: str, other: Case) -> bool:
    """Whether case `name` is measured against the hand loop of `other`."""
    return any(case.name == name and case.yardstick == other.name for case in CASES)


def _ticker(progress: Progress, task: object) -> Callable[[], None]:
    return lambda: progress.advance(task)  # type: ignore[arg-type]


if __name__ == "__main__":
    app()
