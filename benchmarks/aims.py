"""The table of aims: one line for each, with where the first build stood, and whether it is met."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from benchmarks.case import Aim
from benchmarks.cases import CASES
from benchmarks.ledger_cost import Row as LedgerRow
from benchmarks.results import Results, Row
from benchmarks.storage import EACH, ONE

__all__ = ["HEAD", "Line", "lines_of"]

HEAD = ("", "first build", "aim", "measured", "")

LEDGER_CALL = "SQLite, a call"
LEDGER_AIM_MS = 0.5
STORED_AIMS_KB = {ONE: 12, EACH: 40}
LATE_OVER_EARLY = 1.1
"""A turn of a long thread stores at most so many times what one of a short thread does."""


class Line(NamedTuple):
    """One aim, as a reader sees it."""

    title: str
    before: str
    aim: str
    measured: str
    met: bool

    def cells(self) -> tuple[str, ...]:
        """The line of a table."""
        return (*self[:4], "met" if self.met else "not met")


def lines_of(results: Results, ledger: Sequence[LedgerRow]) -> list[Line]:
    """A line for every aim of what was measured."""
    return [
        *(_line(row, row.aim) for row in results.rows if row.aim is not None),
        *_ledger(ledger),
        *_stored(results),
    ]


def _line(row: Row, aim: Aim) -> Line:
    [kind] = [case.kind for case in CASES if case.name == row.case]
    unit = kind.unit.removeprefix("CPU ").split(" ")[0]
    sign = ">=" if kind.more_is_better else "<="
    wanted = f"{sign} {aim.most:g} {unit if aim.absolute else 'x'}"
    figure = f"{row.median:.{kind.digits}f} {unit}" if aim.absolute else f"{row.times:.2f} x"
    return Line(aim.title, aim.before, wanted, figure, bool(row.met))


def _ledger(rows: Sequence[LedgerRow]) -> Iterator[Line]:
    for row in rows:
        if row.name == LEDGER_CALL:
            ms = row.middle()
            yield Line(
                "a call in the ledger, SQLite",
                "1.2 ms",
                f"<= {LEDGER_AIM_MS} ms",
                f"{ms:.2f} ms",
                ms <= LEDGER_AIM_MS,
            )


def _stored(results: Results) -> Iterator[Line]:
    for contender, most in STORED_AIMS_KB.items():
        if sizes := results.stored.get(contender):
            kb = max(sizes.values()) / 1e3
            yield Line(
                f"bytes: {contender}",
                "98 kB",
                f"<= {most} kB",
                f"{kb:.0f} kB",
                kb <= most,
            )
            first, last = sizes[min(sizes)], sizes[max(sizes)]
            yield Line(
                f"bytes, turn {max(sizes)} ÷ {min(sizes)}: {contender}",
                "1.13 x",
                f"<= {LATE_OVER_EARLY} x",
                f"{last / first:.2f} x",
                last / first <= LATE_OVER_EARLY,
            )
