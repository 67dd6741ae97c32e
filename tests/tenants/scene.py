"""Two tenants hammer two server processes on one database, while processes are killed.

Both tenants use the same idempotency keys, thread names and questions but for a word of their own,
so that whatever crossed from one to the other would be seen. What must never be seen anywhere is
planted: the tenants' keys, the vendor's key, and a secret that each tenant tells the model.
"""

import asyncio
import itertools
import os
import random
import signal
import subprocess
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.interfaces.cli.commands import TURNGRAPH
from tests.tenants.echo_server import VENDOR_KEY, answer, free_port, write_config
from tests.tenants.findings import crossed_threads, leaks, wrong_books
from tests.tenants.tenant import Tenant, secret_of
from turngraph.billing import Budget, Ledger
from turngraph.interfaces.server.keys.operations import create_key
from turngraph.interfaces.server.tables import create_server_tables
from turngraph.scripted import ScriptedModel

TENANTS: Final = ("acme", "evil")
OPERATOR: Final = "operator"
"""Who reads `/metrics`."""
TOOL_TURNS: Final = 2
"""How many turns of each tenant use a tool of the client's. Each has two calls."""
_PAUSE_S: Final = 0.1


class Servers:
    """Processes of `turngraph serve` on one configuration."""

    def __init__(self, config: Path, log: Path, count: int) -> None:
        self._config, self._log = config, log
        self.ports = [free_port() for _ in range(count)]
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, port: int) -> None:
        """Starts the process of a port, and waits until it is ready."""
        with self._log.open("ab") as log:
            self._processes[port] = subprocess.Popen(
                [TURNGRAPH, "serve", str(self._config), "--port", str(port)],
                stdout=log,
                stderr=log,
                env={**os.environ, "VENDOR_KEY": VENDOR_KEY},
            )

    def wait(self, port: int) -> None:
        """Waits until the process of a port is ready."""
        ends_at = time.monotonic() + 180
        while True:
            with suppress(OSError), urllib.request.urlopen(f"{self.url(port)}/readyz", timeout=5):
                return
            assert self._processes[port].poll() is None, self._log.read_text()[-4000:]
            assert time.monotonic() < ends_at, "the server has not started"
            time.sleep(_PAUSE_S)

    def url(self, port: int) -> str:
        return f"http://127.0.0.1:{port}"

    def kill(self, port: int) -> None:
        """Kills the process of a port, as the kernel does where memory is short."""
        self._processes[port].kill()
        self._processes[port].wait()

    def stop(self) -> None:
        """Ends all processes, in order."""
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            process.wait(60)


@dataclass(frozen=True)
class Report:
    """What a run has found. Each list must be empty."""

    turns: int
    kills: int
    tries: int
    missing: list[str]
    double: list[str]
    crossed: list[str]
    leaked: list[str]


def run(
    folder: Path, *, turns: int, kills: int, at_once: int, seed: int = 0, database: str = ""
) -> Report:
    """Plays the scene with `turns` turns of each tenant, and returns what was found.

    `database` is the URL of an empty one; by default it is an SQLite file in `folder`.
    """
    url, log = database or f"sqlite:///{folder}/server.db", folder / "server.log"
    threads_url = database or f"sqlite:///{folder}/server-threads.db"
    with ScriptedModel(responder=answer, delay_s=0.01, api_key=VENDOR_KEY) as vendor:
        keys = _prepare(url)
        servers = Servers(write_config(folder, url, vendor.base_url), log, 2)
        try:
            for port in servers.ports:
                servers.start(port)
            for port in servers.ports:
                servers.wait(port)
            served = [servers.url(port) for port in servers.ports]
            tenants = [Tenant(name, keys[name], served) for name in TENANTS]
            chance = random.Random(seed)
            asyncio.run(_hammer(tenants, servers, turns, kills, at_once, chance))
            pages = [text for one in served for text in _pages(one, keys[OPERATOR])]
        finally:
            servers.stop()
    answers = {tenant.name: tenant.answers for tenant in tenants}
    missing, double = wrong_books(url, answers, TOOL_TURNS)
    planted = {"the vendor's key": VENDOR_KEY, **{f"the key of {k}": v for k, v in keys.items()}}
    said = {name: secret_of(name) for name in TENANTS}
    return Report(
        turns=turns * len(tenants),
        kills=kills,
        tries=sum(tenant.tries.total() for tenant in tenants),
        missing=missing,
        double=double,
        crossed=[*_crossed(tenants), *crossed_threads(threads_url, said)],
        leaked=leaks(folder, [url, threads_url], pages, planted, said),
    )


def _crossed(tenants: list[Tenant]) -> list[str]:
    """Answers that are not what their own tenant has said, or that differ between two tries."""
    found: list[str] = []
    for tenant in tenants:
        for key, answers in tenant.answers.items():
            number = key.rpartition("-")[2]
            before = "done " if key.startswith("tool") else ""
            if answers != {f"You said {before}{number} {secret_of(tenant.name)}"}:
                found.append(f"{tenant.name} {key}: {answers}")
    return found


async def _hammer(
    tenants: list[Tenant],
    servers: Servers,
    turns: int,
    kills: int,
    at_once: int,
    chance: random.Random,
) -> None:
    places = asyncio.Semaphore(at_once)

    async def one(tenant: Tenant, number: int) -> None:
        async with places:
            await tenant.ask(number, chance)

    asking = [
        asyncio.create_task(one(tenant, number)) for number in range(turns) for tenant in tenants
    ]
    for _ in range(kills):
        under_way = [task for task in asking if not task.done()]
        share = max(1, len(asking) // (kills + 1))
        for task in itertools.islice(asyncio.as_completed(under_way), share):
            await task
        port = chance.choice(servers.ports)
        servers.kill(port)
        servers.start(port)
    await asyncio.gather(*asking)
    for port in servers.ports:
        await asyncio.to_thread(servers.wait, port)
    again = [tenant.use_tool(number) for number in range(TOOL_TURNS) for tenant in tenants]
    await asyncio.gather(*again)


def _prepare(url: str) -> dict[str, str]:
    """Creates a key for each tenant, and a budget. Returns the keys."""
    with Ledger(url) as ledger:
        ledger.store.run(create_server_tables)
        ledger.set_budget(Budget(usd="10", per="account"))
        given: Any = {"name": "", "scopes": ("models", "tools"), "models": None, "valid_s": None}
        made = {name: ledger.store.run(create_key, account=name, **given) for name in TENANTS}
        given["scopes"] = ("reports",)
        made[OPERATOR] = ledger.store.run(create_key, account=OPERATOR, **given)
    return {name: each.key for name, each in made.items()}


def _pages(url: str, key: str) -> list[str]:
    """What a server shows beside its answers."""
    texts: list[str] = []
    for path in ("/metrics", "/openapi.json", "/readyz"):
        request = urllib.request.Request(url + path, headers={"Authorization": f"Bearer {key}"})
        with urllib.request.urlopen(request) as page:
            texts.append(page.read().decode())
    return texts
