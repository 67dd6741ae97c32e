"""A worker that runs a whole turn through the graph: two calls, two parallel tools with a side effect, a checkpointer.

Its moments are those of the ledger, and besides: every event of the turn (each piece of a stream too), each write of
the checkpointer before and after, each tool before and after its side effect.
"""

import asyncio
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import aiosqlite
from langchain_core.tools import BaseTool, tool
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from moments import Moments
from stub import stub
from worker import BUDGETS, Job

from turngraph.billing import Ledger, PriceOverride, Prices
from turngraph.billing.errors import FencedError, TurnConflictError
from turngraph.billing.rates import Rate, Rates
from turngraph.graphs import TurnGraph, chat_turn
from turngraph.providers import OpenAIProvider, ProviderConfig

RATE: Final = Rate(usd_per_mtok=Decimal(1))
PRICES: Final = Prices(
    overrides=(PriceOverride(vendor="openai", model="stub-1", rates=Rates(input=RATE, output=RATE)),)
)
KINDS: Final = ["human", "ai", "tool", "tool", "ai"]
"""The question, the calls, two results, the answer."""


@dataclass(frozen=True)
class GraphRun:
    """How the graph is run: in tasks or not, and how durable its checkpoints are."""

    tasks: bool = False
    durability: str = "sync"

    @property
    def behind(self) -> bool:
        """Whether checkpoints may be lost: an answer may then be asked for, and paid for, again."""
        return self.durability != "sync"

    def __call__(self, job: Job, moment: Moments) -> None:
        """Submit the turn; submitted again after a crash, it resumes, or is found finished."""
        try:
            asyncio.run(_arun(job, moment, self.durability)) if self.tasks else _run(job, moment, self.durability)
        except (FencedError, TurnConflictError):
            moment("fenced")


def _given(job: Job) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"messages": [("user", "What is 6*7?")], "turn_id": job.turn}, {"configurable": {"thread_id": job.turn}}


def _run(job: Job, moment: Moments, durability: str) -> None:
    given, config = _given(job)
    with _ledger(job, moment) as ledger, saver(job, moment) as kept:
        turn = _turn(job, moment, ledger, kept)
        for _ in range(3):
            if turn.invoke(given, config, durability=durability).get("result") is not None:  # type: ignore[arg-type,call-overload]
                return
    raise RuntimeError("the turn does not come to its end")


async def _arun(job: Job, moment: Moments, durability: str) -> None:
    given, config = _given(job)
    with _ledger(job, moment) as ledger:
        async with aiosqlite.connect(job.checkpoints, timeout=30) as conn:
            turn = _turn(job, moment, ledger, _AsyncSaver(conn, moment))
            for _ in range(3):
                if (await turn.ainvoke(given, config, durability=durability)).get("result") is not None:  # type: ignore[arg-type,call-overload]
                    return
    raise RuntimeError("the turn does not come to its end")


@contextmanager
def _ledger(job: Job, moment: Moments) -> Iterator[Ledger]:
    with Ledger(job.database, budgets=BUDGETS, lease_s=job.lease_s, clock=lambda: time.time() + job.later_s) as ledger:
        moment.watch(ledger)
        yield ledger


def _turn(job: Job, moment: Moments, ledger: Ledger, checkpointer: Any) -> TurnGraph:
    config = ProviderConfig(vendor="openai", model="stub-1", base_url=job.url, api_key="none", api="chat")
    turn = chat_turn(
        OpenAIProvider(config),
        tools=[side_effect(job, moment)],
        prices=PRICES,
        ledger=ledger,
        stream=job.stream,
        checkpointer=checkpointer,
        on_event=lambda event: moment(type(event).__name__),
    )
    if job.without == "fence":
        turn.checkpointer = checkpointer  # as it would be if nobody asked whose turn it is
    return turn


def side_effect(job: Job, moment: Moments) -> BaseTool:
    """A tool that leaves a trace, with a moment before and after."""

    @tool
    def calculator(expression: str) -> str:
        """Calculates."""
        moment("tool entered")
        with Path(job.checkpoints).with_suffix(".effects").open("a") as file:
            file.write(f"{job.turn} {expression}\n")
        moment("tool had its effect")
        return "42"

    return calculator


@contextmanager
def saver(job: Job, moment: Moments) -> Iterator[Any]:
    """Checkpoints beside the ledger: in SQLite, or in the same PostgreSQL."""
    if job.database.startswith("sqlite"):
        conn = sqlite3.connect(job.checkpoints, check_same_thread=False, timeout=30)
        try:
            yield _watched(SqliteSaver(conn), moment)
        finally:
            conn.close()
    else:
        with PostgresSaver.from_conn_string(job.database) as kept:
            kept.setup()
            yield _watched(kept, moment)


def _watched(kept: Any, moment: Moments) -> Any:
    for name in ("put", "put_writes"):
        setattr(kept, name, _between(getattr(kept, name), name, moment))
    return kept


def _between(write: Callable[..., Any], name: str, moment: Moments) -> Callable[..., Any]:
    def writes(*given: Any, **named: Any) -> Any:
        moment(f"checkpointer before {name}")
        done = write(*given, **named)
        moment(f"checkpointer after {name}")
        return done

    return writes


class _AsyncSaver(AsyncSqliteSaver):
    def __init__(self, conn: aiosqlite.Connection, moment: Moments) -> None:
        super().__init__(conn)
        self.moment = moment

    async def aput(self, *given: Any, **named: Any) -> Any:
        self.moment("checkpointer before put")
        done = await super().aput(*given, **named)
        self.moment("checkpointer after put")
        return done

    async def aput_writes(self, *given: Any, **named: Any) -> None:
        self.moment("checkpointer before put_writes")
        await super().aput_writes(*given, **named)
        self.moment("checkpointer after put_writes")


def whole(job: Job, _: Moments) -> None:
    """Raises unless the thread has its finished turn, with every message once."""
    config = _given(job)[1]
    with _ledger(job, Moments()) as ledger, saver(job, Moments()) as kept:
        values = _turn(job, Moments(), ledger, kept).get_state(config).values  # type: ignore[arg-type]
    found = [message.type for message in values.get("messages", [])]
    if values.get("result") is None or found != KINDS:
        raise RuntimeError(f"{job.turn}: {found}, result {values.get('result')!r}")


def warm_up() -> None:
    """Run a turn here, before any worker is forked: what is imported now is not imported by each of them again."""
    with tempfile.TemporaryDirectory() as folder, stub(Path(folder)) as (url, _):
        for number, run in enumerate((GraphRun(), GraphRun(tasks=True))):
            job = Job(
                turn=f"warm{number}", url=f"{url}/v1", database=f"sqlite:///{folder}/l.db", checkpoints=f"{folder}/c"
            )
            run(job, Moments())
    others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if others:
        raise RuntimeError(f"forking beside these threads is not safe: {others}")
