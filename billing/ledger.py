"""The ledger: runs the operations of this room in transactions, on SQLite or PostgreSQL, sync and
async.

>>> from turngraph.billing.store.attempts import reserve
>>> from turngraph.billing.store.calls import Call
>>> from decimal import Decimal
>>> with Ledger("sqlite://") as ledger:
...     ledger.do(reserve, Call(vendor="openai", model="gpt-5"), reservation="r", usd=Decimal("0.02"))
Reservation(id='r', held_usd=Decimal('0.02'))
"""

import asyncio
import contextlib
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, Self, TypeVar, cast

from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

from turngraph.billing.errors import LedgerError, LedgerUnavailableError
from turngraph.billing.leases.lease_renewer import LeaseRenewer
from turngraph.billing.store.attempts import answer, mark_unknown, release
from turngraph.billing.store.budgets import Budget
from turngraph.billing.store.calls import AttemptResponse, Released, Settlement, UnknownOutcome
from turngraph.billing.store.database import READ, is_in_memory, open_engine
from turngraph.billing.store.migrations import migrate
from turngraph.billing.store.settlement import settle
from turngraph.billing.store.spool import Spool, spool_beside
from turngraph.billing.store.transaction import Tx
from turngraph.billing.store.urls import parse_url, told
from turngraph.state.base import Frozen

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

__all__ = ["Ledger"]

_log: Final = logging.getLogger("turngraph.billing")

P = ParamSpec("P")
T = TypeVar("T")
V = TypeVar("V", bound=Frozen)

SPOOLED: Final[Mapping[str, tuple[Callable[[Tx, Any], object], type[Frozen]]]] = {
    "answer": (answer, AttemptResponse),
    "mark_unknown": (mark_unknown, UnknownOutcome),
    "release": (release, Released),
    "settle": (settle, Settlement),
}
"""What `keep` may be given: operations that tell what happened, and cannot be asked again later."""

_SLEPT: Final = "25P03"
"""SQLSTATE of a session that PostgreSQL ended because its client slept in a transaction, of which
nothing was kept (https://www.postgresql.org/docs/current/errcodes-appendix.html).
"""

_WAITS_S: Final = (0.02, 0.1, 0.5, 2.0)
"""Between tries of a transaction whose database was locked, restarting or gone."""


class Ledger:
    """Money, kept: one row a wire attempt, one net charge an attempt.

    `url` is SQLAlchemy's: `sqlite:///turns.db`, `postgresql://user@host/db`. `owner` names this
    worker and must be its own. `lease_s` is how long a silent worker is believed in. `spool` is a
    folder for what could not be written because the database was away; it is played back when the
    ledger is opened again.

    The tables are made, or brought up to date, at the first use. A ledger may be used from many
    threads and tasks.
    """

    def __init__(
        self,
        url: str = "sqlite:///turngraph.db",
        *,
        budgets: tuple[Budget, ...] = (),
        owner: str | None = None,
        lease_s: float = 60.0,
        spool: str | Path | None = None,
        clock: Callable[[], float] = time.time,
        waits_s: tuple[float, ...] = _WAITS_S,
    ) -> None:
        parse_url(url)
        self.url, self.budgets, self.lease_s = url, budgets, lease_s
        self.owner = owner or f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self.spool = Spool(spool_beside(url) if spool is None else Path(spool))
        self.now, self._waits_s = clock, waits_s
        self.keeper = LeaseRenewer(self)
        self._engine: Engine | None = None
        self._opening = threading.Lock()
        self._spooled, self._catching_up = True, threading.Lock()  # by an earlier process, perhaps
        # SQLite has one writer: waiting here is fair and cheap, where its own waiting is a poll.
        self._gate: contextlib.AbstractContextManager[object] = (
            threading.RLock() if url.startswith("sqlite") else contextlib.nullcontext()
        )
        self._read_gate = self._gate if is_in_memory(url) else contextlib.nullcontext()
        # Threads of our own: the default executor may be full of slow tools, and money must not
        # wait for those.
        self._threads = ThreadPoolExecutor(
            1 if url.startswith("sqlite") else 8, thread_name_prefix="ledger"
        )

    def do(self, op: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `op` in one transaction, again if the database was away for a moment or another
        worker came between.

        Raises what `op` raises (then nothing was written), and `LedgerUnavailableError` when it
        stays away.
        """
        if self._spooled:
            self._catch_up()
        return self._run(False, lambda tx: op(tx, *args, **kwargs))

    def _catch_up(self) -> None:
        """What was spooled is written first: an answer among it would be paid for again."""
        with self._catching_up:
            if self._spooled:
                self.play_back()
                self._spooled = False

    def read(self, op: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for what only reads: it sees one moment, and no writer waits for it."""
        return self._run(True, lambda tx: op(tx, *args, **kwargs))

    def _run(self, reads: bool, op: Callable[[Tx], T]) -> T:
        nonce, error = uuid.uuid4().hex, cast("DBAPIError | None", None)
        for wait_s in (0.0, *self._waits_s):
            if wait_s:
                time.sleep(wait_s)
            try:
                with self._transaction(reads) as conn:
                    return op(Tx(conn, self.now(), self.owner, self.lease_s, nonce, self.budgets))
            except (OperationalError, InterfaceError, IntegrityError) as exc:
                error = exc
            except DBAPIError as exc:
                if not exc.connection_invalidated and getattr(exc.orig, "sqlstate", None) != _SLEPT:
                    raise
                error = exc
        if isinstance(error, IntegrityError):
            raise error  # two workers in a race are told apart by the second try; this is no race
        assert error is not None, "it was tried at least once"
        raise LedgerUnavailableError(
            f"The ledger's database did not answer: {told(error, self.url)}."
        ) from error

    @contextlib.contextmanager
    def _transaction(self, reads: bool) -> "Iterator[Connection]":
        gate = self._read_gate if reads else self._gate
        with gate, self.engine.connect() as conn:
            if reads:
                conn.execution_options(**{READ: True})
            with conn.begin():
                yield conn

    async def ado(
        self, op: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The same for a task. A task that is cancelled meanwhile does not stop the transaction."""
        work = asyncio.get_running_loop().run_in_executor(
            self._threads, partial(self.do, op, *args, **kwargs)
        )
        return await asyncio.shield(work)

    def keep(self, op: Callable[[Tx, V], T], value: V) -> T | None:
        """`do`, for what must not be lost: if the database stays away, `value` is spooled, and
        `None` comes back.
        """
        try:
            return self.do(op, value)
        except LedgerUnavailableError:
            self.spool.add(op.__name__, value)
            self._spooled = True
            return None

    async def akeep(self, op: Callable[[Tx, V], T], value: V) -> T | None:
        """The same for a task."""
        work = asyncio.get_running_loop().run_in_executor(
            self._threads, partial(self.keep, op, value)
        )
        return await asyncio.shield(work)

    def soon(self, op: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> None:
        """`do`, without waiting for it, for what only helps: where it cannot be written, that is
        logged.
        """
        self._threads.submit(partial(self.do, op, *args, **kwargs)).add_done_callback(_log_failure)

    @property
    def engine(self) -> "Engine":
        """The SQLAlchemy engine, its tables made."""
        with self._opening:
            if self._engine is None:
                self._engine = _open(self.url)
        return self._engine

    def play_back(self) -> int:
        """Write what the spool kept while the database was away. Returns how many records were
        written.

        A record the ledger refuses is set aside, as `.refused`, for a person to look at.
        """
        return self.spool.play_back(self._play)

    def _play(self, name: str, value: dict[str, Any]) -> bool:
        try:
            op, kind = SPOOLED[name]
            told = kind.model_validate(value)
            self._run(False, lambda tx: op(tx, told))
        except LedgerUnavailableError:
            raise
        except (LedgerError, KeyError, ValidationError):
            return False
        return True

    def close(self) -> None:
        """Let go of the connections and threads. The ledger may not be used after."""
        self._threads.shutdown()
        if self._engine is not None:
            self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _log_failure(written: Future[Any]) -> None:
    if (error := written.exception()) is not None:
        _log.warning("Not written: %s", error)


def _open(url: str) -> "Engine":
    engine = open_engine(url)
    with engine.begin() as conn:
        migrate(conn)
    return engine
