"""The results for a reader: a table in the terminal, and the same in Markdown for the page that
explains them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.cases import CASES, Case
from benchmarks.results import Results, Row

__all__ = ["grid", "markdown", "show", "write_into"]

_HEAD: Final = ("", "median (min-max)", "x hand loop", "x, at best", "aim")
_UNITS: Final = {
    "cpu_ms": "CPU ms per turn",
    "wall_ms": "ms on the clock per turn",
    "turns_per_s": "turns per second",
}


def show(results: Results, console: Console) -> None:
    """Print every case as a table."""
    for case, rows in _by_case(results.rows):
        table = Table(title=f"{case.title} ({_UNITS[case.figure]})", title_justify="left")
        for n, head in enumerate(_HEAD):
            table.add_column(head, justify="left" if n == 0 else "right", no_wrap=True)
        for row in rows:
            colour = {None: None, True: "green", False: "yellow"}[row.met]
            table.add_row(row.contender, *_cells(case, row), style=colour)
        console.print(table)
    if not results.stored:
        return
    table = Table(
        "",
        *(f"turn {n}" for n in _places(results.stored)),
        title="Stored in SQLite, bytes per turn",
        title_justify="left",
    )
    for name, sizes in results.stored.items():
        table.add_row(name, *(f"{size:,.0f}" for size in sizes.values()))
    console.print(table)


def markdown(results: Results) -> str:
    """The same as Markdown tables."""
    lines: list[str] = []
    for case, rows in _by_case(results.rows):
        body = [(row.contender, *_cells(case, row)) for row in rows]
        lines += [f"**{case.title}** ({_UNITS[case.figure]})", "", *grid(_HEAD, body), ""]
    heads = ("", *(f"turn {n}" for n in _places(results.stored)))
    sizes = [
        (name, *(f"{size:,.0f}" for size in found.values()))
        for name, found in results.stored.items()
    ]
    return "\n".join([*lines, "**Stored in SQLite** (bytes per turn)", "", *grid(heads, sizes)])


def write_into(page: Path, text: str, marker: str = "results") -> None:
    """Replace what stands between the page's markers `<!-- results -->` and `<!-- end of results
    -->` by `text`.
    """
    begin, end = f"<!-- {marker} -->", f"<!-- end of {marker} -->"
    pattern = re.compile(f"{begin}.*{end}", re.DOTALL)
    page.write_text(pattern.sub(lambda _: f"{begin}\n{text}\n{end}", page.read_text()))


def _by_case(rows: Sequence[Row]) -> list[tuple[Case, list[Row]]]:
    found = [(case, [row for row in rows if row.case == case.name]) for case in CASES]
    return [(case, mine) for case, mine in found if mine]


def _cells(case: Case, row: Row) -> tuple[str, str, str, str]:
    digits = 0 if row.median >= 50 else 1
    spread = f"{row.median:.{digits}f} ({row.low:.{digits}f}-{row.high:.{digits}f})"
    return spread, f"{row.times:.2f}", f"{row.times_best:.2f}", _aim(case, row)


def _aim(case: Case, row: Row) -> str:
    if row.aim is None:
        return ""
    wanted = {
        "wall_ms": f"<= {row.aim:g} ms",
        "turns_per_s": f">= {row.aim:g}",
        "cpu_ms": f"<= {row.aim:g}",
    }
    return f"{wanted[case.figure]}: {'met' if row.met else 'not met'}"


def grid(heads: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown, line by line."""
    rule = ["---", *("---:" for _ in heads[1:])]
    return [f"| {' | '.join(cells)} |" for cells in (heads, rule, *body)]


def _places(stored: Mapping[str, Mapping[int, float]]) -> list[int]:
    return list(next(iter(stored.values()), {}))
