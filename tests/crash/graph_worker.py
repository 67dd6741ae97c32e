"""A worker that runs a whole turn through the graph: two calls, two parallel tools with a side
effect, a checkpointer.

Its moments are those of the ledger, and besides: every event of the turn (each piece of a stream
too), each write of the checkpointer before and after, each tool before and after its side effect.
"""

import asyncio
import os
import signal
import sqlite3
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import aiosqlite
from langchain_core.tools import BaseTool, tool
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from tests.crash.moments import Moments
from tests.crash.protections import leave_out
from tests.crash.stub import stub
from tests.crash.wire import watch_the_wire, watched
from tests.crash.worker import PRICES, Job, ledger_of
from turngraph.billing.errors import FencedError, LedgerUnavailableError, TurnConflictError
from turngraph.billing.ledger import Ledger
from turngraph.billing.pricing.overrides import ToolPrice
from turngraph.graphs.chat import chat_turn
from turngraph.graphs.strict_serde import with_strict_serde
from turngraph.graphs.turn_graph import TurnGraph
from turngraph.interfaces.gateway import ahandler, handler
from turngraph.providers.config import ProviderConfig
from turngraph.providers.openai_provider import OpenAIProvider
from turngraph.providers.wire.loop_thread import LOOP_THREAD
from turngraph.state.events import RequestSent
from turngraph.state.turn import TurnOutput
from turngraph.tools import running

WITH_TOOLS: Final = replace(
    PRICES, tools=(ToolPrice(tool="calculator", usd_per_call=Decimal("0.001")),)
)
KINDS: Final = ["human", "ai", "tool", "tool", "ai"]
"""The question, the calls, two results, the answer."""
_QUESTION: Final = "What is 6*7?"
How = Literal["", "parent", "gateway"]
Tell = Callable[[Any], None]


@dataclass(frozen=True)
class GraphRun:
    """How the graph is run: in tasks or not, how durable its checkpoints are, in how many steps,
    and by whom: by a caller, as a node of a parent graph, or by the gateway's handler.

    `stops` says that it is not killed at its moment but cancelled (in tasks), or interrupted as
    Ctrl-C does; it unwinds, and then its process ends as if killed. `away` says that the database
    does not answer from the first request on.
    """

    tasks: bool = False
    durability: Literal["sync", "async", "exit"] = "sync"
    steps: Literal["each", "one"] = "each"
    checkpoints: bool = True
    how: How = ""
    stops: bool = False
    away: bool = False

    def __call__(self, job: Job, moment: Moments) -> None:
        """Submit the turn; submitted again after a crash, it resumes, or is found finished."""
        leave_out(job.without)
        watch_the_wire(urlsplit(job.url).port or 0, moment)
        try:
            self.walk(job, moment)
        except (FencedError, TurnConflictError):
            moment("fenced")
        except (asyncio.CancelledError, KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGKILL)
        except LedgerUnavailableError:
            if not self.away:
                raise

    def walk(self, job: Job, moment: Moments) -> None:
        """The same, unwatched and unforgiving."""
        asyncio.run(self._in_tasks(job, moment)) if self.tasks else self._in_threads(job, moment)

    def _in_threads(self, job: Job, moment: Moments) -> None:
        if self.stops:
            moment.act = lambda: os.kill(os.getpid(), signal.SIGINT)
        with ledger_for(job, moment, away=self.away) as (ledger, tell), saver(job, moment) as kept:
            graph = self._graph(job, moment, ledger, kept if self.checkpoints else None, tell)
            for _ in range(3):
                if self._once(graph, job, moment):
                    return
        raise RuntimeError("the turn does not come to its end")

    def _once(self, graph: Any, job: Job, moment: Moments) -> bool:
        given, config = given_for(job)
        if self.how == "gateway":
            answer = handler(
                graph, {"session_key": job.turn, "input_text": _QUESTION}, turn_id=job.turn
            )
            moment("answered")
            return served(answer)
        if self.how == "parent":
            past = graph.get_state(config)
            if "result" in past.values:
                return True
            given = given if past.created_at is None else None
        return graph.invoke(given, config, **self._durable).get("result") is not None

    async def _in_tasks(self, job: Job, moment: Moments) -> None:
        if self.stops:
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            assert task is not None, "it runs in a task"
            moment.act = lambda: loop.call_soon_threadsafe(task.cancel)
        with ledger_for(job, moment, away=self.away) as (ledger, tell):
            async with asaver(job, moment) as kept:
                graph = self._graph(job, moment, ledger, kept if self.checkpoints else None, tell)
                for _ in range(3):
                    if await self._aonce(graph, job, moment):
                        return
        raise RuntimeError("the turn does not come to its end")

    async def _aonce(self, graph: Any, job: Job, moment: Moments) -> bool:
        given, config = given_for(job)
        if self.how == "gateway":
            answer = await ahandler(
                graph, {"session_key": job.turn, "input_text": _QUESTION}, turn_id=job.turn
            )
            moment("answered")
            return served(answer)
        return (await graph.ainvoke(given, config, **self._durable)).get("result") is not None

    @property
    def _durable(self) -> dict[str, Any]:
        return {"durability": self.durability} if self.checkpoints else {}

    def _graph(self, job: Job, moment: Moments, ledger: Ledger, kept: Any, tell: Tell) -> Any:
        if self.how != "parent":
            return turn_of(job, moment, ledger, kept, tell, steps=self.steps)
        parent = StateGraph(TurnOutput)
        parent.add_node("before", lambda state: moment("the parent's own node"))
        parent.add_node("turn", turn_of(job, moment, ledger, None, tell))
        parent.add_node("after", lambda state: moment("the parent's own node"))
        for one, other in pairwise((START, "before", "turn", "after", END)):
            parent.add_edge(one, other)
        return parent.compile(with_strict_serde(kept))


def served(answer: dict[str, Any]) -> bool:
    """Whether the handler's answer is the turn's. Raises where it is none."""
    if answer["statusCode"] != 200:
        raise RuntimeError(f"the handler answered {answer['statusCode']}: {answer['body']}")
    return True


def given_for(job: Job) -> tuple[Any, Any]:
    """The turn's input, and the thread it is for."""
    return {"messages": [("user", _QUESTION)], "turn_id": job.turn}, {
        "configurable": {"thread_id": job.turn}
    }


@contextmanager
def ledger_for(job: Job, moment: Moments, *, away: bool = False) -> Iterator[tuple[Ledger, Tell]]:
    """The worker's ledger, and who is told of the turn's events."""
    gone = threading.Event()

    def refuse(*_: Any) -> None:
        if gone.is_set():
            raise OperationalError("BEGIN", None, ConnectionError("the database is away"))

    def tell(happened: Any) -> None:
        moment(type(happened).__name__)
        if away and isinstance(happened, RequestSent):
            gone.set()

    with ledger_of(job, *([()] if away else [])) as ledger:
        # Opens the database as a turn does, with another try where a busy machine took too long.
        ledger.list_budgets()
        event.listen(ledger.store.engine, "begin", refuse)
        moment.watch(ledger.store.engine)
        yield ledger, tell


def turn_of(
    job: Job,
    moment: Moments,
    ledger: Ledger,
    checkpointer: Any,
    tell: Tell,
    steps: Literal["each", "one"] = "each",
) -> TurnGraph:
    """The turn every worker runs."""
    model = "-".join(filter(None, ("stub-1", job.trouble)))
    config = ProviderConfig(
        vendor="openai", model=model, base_url=job.url, api_key="none", api="chat"
    )
    turn = chat_turn(
        watched(OpenAIProvider(config), moment),
        tools=[side_effect(job, moment)],
        prices=WITH_TOOLS if job.once else PRICES,
        ledger=ledger,
        stream=job.stream,
        checkpointer=checkpointer,
        steps=steps,
        on_event=tell,
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
        with job.effects.open("a") as file:
            file.write(f"{job.turn} {expression}\n")
        moment("tool had its effect")
        return "42"

    calculator.metadata = {"idempotent": not job.once}
    return calculator


@contextmanager
def saver(job: Job, moment: Moments) -> Iterator[Any]:
    """Checkpoints beside the ledger: in SQLite, or in the same PostgreSQL."""
    if job.database.startswith("sqlite"):
        conn = sqlite3.connect(
            job.checkpoints, check_same_thread=False, timeout=60, factory=_connection(moment)
        )
        try:
            yield SqliteSaver(conn)
        finally:
            conn.close()
    else:
        with PostgresSaver.from_conn_string(job.database) as kept:
            kept.setup()
            yield _watched(kept, moment)


def _connection(moment: Moments) -> type[sqlite3.Connection]:
    """A connection with a moment before and after each commit. A turn has savers of its own on it,
    whose methods are not those of the saver that it was given.
    """

    class Watched(sqlite3.Connection):
        def commit(self) -> None:
            if not self.in_transaction:
                return
            moment("COMMIT of a checkpoint")
            super().commit()
            moment("checkpointer after a commit")

    return Watched


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


@asynccontextmanager
async def asaver(job: Job, moment: Moments) -> AsyncIterator[Any]:
    """The same for tasks."""
    if job.database.startswith("sqlite"):
        opened = aiosqlite.connect(job.checkpoints, timeout=60, factory=_connection(moment))
        async with opened as conn:
            yield AsyncSqliteSaver(conn)
    else:
        async with AsyncPostgresSaver.from_conn_string(job.database) as kept:
            await kept.setup()
            yield _awatched(kept, moment)


def _awatched(kept: Any, moment: Moments) -> Any:
    for name in ("aput", "aput_writes"):
        setattr(kept, name, _abetween(getattr(kept, name), name, moment))
    return kept


def _abetween(write: Callable[..., Any], name: str, moment: Moments) -> Callable[..., Any]:
    async def writes(*given: Any, **named: Any) -> Any:
        moment(f"checkpointer before {name}")
        done = await write(*given, **named)
        moment(f"checkpointer after {name}")
        return done

    return writes


def whole(job: Job, _: Moments) -> None:
    """Raises unless the thread has its finished turn, with every message once."""
    config = given_for(job)[1]
    with ledger_for(job, Moments()) as (ledger, tell), saver(job, Moments()) as kept:
        values = turn_of(job, Moments(), ledger, kept, tell).get_state(config).values
    found = [message.type for message in values.get("messages", [])]
    if values.get("result") is None or found != KINDS:
        raise RuntimeError(f"{job.turn}: {found}, result {values.get('result')!r}")


def warm_up() -> None:
    """Run a turn here, before any worker is forked: what is imported now is not imported by each of
    them again.
    """
    # No thread may stay beside a fork: those of tools end with their call.
    running.MAX_IDLE = 0  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as folder, stub(Path(folder)) as (url, _):
        for number, run in enumerate((GraphRun(), GraphRun(tasks=True), GraphRun(how="gateway"))):
            job = Job(
                turn=f"warm{number}",
                url=f"{url}/v1",
                database=f"sqlite:///{folder}/l.db",
                checkpoints=f"{folder}/c",
            )
            run.walk(job, Moments())
    LOOP_THREAD.stop()
    others = [
        thread.name for thread in threading.enumerate() if thread is not threading.main_thread()
    ]
    if others:
        raise RuntimeError(f"forking beside these threads is not safe: {others}")
