"""Runs the ledger's operations in transactions, on SQLite or PostgreSQL, sync and async.

An operation is a function whose first argument is a `LedgerTransaction`. `run` gives it one, and
retries it while the database is locked, restarting or gone.
"""

import contextlib
import logging
import os
import socket
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from decimal import InvalidOperation
from functools import partial
from json import JSONDecodeError
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, cast

from pydantic import ValidationError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from turngraph.billing.budget import Budget
from turngraph.billing.errors import LedgerError, LedgerUnavailableError
from turngraph.billing.store.calls import (
    AttemptResponse,
    ChargedResponse,
    Released,
    Settlement,
    UnknownOutcome,
)
from turngraph.billing.store.database import READ, UNFLUSHED, is_in_memory, open_engine
from turngraph.billing.store.database_errors import is_damage, is_refusal, may_pass
from turngraph.billing.store.migrations import migrate
from turngraph.billing.store.outcomes import answer, mark_unknown, release
from turngraph.billing.store.prepared import DamagedValueError
from turngraph.billing.store.settlement import settle, settle_answer
from turngraph.billing.store.spool import Spool, spool_beside
from turngraph.billing.store.thread_calls import in_thread
from turngraph.billing.store.transaction import (
    LedgerTransaction,
    Record,
    in_order,
    is_unflushed,
)
from turngraph.billing.store.urls import error_text, parse_url
from turngraph.state.base import Frozen
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.forks import renew_after_fork
from turngraph.state.json_types import JsonObject

__all__ = ["LedgerStore"]

_log: Final = logging.getLogger("turngraph.billing")

P = ParamSpec("P")
T = TypeVar("T")
V = TypeVar("V", bound=Frozen)

_DAMAGED: Final = (
    JSONDecodeError,
    ValidationError,
    InvalidOperation,
    DamagedValueError,
)
"""What reading a damaged row raises: a value of another type, or a text that is not what it was."""
_SPOOLABLE: Final[Mapping[str, tuple[Callable[[LedgerTransaction, Any], object], type[Frozen]]]] = {
    "answer": (answer, AttemptResponse),
    "mark_unknown": (mark_unknown, UnknownOutcome),
    "release": (release, Released),
    "settle": (settle, Settlement),
    "settle_answer": (settle_answer, ChargedResponse),
}
"""The operations that `run_or_spool` accepts, by name, each with the type of its value. They record
something that happened and that nobody can find out a second time.
"""


class LedgerStore:
    """The database of a ledger. It may be used from many threads and tasks.

    `clock` returns seconds since the epoch. `retry_delays_s` are the pauses between the tries of a
    transaction. The tables are created, or brought up to date, when they are first used. Raises
    `TurnConfigurationError` for a `url` that is not SQLAlchemy's.
    """

    def __init__(
        self,
        url: str,
        *,
        budgets: tuple[Budget, ...],
        owner: str | None,
        lease_s: float,
        spool: str | Path | None,
        clock: Callable[[], float],
        retry_delays_s: tuple[float, ...],
    ) -> None:
        parse_url(url)
        if not isinstance(spool, str | Path | None):
            raise TurnConfigurationError(
                f"`spool` is a {type(spool).__name__}; it must be the path of a folder."
            )
        self.url, self.budgets, self.lease_s = url, budgets, lease_s
        self.owner = owner or f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self.spool = Spool(spool_beside(url) if spool is None else Path(spool))
        self.now, self._retry_delays_s = clock, retry_delays_s
        # True at the start: an earlier process may have left records in the spool.
        self._spooled = True
        self._start()
        renew_after_fork(self, LedgerStore._start_after_fork)

    def _start(self) -> None:
        """Makes what belongs to this process: the engine, the locks and the threads."""
        url = self.url
        self._engine: Engine | None = None
        self._stored_prices: frozenset[str] = frozenset()
        self._opening, self._catching_up = threading.Lock(), threading.Lock()
        # SQLite has one writer. Waiting here is fair and cheap; SQLite's own waiting polls.
        self._gate: contextlib.AbstractContextManager[object] = (
            threading.RLock() if url.startswith("sqlite") else contextlib.nullcontext()
        )
        self._read_gate = self._gate if is_in_memory(url) else contextlib.nullcontext()
        # The ledger has threads of its own: the event loop's default executor may be full of slow
        # tools, and money must not wait for those.
        self._threads = ThreadPoolExecutor(
            1 if url.startswith("sqlite") else 8, thread_name_prefix="ledger"
        )

    def _start_after_fork(self) -> None:  # pragma: no cover  only a test's forked child runs it
        # A forked process inherits connections that its parent goes on using, locks that a thread
        # of the parent may hold, and none of the threads. Leases are told apart by their owner.
        if self._engine is not None:
            self._engine.dispose(close=False)
        self.owner = f"{self.owner}:{os.getpid()}"
        self._start()

    def run(
        self, op: Callable[Concatenate[LedgerTransaction, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs `op` in one transaction and returns its result.

        It is tried again if the database was away for a moment or another worker interfered.
        Raises what `op` raises, and then nothing was written; raises `LedgerUnavailableError` when
        the database stays away.
        """
        if self._spooled:
            self._catch_up()
        options = {UNFLUSHED: True} if is_unflushed(op) else {}
        return self._run(options, lambda tx: op(tx, *args, **kwargs))

    async def arun(
        self, op: Callable[Concatenate[LedgerTransaction, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Async version of `run`. Cancelling the task does not stop the transaction."""
        return await in_thread(self._threads, partial(self.run, op, *args, **kwargs))

    def read(
        self, op: Callable[Concatenate[LedgerTransaction, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Like `run`, for an operation that only reads: it sees one moment, and no writer waits
        for it.
        """
        return self._run({READ: True}, lambda tx: op(tx, *args, **kwargs))

    async def aread(
        self, op: Callable[Concatenate[LedgerTransaction, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Async version of `read`."""
        return await in_thread(self._threads, partial(self.read, op, *args, **kwargs))

    def run_or_spool(self, op: Callable[[LedgerTransaction, V], T], value: V) -> T | None:
        """Like `run`, for a record that must not be lost.

        If the database stays away, `value` is written to the spool and `None` is returned.
        """
        results = self.run_all_or_spool((op, value))
        return None if results is None else cast(T, results[0])

    async def arun_or_spool(self, op: Callable[[LedgerTransaction, V], T], value: V) -> T | None:
        """Async version of `run_or_spool`."""
        return await in_thread(self._threads, partial(self.run_or_spool, op, value))

    def run_all_or_spool(self, *records: Record) -> tuple[Any, ...] | None:
        """Like `run_or_spool`, for several records in one transaction, in this order."""
        try:
            return self.run(in_order, *records)
        except LedgerUnavailableError:
            # What happened cannot be found out again, so it goes to the disk.
            for operation, value in records:
                self.spool.add(operation.__name__, value)
            self._spooled = True
            return None

    async def arun_all_or_spool(self, *records: Record) -> tuple[Any, ...] | None:
        """Async version of `run_all_or_spool`."""
        return await in_thread(self._threads, partial(self.run_all_or_spool, *records))

    def run_in_background(
        self, op: Callable[Concatenate[LedgerTransaction, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Runs `op` without waiting for it. A failure is logged; use it only for what is not
        needed.
        """
        done = self._threads.submit(partial(self.run, op, *args, **kwargs))
        done.add_done_callback(_log_failure)

    def play_back(self) -> int:
        """Writes what the spool holds. Returns how many records were written.

        A record that the ledger refuses is renamed to `….refused`, for a person to look at.
        """
        return self.spool.play_back(self._run_spooled)

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine. Its tables exist."""
        with self._opening:
            if self._engine is None:
                engine = open_engine(self.url)
                with engine.begin() as conn:
                    migrate(conn)
                # A ledger may be dropped without `close`, with the turn that opened it by its URL.
                weakref.finalize(self, engine.dispose)
                self._engine = engine
        return self._engine

    def close(self) -> None:
        """Waits for the ledger's threads and closes its connections. Do not use it afterwards."""
        self._threads.shutdown()
        if self._engine is not None:
            self._engine.dispose()

    def _catch_up(self) -> None:
        # The spool is written first: a call whose answer is in it would be paid for again.
        with self._catching_up:
            if self._spooled:
                self.play_back()
                self._spooled = False

    def _run(self, options: Mapping[str, bool], op: Callable[[LedgerTransaction], T]) -> T:
        nonce, error = os.urandom(16).hex(), cast("DBAPIError | None", None)
        for delay_s in (0.0, *self._retry_delays_s):
            if delay_s:
                time.sleep(delay_s)
            try:
                with self._transaction(options) as conn:
                    tx = LedgerTransaction(
                        conn,
                        self.now(),
                        self.owner,
                        self.lease_s,
                        nonce,
                        self.budgets,
                        self._stored_prices,
                    )
                    result = op(tx)
                # Only what is committed need not be written again.
                self._stored_prices |= tx.new_prices
                return result
            except _DAMAGED as exc:
                # What is written was checked before, so these come from what was read.
                raise LedgerError(
                    f"A row of the ledger is damaged ({str(exc).splitlines()[0]}). Restore the "
                    "ledger from a backup, or begin another one."
                ) from exc
            except DBAPIError as exc:
                if is_damage(exc):
                    raise LedgerUnavailableError(
                        f"The ledger's database is damaged: {error_text(exc, self.url)}. Restore "
                        "it from a backup, or begin another one."
                    ) from exc
                # Drivers raise many errors for a connection that is gone; other ones are bugs.
                if not (may_pass(exc) or is_refusal(exc)):
                    raise
                error = exc
        # Two workers that race for one row differ at the second try, because one of them then sees
        # the other's row. What fails every time is no race but a broken rule of the tables.
        assert error is not None, "the transaction was tried at least once"
        if is_refusal(error):
            raise LedgerError(
                f"The ledger's database refuses what was to be written, by a rule of its tables: "
                f"{error_text(error, self.url)}. Nothing was written."
            ) from error
        raise LedgerUnavailableError(
            f"The ledger's database did not answer: {error_text(error, self.url)}."
        ) from error

    @contextlib.contextmanager
    def _transaction(self, options: Mapping[str, bool]) -> Iterator[Connection]:
        gate = self._read_gate if READ in options else self._gate
        with gate, self.engine.connect() as conn:
            if options:
                conn.execution_options(**options)
            with conn.begin():
                yield conn

    def _run_spooled(self, name: str, record: JsonObject) -> bool:
        try:
            op, value_type = _SPOOLABLE[name]
            value = value_type.model_validate(record)
            self._run({}, lambda tx: op(tx, value))
        except LedgerUnavailableError:
            raise  # the record stays in the spool
        # A record of an older version, or of an attempt that is gone: a person looks at it.
        except (LedgerError, KeyError, ValidationError):
            return False
        return True


def _log_failure(done: Future[Any]) -> None:
    if (error := done.exception()) is not None:
        _log.warning("Not written to the ledger: %s", error)
