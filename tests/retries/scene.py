"""Workers of one server are killed while clients ask it, again and again until they are answered.

Afterwards every client has one answer, each is charged once, and nothing is left running.
"""

import asyncio
import itertools
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Final
from urllib.request import urlopen

import openai

from tests.interfaces.cli.commands import TURNGRAPH
from tests.retries.client import KINDS, Client
from tests.tenants.echo_server import LEASE_S, VENDOR_KEY, answer, free_port, write_config
from tests.tenants.findings import wrong_books
from turngraph.billing import Ledger
from turngraph.interfaces.server.request_rows import RUNNING
from turngraph.interfaces.server.tables import create_server_tables, response_t
from turngraph.scripted import ScriptedModel

ACCOUNT: Final = "local"
"""Whose all requests are where there are no keys."""


@dataclass(frozen=True)
class Report:
    """What a run has found. Each list must be empty."""

    seed: int
    turns: int
    kills: int
    tries: int
    wrong: list[str]
    missing: list[str]
    double: list[str]
    running: list[str]


def run(
    folder: Path, *, turns: int, kills: int, at_once: int, seed: int, database: str = ""
) -> Report:
    """Asks `turns` questions while workers are killed, and returns what was found.

    `database` is the URL of an empty one; by default it is an SQLite file in `folder`.
    """
    url = database or f"sqlite:///{folder}/server.db"
    with ScriptedModel(responder=answer, delay_s=0.01, api_key=VENDOR_KEY) as vendor:
        file = write_config(folder, url, vendor.base_url)
        with _server(file, folder / "server.log") as (served, process):
            asked = asyncio.run(_hammer(served, process, turns, kills, at_once, seed))
            running = _until_none_runs(url)
    tools = sum("tool" in KINDS[number % len(KINDS)] for number in range(turns))
    missing, double = wrong_books(url, {ACCOUNT: asked.answers}, tools)
    wrong = [
        f"{name}: {answers}"
        for name, answers in asked.answers.items()
        if answers != {f"You said question {name.rpartition('-')[2]}"}
    ]
    tries = sum(asked.tries.values())
    return Report(seed, turns, kills, tries, wrong, missing, double, running)


async def _hammer(
    url: str, server: "Popen[bytes]", turns: int, kills: int, at_once: int, seed: int
) -> Client:
    chance, places = random.Random(seed), asyncio.Semaphore(at_once)
    options = {"base_url": f"{url}/v1", "api_key": "none", "max_retries": 0, "timeout": 30.0}
    async with openai.AsyncOpenAI(**options) as client:  # type: ignore[arg-type]
        asker = Client(client)

        async def one(number: int) -> None:
            async with places:
                await asker.ask(number)

        asking = [asyncio.create_task(one(number)) for number in range(turns)]
        share = max(1, turns // (kills + 1))
        for _ in range(kills):
            under_way = [task for task in asking if not task.done()]
            for task in itertools.islice(asyncio.as_completed(under_way), share):
                await task
            await asyncio.sleep(chance.random())
            os.kill(chance.choice(await _until_some_serve(server)), signal.SIGKILL)
        await asyncio.gather(*asking)
    return asker


async def _until_some_serve(server: "Popen[bytes]") -> list[int]:
    """The processes that serve. On a busy machine those that replace killed ones come late."""
    while not (workers := _workers(server.pid)):
        assert server.poll() is None, "the server has ended"
        await asyncio.sleep(0.05)
    return workers


def _workers(pid: int) -> list[int]:
    """The processes that serve. Their parent also has one that looks after what they share."""
    children = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [
        each for each in children if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()
    ]


def _until_none_runs(url: str) -> list[str]:
    """The requests that are said to run when nobody asks any more, and dead ones were ended."""
    ends_at = time.monotonic() + 10 * LEASE_S
    with Ledger(url) as ledger:
        ledger.store.run(create_server_tables)
        while True:
            found = ledger.store.read(lambda tx: tx.conn.execute(response_t.select()).all())
            running = [
                f"{row.response_id} is {row.status}"
                for row in found
                if row.status in RUNNING and row.response_id.startswith("resp_")
            ]
            if not running or time.monotonic() > ends_at:
                return running
            time.sleep(0.2)


@contextmanager
def _server(config: Path, log: Path) -> Iterator[tuple[str, "Popen[bytes]"]]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as told:
        process = Popen(
            [TURNGRAPH, "serve", str(config), "--port", str(port), "--workers", "2"],
            stdout=told,
            stderr=told,
            env={**os.environ, "VENDOR_KEY": VENDOR_KEY},
        )
    try:
        ends_at = time.monotonic() + 180
        while True:
            assert process.poll() is None, log.read_text()[-4000:]
            assert time.monotonic() < ends_at, "the server has not started"
            try:
                urlopen(f"{url}/readyz", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        yield url, process
    finally:
        process.terminate()
        process.wait(60)
