"""What a case is: contenders that are compared, their figures and their aims."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from benchmarks.setting import Setting

__all__ = ["FIGURES", "HAND", "Aim", "Case", "Entry", "Figure", "setting_of"]

HAND: Final = "hand loop on openai"
"""The yardstick of most cases."""

Probe = Literal["turns", "cold", "first", "import", "memory"]
"""How a sample is taken. turns: of turns in a process that goes on. All others, in a process that
is new every time. cold: of the first turn in a thread that a database has. first: of making a
contender ready and its first turn, less a later one. import: of an import. memory: of turns that
wait.
"""


class Figure(NamedTuple):
    """One kind of figure: its unit, how many digits after the point, and how it is taken."""

    unit: str
    digits: int
    probe: Probe = "turns"
    more_is_better: bool = False


FIGURES: Final = {
    "cpu_ms": Figure("CPU ms per turn", 1),
    "cold_ms": Figure("CPU ms of the turn", 1, "cold"),
    "wall_ms": Figure("ms on the clock per turn", 0),
    "turns_per_s": Figure("turns per second", 0, more_is_better=True),
    "first_s": Figure("CPU s", 2, "first"),
    "import_s": Figure("CPU s", 2, "import"),
    "kb": Figure("kB per turn", 0, "memory"),
}


class Aim(NamedTuple):
    """What a figure should come to.

    title: of its line in the table of aims. most: how many times the yardstick's figure at most
    (at least, where more is better); or the figure itself, where it is `absolute`. before: where
    the first build stood, as a reader should see it.
    """

    title: str
    most: float
    before: str = ""
    absolute: bool = False


class Entry(NamedTuple):
    """A contender, and how its setting differs from the plain one.

    stored: whether it stores its conversations in SQLite. requests: how many requests it sends for
    a turn, where these are not the case's. frozen: whether what was imported is hidden from
    Python's garbage collector (`gc.freeze()`), as servers do.
    """

    contender: str
    setting: Mapping[str, Any] = {}
    stored: bool = False
    requests: int | None = None
    frozen: bool = False
    aim: Aim | None = None
    imports: tuple[str, str] = ("", "")
    """Of an import: the module, and the name."""


@dataclass(frozen=True)
class Case:
    """One comparison.

    yardstick: the case and the entry whose figure is 1; the hand loop of this case by default.
    turns: how many turns make a sample. requests: how many requests a turn sends. apart: whether
    its contenders have processes that they share with no other case. rounds: at most so many.
    """

    name: str
    title: str
    entries: Mapping[str, Entry]
    figure: str = "cpu_ms"
    scenario: str = "calls-1"
    yardstick: tuple[str, str] | None = None
    turns: int = 20
    at_once: int = 1
    requests: int = 2
    apart: bool = False
    rounds: int | None = None

    @property
    def measured_by(self) -> tuple[str, str]:
        """The case and the entry whose figure is 1."""
        return self.yardstick or (self.name, HAND)

    @property
    def kind(self) -> Figure:
        """What its figures are."""
        return FIGURES[self.figure]


def setting_of(case: Case, entry: Entry, origin: str, folder: Path) -> Setting:
    """The setting of `entry`, with a path of its own by which the server counts its requests."""
    base_url = f"{origin}/{case.scenario}/{folder.name}/v1"
    return Setting(base_url, folder=folder if entry.stored else None, **entry.setting)
