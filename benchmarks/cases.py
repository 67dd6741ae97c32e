"""What is measured, as data: each case has an aim and contenders, each with its setting."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from benchmarks.floor import graph_alone, requests_alone
from benchmarks.hand_loop import hand_loop
from benchmarks.langchain_agent import langchain_agent
from benchmarks.setting import Contender, Setting
from benchmarks.turngraph_turn import turngraph_turn

__all__ = ["CASES", "HAND", "TURN", "Case", "Entry", "settings_of"]

Figure = Literal["cpu_ms", "wall_ms", "turns_per_s"]
"""Milliseconds of the client's CPU per turn; milliseconds on the clock per turn; turns per second
on the clock.
"""

HAND: Final = "hand loop on openai"
AGENT: Final = "langchain create_agent"
TURN: Final = "turngraph"


class Entry(NamedTuple):
    """A contender, and how its setting differs from the plain one.

    stored: whether it stores its conversations in SQLite. requests: how many requests it sends for
    a turn, where these are not the case's. frozen: whether what was imported is hidden from
    Python's garbage collector (`gc.freeze()`), as servers do. aim: as in `Case`, for this entry.
    """

    contender: Contender
    setting: Mapping[str, Any] = {}
    stored: bool = False
    requests: int | None = None
    frozen: bool = False
    aim: float | None = None


@dataclass(frozen=True)
class Case:
    """One comparison.

    aim: turngraph's aim: a multiple of the hand loop's figure (of case `yardstick`, or this one),
    or milliseconds. turns: how many turns make a sample. requests: how many requests a turn sends.
    """

    name: str
    title: str
    scenario: str
    entries: Mapping[str, Entry]
    aim: float
    figure: Figure = "cpu_ms"
    yardstick: str | None = None
    turns: int = 20
    at_once: int = 1
    requests: int = 2


def settings_of(case: Case, entry: Entry, origin: str, folder: Path) -> Setting:
    """The setting of `entry`, with a path of its own by which the server counts its requests."""
    base_url = f"{origin}/{case.scenario}/{folder.name}/v1"
    return Setting(base_url, folder=folder if entry.stored else None, **entry.setting)


_ALL: Final = {HAND: Entry(hand_loop), AGENT: Entry(langchain_agent), TURN: Entry(turngraph_turn)}
_LATE: Final = {"earlier": 100}
_ASYNC: Final = {"tools": "async_50ms"}
_SYNC: Final = {"tools": "sync_50ms"}

CASES: Final = (
    Case(
        "plain",
        "A turn with one tool call, nothing stored",
        "calls-1",
        {
            **_ALL,
            f"{TURN}, one step a stage": Entry(turngraph_turn, {"steps": "each"}, aim=1.3),
            "(its graph alone, doing nothing)": Entry(graph_alone, requests=0),
            "(its two requests alone)": Entry(requests_alone),
        },
        aim=0.6,
    ),
    Case(
        "sqlite",
        "The same, stored in SQLite",
        "calls-1",
        {
            AGENT: Entry(langchain_agent, stored=True),
            TURN: Entry(turngraph_turn, {"steps": "one"}, stored=True),
            f"{TURN}, one step a stage": Entry(turngraph_turn, stored=True, aim=3.0),
            f"{TURN}, with a ledger": Entry(
                turngraph_turn, {"ledger": True, "steps": "one"}, stored=True, aim=2.0
            ),
            f"{TURN}, with a ledger, one step a stage": Entry(
                turngraph_turn, {"ledger": True}, stored=True
            ),
            "(its graph alone, doing nothing)": Entry(graph_alone, stored=True, requests=0),
        },
        aim=1.2,
        yardstick="plain",
        turns=10,
    ),
    Case(
        "late",
        "The same, after 100 earlier turns in the thread",
        "calls-1",
        {
            HAND: Entry(hand_loop, _LATE),
            AGENT: Entry(langchain_agent, _LATE, stored=True),
            TURN: Entry(turngraph_turn, {**_LATE, "steps": "one"}, stored=True),
            f"{TURN}, history given by the caller": Entry(turngraph_turn, _LATE),
        },
        aim=0.12,
        turns=2,
    ),
    Case(
        "stream",
        "1000 streamed pieces, delivered to a consumer",
        "chunks-1000",
        {
            HAND: Entry(hand_loop, {"watch": "messages"}),
            AGENT: Entry(langchain_agent, {"watch": "messages"}),
            TURN: Entry(turngraph_turn, {"watch": "messages"}),
            f"{TURN}, as events": Entry(turngraph_turn, {"watch": "custom"}, aim=0.1),
        },
        aim=0.2,
        turns=2,
        requests=1,
    ),
    Case(
        "crowd",
        "64 turns at once",
        "calls-1",
        {
            **_ALL,
            f"{HAND}, gc.freeze()": Entry(hand_loop, frozen=True),
            f"{TURN}, gc.freeze()": Entry(turngraph_turn, frozen=True),
        },
        aim=2.0,
        figure="turns_per_s",
        turns=128,
        at_once=64,
    ),
    Case(
        "tools",
        "32 async tools of 50 ms in one turn",
        "calls-32",
        {name: entry._replace(setting=_ASYNC) for name, entry in _ALL.items()},
        aim=120,
        figure="wall_ms",
        turns=1,
    ),
    Case(
        "threads",
        "32 sync tools of 50 ms in one turn",
        "calls-32",
        {name: entry._replace(setting=_SYNC) for name, entry in _ALL.items()},
        aim=120,
        figure="wall_ms",
        turns=1,
    ),
)
