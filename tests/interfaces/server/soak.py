"""The server under a steady load: nothing may grow, and SIGTERM in the middle cuts nobody off.

`make server-soak SECONDS=600` runs it: python -m tests.interfaces.server.soak SECONDS. Sampled are
resident memory, open descriptors, tasks and the lag of the event loop. Through the samples after
the first third, in which caches fill, goes a straight line; a figure grows if the line rises by
more than four standard errors and by more than its tolerance. Linux alone.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Final

import aiohttp

from tests.interfaces.server.test_command import free_port, until_up
from turngraph.billing.ledger import Ledger
from turngraph.scripted import Say, ScriptedModel
from turngraph.scripted.prompt import Answer, Prompt

CLIENTS: Final = 4
"""Of each kind: half of them read streams, half whole answers."""
LAST: Final = 40
"""Streams that run when the server is told to stop."""
DRAIN_S: Final = 2
LONG: Final = "long"
TOLERANCES: Final = {"memory_kib": 8192.0, "descriptors": 8.0, "tasks": 8.0, "lag_ms": 20.0}
ERRORS: Final = 4.0
BEGINNING: Final = 1 / 3


@dataclass(frozen=True)
class Line:
    """A straight line through samples that were taken at even distances."""

    rise: float
    """From the first sample to the last."""
    error: float
    """The standard error of the rise."""


def line_through(samples: list[float]) -> Line:
    """Fits the line by least squares.

    >>> line_through([1, 2, 3, 4])
    Line(rise=3.0, error=0.0)
    """
    middle, level = (len(samples) - 1) / 2, mean(samples)
    spread = sum((n - middle) ** 2 for n in range(len(samples)))
    slope = sum((n - middle) * (each - level) for n, each in enumerate(samples)) / spread
    rest = sum((each - level - slope * (n - middle)) ** 2 for n, each in enumerate(samples))
    error = (rest / (len(samples) - 2) / spread) ** 0.5
    return Line(slope * (len(samples) - 1), error * (len(samples) - 1))


def answer(prompt: Prompt) -> Answer:
    """Many words to whoever asks for a long answer."""
    return Say("word " * (400 if LONG in prompt.question else 10))


async def ask(session: aiohttp.ClientSession, url: str, text: str, *, stream: bool) -> str:
    """Asks once. Returns the last line of the answer."""
    body = {"model": "m", "stream": stream, "messages": [{"role": "user", "content": text}]}
    async with session.post(f"{url}/v1/chat/completions", json=body) as got:
        text = await got.text()
        # A server that stops tells a stream that has not begun so by its status.
        assert got.status == 200 or "server_stopping" in text, text
        lines = [line for line in text.splitlines() if line]
    return lines[-2] if lines[-1] == "data: [DONE]" and '"error"' in lines[-2] else lines[-1]


async def sample(session: aiohttp.ClientSession, url: str, pid: int) -> dict[str, float]:
    """What the server holds now."""
    async with session.get(f"{url}/inside") as got:
        inside: dict[str, float] = await got.json()
    return {**resources(pid), **inside}


def resources(pid: int) -> dict[str, float]:
    """Memory and descriptors of a process."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    memory = float(status.partition("VmRSS:")[2].split()[0])
    return {"memory_kib": memory, "descriptors": len(os.listdir(f"/proc/{pid}/fd"))}


async def load(url: str, pid: int, seconds: float) -> tuple[int, list[dict[str, float]]]:
    """Keeps the clients busy. Returns how many turns there were, and the samples."""
    ends_at, turns = time.monotonic() + seconds, 0
    samples: list[dict[str, float]] = []

    async def client(session: aiohttp.ClientSession, *, stream: bool) -> None:
        nonlocal turns
        while time.monotonic() < ends_at:
            last = await ask(session, url, "Hi", stream=stream)
            assert last == "data: [DONE]" if stream else '"finish_reason":"stop"' in last, last
            turns += 1
            await asyncio.sleep(0.1)

    async def watch(session: aiohttp.ClientSession) -> None:
        while time.monotonic() < ends_at:
            samples.append(await sample(session, url, pid))
            await asyncio.sleep(seconds / 120)

    async with aiohttp.ClientSession() as session:
        kinds = [client(session, stream=n % 2 == 0) for n in range(2 * CLIENTS)]
        await asyncio.gather(watch(session), *kinds)
    return turns, samples


async def last_load(url: str, process: "subprocess.Popen[bytes]") -> tuple[int, int]:
    """Ends the server under streams. Returns how many were complete, and how many were told."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        texts = [LONG if n % 2 else "Hi" for n in range(LAST)]
        asked = [asyncio.create_task(ask(session, url, each, stream=True)) for each in texts]
        while (await sample(session, url, process.pid))["tasks"] < LAST:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        ends = await asyncio.gather(*asked)
    told = sum('"error"' in end for end in ends)
    complete = sum(end == "data: [DONE]" for end in ends)
    assert told + complete == LAST, [end for end in ends if end != "data: [DONE]"][:3]
    return complete, told


def grown(samples: list[dict[str, float]]) -> list[str]:
    """The figures that grow. Prints all of them."""
    found: list[str] = []
    settled = samples[int(len(samples) * BEGINNING) :]
    for name, tolerance in TOLERANCES.items():
        figures = [each[name] for each in settled]
        line = line_through(figures)
        print(
            f"{name}: {mean(figures):.1f} on average, rises by {line.rise:.1f} ± {line.error:.1f}"
        )
        if line.rise > max(ERRORS * line.error, tolerance):
            found.append(name)
    return found


def main(seconds: float) -> None:
    """Runs the server, the load and the end, and says what it found."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ScriptedModel(responder=answer, delay_s=0.01) as model,
    ):
        file, database = Path(folder) / "turngraph.toml", f"sqlite:///{folder}/turns.db"
        file.write_text(
            f'[server]\ndrain_seconds = {DRAIN_S}\n[store]\ndatabase = "{database}"\n'
            f'[models.m]\nmodel = "m"\nprovider = {{base_url = "{model.base_url}", proxy = ""}}\n'
            'prices = {"custom:m" = {input = "1", output = "2"}}\n'
        )
        port = free_port()
        url, inside = f"http://127.0.0.1:{port}", "tests.interfaces.server.seen_from_inside"
        command = [sys.executable, "-m", inside, str(file), str(port)]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            until_up(url, process)
            turns, samples = asyncio.run(load(url, process.pid, seconds))
            found = grown(samples)
            complete, told = asyncio.run(last_load(url, process))
            # uvicorn ends by the signal itself, once all is closed.
            assert process.wait(60) == -signal.SIGTERM, process.returncode
        finally:
            process.kill()
            process.wait()
        with Ledger(database) as ledger:
            ledger.sweep()
            assert ledger.verify() == []
            attempts = ledger.total().attempts
            assert turns + complete <= attempts <= turns + LAST, (attempts, turns, complete)
    print(f"{turns} turns in {seconds:.0f} s, {len(samples)} samples, each turn billed once")
    print(f"SIGTERM under {LAST} streams: {complete} complete, {told} told that the server stops")
    print(json.dumps({"load": os.getloadavg()}))
    assert not found, f"these grow: {', '.join(found)}"


if __name__ == "__main__":
    main(float(sys.argv[1]))
