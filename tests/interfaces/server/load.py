"""Many streams at once: each complete and billed; memory and waiting times are printed.

`make server-load` runs it: python -m tests.interfaces.server.load [CLIENTS]
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import quantiles

import aiohttp

from tests.interfaces.server.test_command import COMMAND, free_port, until_up
from turngraph.billing.ledger import Ledger
from turngraph.scripted import Say, ScriptedModel

WORDS = 20


def memory_mb(process: "subprocess.Popen[bytes]") -> float:
    """The resident memory of a process, on Linux."""
    status = Path(f"/proc/{process.pid}/status").read_text("utf-8")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


async def stream(session: aiohttp.ClientSession, url: str, account: int) -> float:
    """Reads one stream to its end. Returns the seconds to its first word."""
    body = {
        "model": "m",
        "stream": True,
        "max_tokens": 100,
        "messages": [{"role": "user", "content": f"Question {account}"}],
    }
    began, first, last = time.monotonic(), 0.0, ""
    async with session.post(f"{url}/v1/chat/completions", json=body) as answer:
        assert answer.status == 200, await answer.text()
        async for line in answer.content:
            text = line.decode().strip()
            if not first and '"content":"w' in text:
                first = time.monotonic() - began
            last = text or last
    assert last == "data: [DONE]", last
    return first


async def crowd(url: str, clients: int) -> list[float]:
    """Opens `clients` streams at the same time."""
    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=600)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        return await asyncio.gather(*(stream(session, url, n) for n in range(clients)))


def main(clients: int) -> None:
    """Starts a server with a database, and prints what the crowd has met."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ScriptedModel(responder=lambda prompt: Say("word " * WORDS), delay_s=0.02) as model,
    ):
        file, database = Path(folder) / "turngraph.toml", f"sqlite:///{folder}/turns.db"
        file.write_text(
            f'[server]\nturns_at_once = {clients}\n[store]\ndatabase = "{database}"\n'
            f'[models.m]\nmodel = "m"\nprovider = {{base_url = "{model.base_url}", proxy = ""}}\n'
            'prices = {"custom:m" = {input = "1", output = "2"}}\n'
        )
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        process = subprocess.Popen(
            [COMMAND, "serve", str(file), "--port", str(port)], stderr=subprocess.DEVNULL
        )
        try:
            until_up(url, process)
            asyncio.run(crowd(url, 10))
            before, began = memory_mb(process), time.monotonic()
            firsts = asyncio.run(crowd(url, clients))
            seconds, after = time.monotonic() - began, memory_mb(process)
        finally:
            process.terminate()
            process.wait(60)
        with Ledger(database) as ledger:
            billed, wrong = ledger.total().attempts, ledger.verify()
        assert (billed, wrong) == (clients + 10, []), (billed, wrong)
    cuts = quantiles(firsts, n=100)
    print(
        f"{clients} streams of {WORDS} words in {seconds:.1f} s, each complete and billed once; "
        f"first word after {cuts[49]:.2f} s (p50) and {cuts[98]:.2f} s (p99); "
        f"{(after - before) * 1024 / clients:.0f} KiB of memory a stream"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
