"""A contender's process: `python -m benchmarks.worker hand_loop`, told what to do by lines of JSON.

It reads one command a line, and answers each with a line: the figures, or what went wrong. It ends
with its input. Without the name of a contender only the standard library is imported.
"""

import asyncio
import gc
import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from benchmarks.setting import Ask, Contender, Setting

Command = dict[str, Any]
Figures = dict[str, Any]

STATM: Final = Path("/proc/self/statm")
"""Sizes of this process, in pages: the second is what stands in memory."""
POLL_S: Final = 0.25
SETTLED_POLLS: Final = 8
"""So often in a row must nothing new have come before all turns count as waiting."""


class Worker:
    """The turns that this process has opened, by the name of their cell."""

    def __init__(self, contender: Contender | None, stack: AsyncExitStack) -> None:
        self._contender, self._stack = contender, stack
        self._asks: dict[str, Ask] = {}

    async def import_name(self, command: Command) -> Figures:
        """CPU of `from module import name`."""
        before = time.process_time()
        getattr(importlib.import_module(command["module"]), command["name"])
        return {"cpu_s": time.process_time() - before}

    async def open(self, command: Command) -> Figures:
        """CPU of making the contender ready, without its imports."""
        assert self._contender is not None, "this process has no contender"
        before = time.process_time()
        setting = Setting.from_json(command["setting"])
        self._asks[command["cell"]] = await self._stack.enter_async_context(
            self._contender(setting)
        )
        return {"cpu_s": time.process_time() - before}

    async def ask(self, command: Command) -> Figures:
        """CPU and time on the clock of `turns` turns, `at_once` at a time, and their answers."""
        ask, turns, at_once = self._asks[command["cell"]], command["turns"], command["at_once"]
        gc.collect()
        if command["frozen"]:
            gc.freeze()
        cpu, wall = time.process_time(), time.perf_counter()
        if at_once == 1:
            answers = [await ask() for _ in range(turns)]
        else:
            gate = asyncio.Semaphore(at_once)
            answers = await asyncio.gather(*(_through(gate, ask) for _ in range(turns)))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        gc.unfreeze()
        return {"cpu_s": cpu, "wall_s": wall, "answers": sorted(set(answers))}

    async def hold(self, command: Command) -> Figures:
        """Bytes by which this process grows while `turns` turns wait for their last answer."""
        ask, turns = self._asks[command["cell"]], command["turns"]
        gc.collect()
        before = _resident_bytes()
        pending = {asyncio.ensure_future(ask()) for _ in range(turns)}
        try:
            await _settled(command["origin"], pending)
            grown, answers = _resident_bytes() - before, set[str]()
            while pending:
                # Turns that waited for a connection come to their last request only now.
                await asyncio.to_thread(_fetched, f"{command['origin']}/release")
                done, pending = await asyncio.wait(pending, timeout=POLL_S)
                answers |= {await one for one in done}
            return {"bytes": grown, "answers": sorted(answers)}
        finally:
            for one in pending:
                one.cancel()
            await asyncio.gather(*pending, return_exceptions=True)


async def _through(gate: asyncio.Semaphore, ask: Callable[[], Awaitable[str]]) -> str:
    async with gate:
        return await ask()


async def _settled(origin: str, pending: Collection[asyncio.Future[str]]) -> None:
    """Wait until no more requests come. Raises what a turn raised meanwhile."""
    seen: list[bytes] = []
    while len(seen) < SETTLED_POLLS or len(set(seen[-SETTLED_POLLS:])) > 1:
        await asyncio.sleep(POLL_S)
        seen.append(await asyncio.to_thread(_fetched, f"{origin}/counts"))
        for one in pending:
            if one.done():
                one.result()


def _fetched(url: str) -> bytes:
    with urlopen(url) as answer:
        content: bytes = answer.read()
        return content


def _resident_bytes() -> int:
    return int(STATM.read_text().split()[1]) * resource.getpagesize()


def contender_named(name: str) -> Contender:
    """The contender of that file in `contenders/`."""
    found: Contender = importlib.import_module(f"benchmarks.contenders.{name}").contender
    return found


async def serve(contender: Contender | None) -> None:
    """Carry out what the input says."""
    # What a contender prints goes to stderr; the answers have this stream for themselves.
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        async with AsyncExitStack() as stack:
            worker = Worker(contender, stack)
            for line in sys.stdin:
                command = json.loads(line)
                try:
                    figures = await getattr(worker, command["do"])(command)
                except Exception as error:
                    figures = {"error": f"{type(error).__name__}: {error}"}
                print(json.dumps(figures), file=answers, flush=True)


if __name__ == "__main__":
    asyncio.run(serve(contender_named(sys.argv[1]) if len(sys.argv) > 1 else None))
