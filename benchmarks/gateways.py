"""What a gateway adds to a request: turngraph's server with its ledger, LiteLLM's proxy, and a bare
reverse proxy, in front of the same stub: `make bench-gateways`, or python -m benchmarks.gateways.

Each is one process. The CPU is that of the process, so requests per CPU second are requests per
second and core, whatever else the machine does. Rounds are interleaved, in an order by a printed
seed.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

import aiohttp

LITELLM: Final = Path(__file__).parents[1] / ".gateways" / "bin" / "litellm"
ROUNDS: Final = 5
REQUESTS: Final = 120
AT_ONCE: Final = 8
WARM: Final = 20
START_S: Final = 180
KEY: Final = "sk-bench"
CHAT: Final = "/v1/chat/completions"
BODY: Final[dict[str, Any]] = {
    "model": "m",
    "messages": [{"role": "user", "content": "Hi"}],
    "max_tokens": 100,
}


@dataclass
class Gateway:
    """A process, and what it cost in every round."""

    name: str
    url: str
    process: "subprocess.Popen[bytes] | None" = None
    cpu_ms: dict[bool, list[float]] = field(default_factory=lambda: {False: [], True: []})
    first_ms: list[float] = field(default_factory=list)

    def cpu_s(self) -> float:
        """User and system time of the process so far."""
        if self.process is None:
            return 0.0
        stat = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


async def ask(session: aiohttp.ClientSession, url: str, *, stream: bool) -> float:
    """Asks once. Returns the seconds to the first word, or to the whole answer."""
    began, first = time.perf_counter(), 0.0
    headers = {"Authorization": f"Bearer {KEY}"}
    async with session.post(url + CHAT, json={**BODY, "stream": stream}, headers=headers) as got:
        assert got.status == 200, await got.text()
        content = b""
        async for part in got.content.iter_any():
            content += part
            if not first and b"word" in content:
                first = time.perf_counter() - began
    assert content.count(b"word") == 8, content[-400:]
    return first


async def sample(gateway: Gateway, *, stream: bool) -> None:
    """One figure of CPU; of streams also the waiting times of one client alone."""
    before, left = gateway.cpu_s(), iter(range(REQUESTS))
    # New connections: a gateway may be closing those that were idle while others were asked.
    async with aiohttp.ClientSession() as session:

        async def client() -> None:
            for _ in left:
                await ask(session, gateway.url, stream=stream)

        await asyncio.gather(*(client() for _ in range(AT_ONCE)))
        gateway.cpu_ms[stream].append((gateway.cpu_s() - before) / REQUESTS * 1e3)
        if stream:
            waits = [await ask(session, gateway.url, stream=True) for _ in range(WARM)]
            gateway.first_ms.append(median(waits) * 1e3)


async def measure(gateways: Sequence[Gateway], seed: int) -> None:
    """All rounds."""
    order = random.Random(seed)
    async with aiohttp.ClientSession() as session:
        for gateway in gateways:
            await until_up(session, gateway)
            for n in range(WARM):
                await ask(session, gateway.url, stream=n % 2 == 0)
    for _ in range(ROUNDS):
        for gateway in order.sample(gateways, len(gateways)):
            for stream in (False, True):
                await sample(gateway, stream=stream)


async def until_up(session: aiohttp.ClientSession, gateway: Gateway) -> None:
    """Waits until it answers."""
    ends_at = time.monotonic() + START_S
    while True:
        try:
            await ask(session, gateway.url, stream=False)
        except (aiohttp.ClientError, AssertionError):
            assert time.monotonic() < ends_at, f"{gateway.name} has not started"
            await asyncio.sleep(0.5)
        else:
            return


def litellm_config(folder: Path, stub: str) -> Path:
    """LiteLLM's, as its documentation has it; nothing is retried, logged or told to anybody."""
    file = folder / "litellm.yaml"
    params = {"model": "openai/m", "api_base": f"{stub}/v1", "api_key": "x"}
    models = [{"model_name": "m", "litellm_params": params}]
    settings = {"general_settings": {"master_key": KEY}, "litellm_settings": {"telemetry": False}}
    file.write_text(json.dumps({"model_list": models, **settings}))
    return file


def turngraph_config(folder: Path, stub: str) -> Path:
    """One turn, stored in a ledger in SQLite, with a price and a key."""
    from turngraph.billing.ledger import Ledger
    from turngraph.interfaces.server.tables import create_server_tables

    file, database = folder / "turngraph.toml", f"sqlite:///{folder}/turns.db"
    with Ledger(database) as ledger:
        ledger.store.run(create_server_tables)
    file.write_text(
        f'[store]\ndatabase = "{database}"\n[models.m]\nmodel = "m"\n'
        f'provider = {{base_url = "{stub}/v1", proxy = ""}}\n'
        'prices = {"custom:m" = {input = "1", output = "2"}}\n'
    )
    return file


def free_port() -> int:
    """A port that nobody listens on."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def started(stack: ExitStack, command: Sequence[str]) -> "subprocess.Popen[bytes]":
    """A process that ends with `stack`."""
    quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = stack.enter_context(subprocess.Popen(command, **quiet))
    stack.callback(process.terminate)
    return process


def show(gateways: Sequence[Gateway]) -> None:
    """Prints the table. The stub's own waiting time is taken from the others'."""
    direct, *others = gateways
    print("| | requests a CPU s: JSON | SSE | added ms to the first word |\n|---|--:|--:|--:|")
    for each in others:
        whole, stream = (1e3 / median(each.cpu_ms[kind]) for kind in (False, True))
        added = median(each.first_ms) - median(direct.first_ms)
        print(f"| {each.name} | {whole:.0f} | {stream:.0f} | {added:.1f} |")
    print(f"load average {os.getloadavg()}")


def main() -> None:
    """Starts everything, and measures."""
    seed = random.SystemRandom().randrange(10**6)
    print(f"{ROUNDS} rounds of {REQUESTS} requests, order by seed {seed}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stub_port, ports = free_port(), [free_port() for _ in range(3)]
        stub, proxy = f"http://127.0.0.1:{stub_port}", "benchmarks.reverse_proxy"
        started(stack, [sys.executable, "-m", proxy, str(stub_port)])
        commands = {
            "bare reverse proxy": [sys.executable, "-m", proxy, str(ports[0]), stub],
            "turngraph serve, with its ledger": [
                *(str(Path(sys.executable).with_name("turngraph")), "serve"),
                *(str(turngraph_config(folder, stub)), "--port", str(ports[1])),
            ],
        }
        if LITELLM.exists():
            config = str(litellm_config(folder, stub))
            commands["LiteLLM's proxy"] = [
                *(str(LITELLM), "--config", config, "--host", "127.0.0.1"),
                *("--port", str(ports[2]), "--num_workers", "1"),
            ]
        gateways = [Gateway("the stub itself", stub)]
        for (name, command), port in zip(commands.items(), ports, strict=False):
            gateways.append(Gateway(name, f"http://127.0.0.1:{port}", started(stack, command)))
        asyncio.run(measure(gateways, seed))
    show(gateways)


if __name__ == "__main__":
    main()
