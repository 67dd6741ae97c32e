"""The results for a reader: tables in the terminal, and the same in Markdown for the page that
explains them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks import aims
from benchmarks.aims import Line
from benchmarks.case import Case
from benchmarks.cases import CASES
from benchmarks.ledger_cost import HEAD, Row as LedgerRow, cells
from benchmarks.results import Results, Row

__all__ = ["aims_markdown", "grid", "markdown", "show", "show_aims", "show_ledger", "write_into"]

_COLOUR: Final = {None: None, True: "green", False: "yellow"}


def show(results: Results, console: Console) -> None:
    """Print every case as a table."""
    for case, rows in _by_case(results.rows):
        table = _table(f"{case.title} ({case.kind.unit})", _head(case))
        for row in rows:
            table.add_row(row.contender, *_cells(case, row), style=_COLOUR[row.met])
        console.print(table)
    if results.stored:
        table = _table("Stored in SQLite, bytes per turn", _places(results.stored))
        for cells in _sizes(results.stored):
            table.add_row(*cells)
        console.print(table)


def show_aims(lines: Sequence[Line], console: Console) -> None:
    """Print all aims as one table."""
    table = _table("Aims (x: times the yardstick of the case)", aims.HEAD)
    for line in lines:
        table.add_row(*line.cells(), style=_COLOUR[line.met])
    console.print(table)


def show_ledger(rows: Sequence[LedgerRow], console: Console) -> None:
    """Print what the ledger costs a call."""
    table = _table("A call in the ledger", HEAD)
    for line in cells(rows):
        table.add_row(*line)
    console.print(table)


def markdown(results: Results) -> str:
    """What `show` prints, as Markdown tables."""
    lines: list[str] = []
    for case, rows in _by_case(results.rows):
        body = [(row.contender, *_cells(case, row)) for row in rows]
        lines += [f"**{case.title}** ({case.kind.unit})", "", *grid(_head(case), body), ""]
    sizes = grid(_places(results.stored), _sizes(results.stored))
    return "\n".join([*lines, "**Stored in SQLite** (bytes per turn)", "", *sizes])


def aims_markdown(lines: Sequence[Line]) -> str:
    """What `show_aims` prints, as a Markdown table."""
    return "\n".join(grid(aims.HEAD, [line.cells() for line in lines]))


def write_into(page: Path, text: str, marker: str) -> None:
    """Replace what is between the page's markers `<!-- marker -->` and `<!-- end of marker -->` by
    `text`.
    """
    begin, end = f"<!-- {marker} -->", f"<!-- end of {marker} -->"
    pattern = re.compile(f"{begin}.*{end}", re.DOTALL)
    page.write_text(pattern.sub(lambda _: f"{begin}\n{text}\n{end}", page.read_text()))


def grid(heads: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown, line by line."""
    rule = ["---", *("---:" for _ in heads[1:])]
    return [f"| {' | '.join(cells)} |" for cells in (heads, rule, *body)]


def _table(title: str, heads: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for n, head in enumerate(heads):
        # Where the terminal is narrow, names are folded and figures stay whole.
        table.add_column(head, justify="left" if n == 0 else "right", no_wrap=n > 0)
    return table


def _by_case(rows: Sequence[Row]) -> list[tuple[Case, list[Row]]]:
    found = [(case, [row for row in rows if row.case == case.name]) for case in CASES]
    return [(case, mine) for case, mine in found if mine]


def _head(case: Case) -> tuple[str, ...]:
    yardstick = case.measured_by[1].removesuffix(" on openai")
    return ("", "median (min-max)", f"x {yardstick}", "x, at best")


def _cells(case: Case, row: Row) -> tuple[str, str, str]:
    digits = 0 if row.median >= 50 else case.kind.digits
    spread = f"{row.median:.{digits}f} ({row.low:.{digits}f}-{row.high:.{digits}f})"
    return spread, f"{row.times:.2f}", f"{row.times_best:.2f}"


def _places(stored: Mapping[str, Mapping[int, float]]) -> tuple[str, ...]:
    return ("", *(f"turn {n}" for n in next(iter(stored.values()), {})))


def _sizes(stored: Mapping[str, Mapping[int, float]]) -> list[tuple[str, ...]]:
    return [(name, *(f"{size:,.0f}" for size in found.values())) for name, found in stored.items()]
