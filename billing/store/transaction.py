"""One transaction of the ledger, as its operations see it."""

from collections.abc import Callable, Iterator, Mapping, Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Executable, Row
from sqlalchemy.dialects import postgresql, sqlite

from turngraph.billing.budget import Budget
from turngraph.billing.store.prepared import Rows, checked_rows, execute
from turngraph.state.base import Frozen

__all__ = ["INSERT", "LedgerTransaction", "Record", "in_order", "is_unflushed", "unflushed"]

_NOTHING: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True)
class LedgerTransaction:
    """Passed to every operation as its first argument. An operation is committed as a whole, or
    not at all.
    """

    conn: Connection
    now: float
    """Seconds since the epoch."""
    owner: str
    """The name of the worker that runs the operation."""
    lease_s: float
    """How many seconds a lease lasts unless it is renewed."""
    nonce: str
    """The same when a transaction is retried, so that the operation recognizes its own commit when
    only the confirmation was lost.
    """
    budgets: tuple[Budget, ...] = ()
    """The budgets that were given to the ledger's constructor."""
    stored_prices: AbstractSet[str] = frozenset()
    """The ids of prices that an earlier transaction of this process has stored."""
    new_prices: set[str] = field(default_factory=set)
    """The ids of prices that this transaction stores."""

    def execute(self, statement: Executable, values: Mapping[str, Any] = _NOTHING) -> Rows:
        """Runs a statement that is a constant of its module. Other ones go to `conn`."""
        return execute(self.conn, statement, values)

    def rows(
        self, statement: Executable, values: Mapping[str, Any] = _NOTHING
    ) -> Iterator[Row[Any]]:
        """Yields the rows of a statement that is made for this call."""
        return checked_rows(self.conn, statement, values)

    @property
    def lease_until(self) -> float:
        """When a lease that is taken now ends, in seconds since the epoch."""
        return self.now + self.lease_s


INSERT: Final[Mapping[str, Callable[..., Any]]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}
"""The `insert` with `on_conflict_…`, by the name of SQLAlchemy's dialect."""

Operation = TypeVar("Operation", bound=Callable[..., Any])


def unflushed(operation: Operation) -> Operation:
    """Marks an operation on a lease, whose commit SQLite need not flush to the disk at once.

    A power cut may undo it, and no worker survives that: all of them run on the machine that has
    the file. What counts after the cut is what was sent and answered, and that is flushed.
    """
    vars(operation)["unflushed"] = True
    return operation


def is_unflushed(operation: Callable[..., Any]) -> bool:
    """Returns whether `unflushed` marks the operation."""
    return getattr(operation, "unflushed", False)


Record = tuple[Callable[[LedgerTransaction, Any], Any], Frozen]
"""An operation and the value that it is called with."""


def in_order(tx: LedgerTransaction, *records: Record) -> tuple[Any, ...]:
    """Runs several operations in one transaction: all of them are committed, or none.

    Returns what each returned.
    """
    return tuple(operation(tx, value) for operation, value in records)
