"""Plays one fault in one form: a whole turn, with a ledger and prices, against the server."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from langchain_core.tools import tool
from sqlalchemy import text

from tests.faults.fault import Expected, Fault, Form
from turngraph.billing import Ledger, PriceOverride, Prices, Rate, Rates
from turngraph.graphs import chat_turn
from turngraph.providers import ProviderConfig, Timeouts
from turngraph.state.limits import TurnLimits
from turngraph.state.result import TurnResult

__all__ = ["Case", "Outcome", "play", "verdict"]

RATES = Rates(input=Rate(usd_per_mtok=Decimal(1)), output=Rate(usd_per_mtok=Decimal(2)))
PRICES = Prices((PriceOverride(vendor="custom", rates=RATES),))
USAGE_NANO = 100 * 1000 + 10 * 2000
"""The price of the 100 and 10 tokens of a correct answer, in nano-USD."""
SLACK_S = 20.0
"""What a busy machine may add to the time that the timeouts allow."""


@dataclass(frozen=True)
class Case:
    """A fault in one form."""

    number: int
    fault: Fault
    form: Form

    @property
    def name(self) -> str:
        """`endless 103s [chat SSE sync]`."""
        return f"{self.fault.name} [{self.form.name}]"

    @property
    def allowed_s(self) -> float:
        """The time bound: what the timeouts allow to three attempts, and the slack."""
        return 3 * self.timeouts.total_s + SLACK_S

    @property
    def timeouts(self) -> Timeouts:
        """The provider's."""
        wait_s = self.fault.patience_s
        total_s = 5 * wait_s if self.fault.total_s is None else self.fault.total_s
        return Timeouts(connect_s=wait_s, first_byte_s=wait_s, idle_s=wait_s, total_s=total_s)


@dataclass(frozen=True)
class Outcome:
    """What came of a case."""

    ends: str
    billed: str
    tools: int
    requests: int
    seconds: float
    wrong: tuple[str, ...] = ()
    """What is wrong beside that, one sentence each."""


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


add.metadata = {"idempotent": True}


def play(case: Case, urls: Mapping[str, str], requests: Mapping[int, int], folder: str) -> Outcome:
    """Runs the turn of `case` and looks at what it says and what its ledger has."""
    clock = Clock()
    fault, form = case.fault, case.form
    config = ProviderConfig(
        model="m",
        base_url=f"{urls[fault.place]}/{case.number}/v1",
        api_key="sk-planted",
        api=form.api,
        max_tokens=50,
        timeouts=case.timeouts,
    )
    started = time.monotonic()
    with Ledger(f"sqlite:///{folder}/{case.number}.db", clock=clock) as ledger:
        turn = chat_turn(
            config,
            tools=[add],
            stream=form.stream,
            ledger=ledger,
            prices=PRICES,
            limits=TurnLimits(seconds=fault.seconds),
        )
        given = {"messages": [("user", "What is 40 + 2?")]}
        out = turn.invoke(given) if form.way == "sync" else asyncio.run(turn.ainvoke(given))
        seconds = time.monotonic() - started
        result: TurnResult = out["result"]
        clock.ahead_s = 100_000.0
        ledger.sweep(PRICES)
        bills = list(_bills(ledger))
        wrong = [f"The books: {problem}" for problem in ledger.verify()]
    wrong += [why for _, why in bills if why]
    if seconds > case.allowed_s:
        wrong.append(f"It took {seconds:.0f} s of {case.allowed_s:.0f}.")
    ran = sum(run.status == "ok" for run in result.tool_runs)
    ends = result.status if result.error is None else result.error.kind
    billed = " ".join(word for word, _ in bills)
    return Outcome(ends, billed, ran, requests[case.number], seconds, tuple(wrong))


def verdict(expected: Expected, outcome: Outcome) -> list[str]:
    """Everything in which `outcome` is not what was expected; empty if it is."""
    requests = len(expected.billed.split()) if expected.requests is None else expected.requests
    pairs: dict[str, tuple[Any, Any]] = {
        "ends": (expected.ends, outcome.ends),
        "billed": (expected.billed, outcome.billed),
        "tools": (expected.tools, outcome.tools),
        "requests": (requests, outcome.requests),
    }
    wrong = [
        f"{name}: {seen!r}, not {want!r}" for name, (want, seen) in pairs.items() if want != seen
    ]
    return [*wrong, *outcome.wrong]


class Clock:
    """The ledger's clock, which can be put forward so that the sweeper closes everything."""

    ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


def _bills(ledger: Ledger) -> Iterator[tuple[str, str]]:
    """For each attempt, in order: the word for its bill, and what is wrong with the amount."""
    with ledger.store.engine.connect() as conn:
        rows = conn.execute(
            text("select * from attempt where kind = 'completion' order by created")
        )
        for row in rows.mappings():
            yield _bill({**row})


def _bill(row: Mapping[str, Any]) -> tuple[str, str]:
    amount, hold = row["charge_nano"], row["hold_nano"]
    if row["state"] == "released":
        return "nothing", "" if not amount else f"{amount} nano-USD for nothing"
    if not row["estimated"]:
        return "usage", "" if amount == USAGE_NANO else f"{amount} nano-USD for 100 and 10 tokens"
    if amount == hold:
        return "held", ""
    return "estimate", "" if 0 < amount < hold else f"{amount} of {hold} nano-USD as an estimate"


@contextmanager
def places(port: int) -> Iterator[dict[str, str]]:
    """Yields the URL of every `Place`; the server listens on `port`."""
    import socket

    with socket.socket() as refused, socket.socket() as full:
        refused.bind(("127.0.0.1", 0))  # bound, so that nobody else gets the port; never listening
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:  # Linux drops further connections without a word
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        yield {
            "server": f"http://127.0.0.1:{port}",
            "refused": f"http://127.0.0.1:{refused.getsockname()[1]}",
            "no host": "http://no-such-host.invalid",
            "tls": f"https://127.0.0.1:{port}",
            "full": f"http://127.0.0.1:{full.getsockname()[1]}",
        }
        for one in waiting:
            one.close()
