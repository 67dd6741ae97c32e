"""What came out of a run: every figure next to the hand loop's, as data and as JSON."""

import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from benchmarks.cases import CASES, HAND, TURN, Case
from benchmarks.measuring import Cell

__all__ = ["Results", "Row", "rows_of", "write_json"]

_PACKAGES: Final = (
    *("turngraph", "langgraph", "langgraph-checkpoint", "langgraph-checkpoint-sqlite"),
    *("langchain", "langchain-core", "langchain-openai", "openai", "httpx2", "aiohttp", "pydantic"),
)


@dataclass(frozen=True)
class Row:
    """One contender in one case. `times` is its median over the hand loop's; `times_best` compares
    the best samples.
    """

    case: str
    contender: str
    figure: str
    median: float
    low: float
    high: float
    times: float
    times_best: float
    aim: float | None = None
    met: bool | None = None
    """Whether the aim is met: by the medians."""


@dataclass(frozen=True)
class Results:
    """A whole run."""

    rows: Sequence[Row]
    stored: Mapping[str, Mapping[int, float]]
    """Bytes per turn, by contender and number of the turn."""
    rounds: int
    seed: int


def rows_of(cells: Iterable[Cell]) -> list[Row]:
    """A row for each of `cells`, in their order."""
    listed = list(cells)
    hands = {cell.case.name: cell for cell in listed if cell.name == HAND}
    return [_row(cell, hands[cell.case.yardstick or cell.case.name]) for cell in listed]


def _row(cell: Cell, hand: Cell) -> Row:
    case, figures = cell.case, cell.figures()
    times, times_best = cell.middle() / hand.middle(), cell.best() / hand.best()
    aim = case.aim if cell.name == TURN else case.entries[cell.name].aim
    met = None if aim is None else _met(case, aim, cell.middle(), times)
    return Row(
        case.name,
        cell.name,
        case.figure,
        cell.middle(),
        min(figures),
        max(figures),
        times,
        times_best,
        aim,
        met,
    )


def _met(case: Case, aim: float, middle: float, times: float) -> bool:
    if case.figure == "wall_ms":
        return middle <= aim
    return times >= aim if case.figure == "turns_per_s" else times <= aim


def write_json(results: Results, place: Path) -> None:
    """Write `results` with the versions they were made with."""
    whole: dict[str, Any] = {
        "machine": {
            "python": platform.python_version(),
            "system": sys.platform,
            "cpus": os.cpu_count(),
        },
        "versions": {name: version(name) for name in _PACKAGES},
        "rounds": results.rounds,
        "seed": results.seed,
        "cases": {
            case.name: {"title": case.title, "aim": case.aim, "figure": case.figure}
            for case in CASES
        },
        "rows": [
            {name: _rounded(value) for name, value in asdict(row).items()} for row in results.rows
        ],
        "stored_bytes_per_turn": results.stored,
    }
    place.write_text(json.dumps(whole, indent=1) + "\n")


def _rounded(value: object) -> object:
    return round(value, 3) if isinstance(value, float) else value
