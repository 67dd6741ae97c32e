"""What a turn stores in SQLite when it is the 10th, 100th and 1000th of its thread."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from typing import Any, Final, Literal

from benchmarks.cases import AGENT, TURN
from benchmarks.contenders.langchain_agent import agent_in_thread
from benchmarks.contenders.langgraph_parts import THREAD
from benchmarks.contenders.turngraph_turn import turn_in_thread
from benchmarks.server import counted
from benchmarks.setting import QUESTION, Setting

__all__ = ["EACH", "ONE", "number_of_turns", "stored", "turn_bytes"]

ONE: Final = f"{TURN}, in one step"
EACH: Final = f"{TURN}, one step a stage"

PATH: Final = "stored"
REQUESTS: Final = 2
POLL_S: Final = 0.5

_GIVEN: Any = {"messages": [{"role": "user", "content": QUESTION}]}
_THREAD: Any = {"configurable": {"thread_id": THREAD}}
Bytes = dict[int, float]
"""Bytes per turn, by the number of the turn."""


def stored(
    origin: str, folder: Path, places: Sequence[int], seen: Callable[[int], None]
) -> dict[str, Bytes]:
    """Bytes per turn of each contender. `seen` is called with the number of turns so far.

    Bytes do not depend on who else is running, so the threads grow at the same time.
    """
    if not places:
        return {}
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        running = {
            name: pool.submit(_stored_by, name, f"{origin}/calls-1/{PATH}", folder, places)
            for name in (ONE, EACH, AGENT)
        }
        while wait(running.values(), timeout=POLL_S).not_done:
            counts = counted(origin).get(f"/calls-1/{PATH}")
            seen(0 if counts is None else counts.requests // REQUESTS)
        return {name: future.result() for name, future in running.items()}


def number_of_turns(places: Sequence[int]) -> int:
    """How far `stored` counts."""
    return 2 * max(places, default=0) + len(places)


def _stored_by(name: str, path: str, folder: Path, places: Sequence[int]) -> Bytes:
    base_url = f"{path}/v1"
    if name == AGENT:
        return asyncio.run(agent_bytes(base_url, folder, places))
    steps: Literal["each", "one"] = "one" if name == ONE else "each"
    place = folder / steps
    place.mkdir()
    return asyncio.run(turn_bytes(base_url, place, places, steps=steps))


async def turn_bytes(
    base_url: str, folder: Path, places: Sequence[int], *, steps: Literal["each", "one"]
) -> Bytes:
    """Bytes turngraph stores per turn, by the number of the turn.

    The mean of the turns from half of that number on, because a full copy of the history is due now
    and then: what it costs belongs to all of them.
    """
    sizes: list[int] = [0]
    async with turn_in_thread(Setting(base_url, folder=folder, steps=steps)) as turn:
        for _ in range(max(places)):
            await turn.ainvoke(_GIVEN, _THREAD)
            sizes.append(bytes_in(folder / "turngraph.db"))
    return {n: mean(sizes[m] - sizes[m - 1] for m in range(n // 2 + 1, n + 1)) for n in places}


async def agent_bytes(base_url: str, folder: Path, places: Sequence[int]) -> Bytes:
    """Bytes `create_agent` stores for the turn of that number. The earlier ones are put into the
    thread in one step.
    """
    found = {}
    for n in places:
        place = folder / f"agent-{n}"
        place.mkdir()
        async with agent_in_thread(Setting(base_url, folder=place, earlier=n - 1)) as agent:
            before = bytes_in(place / "langchain.db")
            await agent.ainvoke(_GIVEN, _THREAD, durability="sync")
            found[n] = float(bytes_in(place / "langchain.db") - before)
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
