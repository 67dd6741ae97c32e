"""What a turn stores in SQLite when it is the 10th, 100th and 1000th of its thread."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.langchain_agent import agent_in_thread
from benchmarks.setting import QUESTION, Setting
from benchmarks.turngraph_turn import turn_in_thread

__all__ = ["agent_bytes", "turn_bytes"]

_GIVEN: Any = {"messages": [{"role": "user", "content": QUESTION}]}
_THREAD: Any = {"configurable": {"thread_id": "kept"}}


async def turn_bytes(
    base_url: str, folder: Path, places: Sequence[int], tick: Callable[[], None]
) -> dict[int, float]:
    """Bytes turngraph stores per turn, by the number of the turn.

    The mean of the turns from half of that number on, because a full copy of the history is due now
    and then: what it costs belongs to all of them.
    """
    stored: list[int] = [0]
    async with turn_in_thread(Setting(base_url, folder=folder)) as turn:
        for _ in range(max(places)):
            await turn.ainvoke(_GIVEN, _THREAD)
            stored.append(bytes_in(folder / "turngraph.db"))
            tick()
    return {n: mean(stored[m] - stored[m - 1] for m in range(n // 2 + 1, n + 1)) for n in places}


async def agent_bytes(
    base_url: str, folder: Path, places: Sequence[int], tick: Callable[[], None]
) -> dict[int, float]:
    """Bytes `create_agent` stores for the turn of that number. The earlier ones are put into the
    thread in one step.
    """
    found = {}
    for n in places:
        place = folder / f"agent-{n}"
        place.mkdir()
        setting = replace(Setting(base_url, folder=place), earlier=n - 1)
        async with agent_in_thread(setting) as (agent, options):
            before = bytes_in(place / "langchain.db")
            await agent.ainvoke(_GIVEN, _THREAD, **options)
            found[n] = float(bytes_in(place / "langchain.db") - before)
            tick()
    return found


def bytes_in(database: Path) -> int:
    """The payload of a checkpoint database: checkpoints, their metadata, and the writes between
    them.
    """
    connection = sqlite3.connect(database)
    try:
        [size] = connection.execute(
            "SELECT (SELECT coalesce(sum(length(checkpoint) + length(metadata)), 0)"
            " FROM checkpoints)"
            " + (SELECT coalesce(sum(length(value)), 0) FROM writes)"
        ).fetchone()
        return int(size)
    finally:
        connection.close()
