"""`make bench`, or `python -m benchmarks`: measure everything, show it beside its aims, and write
it down beside this file.
"""

import json
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cyclopts import App
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import ledger_cost
from benchmarks.aims import Line, lines_of
from benchmarks.case import Case
from benchmarks.cases import CASES
from benchmarks.chart import draw
from benchmarks.measuring import measured, number_of_samples
from benchmarks.processes import many_files, missing
from benchmarks.results import Results, rows_of, write_json
from benchmarks.server import vendor
from benchmarks.storage import number_of_turns, stored
from benchmarks.tables import (
    aims_markdown,
    grid,
    markdown,
    show,
    show_aims,
    show_ledger,
    write_into,
)

HERE: Final = Path(__file__).parent
PLACES: Final = (10, 100, 1000)
BYTES: Final = "bytes"
LEDGER: Final = "ledger"
NAMES: Final = (*(case.name for case in CASES), BYTES, LEDGER)

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
    """Compare turngraph with a hand loop, LangChain's agent, agno and the OpenAI Agents SDK.

    Args:
        rounds: samples of every contender in every case (fewer in cases that take long).
        turns: length of the thread whose storage is measured.
        only: what to measure; all by default. The results are then not written down.
        seed: of the order of the samples.
        write: write results.json, results.svg, ledger.json and the tables in README.md.
    """
    for name in only:
        if name not in NAMES:
            sys.exit(f"Nothing here is called `{name}`. There are: {', '.join(NAMES)}.")
    wanted = set(only or NAMES)
    cases = [case for case in CASES if case.name in wanted or is_yardstick(case, wanted)]
    places = [place for place in PLACES if place <= turns] if BYTES in wanted else []
    chosen = random.SystemRandom().randrange(10**6) if seed is None else seed
    # In a file or a pipe, rich takes 80 columns, which cuts the names off.
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(f"{rounds} rounds, order by seed {chosen}")
    for contender in missing():
        console.print(f"{contender} is left out: `make bench` installs it into .bench.")
    results = run(cases, places, rounds=rounds, seed=chosen, console=console)
    ledger = ledger_cost.costs() if LEDGER in wanted else []
    lines = lines_of(results, ledger)
    show(results, console)
    if ledger:
        show_ledger(ledger, console)
    show_aims(lines, console)
    if write and not only:
        write_down(results, ledger, lines)


def run(
    cases: Sequence[Case], places: Sequence[int], *, rounds: int, seed: int, console: Console
) -> Results:
    """Measure `cases`, and what is stored at the turns `places`."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with (
        many_files(),
        vendor() as origin,
        tempfile.TemporaryDirectory() as folder,
        Progress(*columns, console=console) as progress,
    ):
        samples = progress.add_task("Samples", total=number_of_samples(cases, rounds))
        turns = progress.add_task("Stored turns", total=number_of_turns(places))
        cells = measured(
            cases,
            origin,
            Path(folder),
            rounds=rounds,
            seed=seed,
            tick=lambda: progress.advance(samples),
        )
        sizes = stored(
            origin, Path(folder), places, lambda number: progress.update(turns, completed=number)
        )
    return Results(rows_of(cells), sizes, rounds, seed)


def write_down(results: Results, ledger: Sequence[ledger_cost.Row], lines: Sequence[Line]) -> None:
    """Write all that is generated from a full run."""
    write_json(results, HERE / "results.json", HERE / "contenders.lock")
    (HERE / "ledger.json").write_text(json.dumps(ledger_cost.whole(ledger), indent=1) + "\n")
    (HERE / "results.svg").write_text(draw(results.rows))
    page = HERE / "README.md"
    write_into(page, aims_markdown(lines), "aims")
    write_into(page, markdown(results), "results")
    write_into(page, "\n".join(grid(ledger_cost.HEAD, ledger_cost.cells(ledger))), "ledger")


def is_yardstick(other: Case, wanted: set[str]) -> bool:
    """Whether one of the cases `wanted` is measured against an entry of `other`."""
    return any(
        case.name in wanted and case.yardstick is not None and case.yardstick[0] == other.name
        for case in CASES
    )


if __name__ == "__main__":
    app()
