"""What came out of a run: every figure beside its yardstick, as data and as JSON."""

import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from benchmarks.case import Aim
from benchmarks.cases import CASES
from benchmarks.measuring import Cell

__all__ = ["Results", "Row", "rows_of", "write_json"]

_PACKAGES: Final = (
    *("turngraph", "langgraph", "langgraph-checkpoint", "langgraph-checkpoint-sqlite"),
    *("langchain", "langchain-core", "langchain-openai", "openai", "httpx2", "aiohttp", "pydantic"),
)


@dataclass(frozen=True)
class Row:
    """One contender in one case. `times` is its median over the yardstick's; `times_best` compares
    the best samples.
    """

    case: str
    contender: str
    median: float
    low: float
    high: float
    times: float
    times_best: float
    aim: Aim | None = None
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
    by_name = {(cell.case.name, cell.name): cell for cell in cells}
    return [_row(cell, by_name[cell.case.measured_by]) for cell in by_name.values()]


def _row(cell: Cell, yardstick: Cell) -> Row:
    times = cell.middle() / yardstick.middle()
    aim, met = cell.entry.aim, None
    if aim is not None:
        figure = cell.middle() if aim.absolute else times
        met = figure >= aim.most if cell.case.kind.more_is_better else figure <= aim.most
    return Row(
        cell.case.name,
        cell.name,
        cell.middle(),
        min(cell.figures),
        max(cell.figures),
        times,
        cell.best() / yardstick.best(),
        aim,
        met,
    )


def write_json(results: Results, place: Path, contenders_lock: Path) -> None:
    """Write `results` with the versions they were made with."""
    whole: dict[str, Any] = {
        "machine": {
            "python": platform.python_version(),
            "system": sys.platform,
            "cpus": os.cpu_count(),
        },
        "versions": {name: version(name) for name in _PACKAGES} | _locked(contenders_lock),
        "rounds": results.rounds,
        "seed": results.seed,
        "cases": {
            case.name: {
                "title": case.title,
                "unit": case.kind.unit,
                "yardstick": case.measured_by,
            }
            for case in CASES
        },
        "rows": [_as_json(row) for row in results.rows],
        "stored_bytes_per_turn": results.stored,
    }
    place.write_text(json.dumps(whole, indent=1) + "\n")


def _locked(lock: Path) -> dict[str, str]:
    """The versions of the contenders in the environment of their own."""
    pins = (
        line.split(" ")[0].split("==") for line in lock.read_text().splitlines() if "==" in line
    )
    return {name: pinned for name, pinned in pins if name in {"agno", "openai-agents"}}


def _as_json(row: Row) -> dict[str, Any]:
    fields = {name: _rounded(value) for name, value in asdict(row).items()}
    return {**fields, "aim": None if row.aim is None else row.aim._asdict()}


def _rounded(value: object) -> object:
    return round(value, 3) if isinstance(value, float) else value
