"""One transaction of the ledger, as its operations see it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from turngraph.billing.budget import Budget
from turngraph.state.base import Frozen

__all__ = ["INSERT", "LedgerTransaction", "Record", "in_order"]


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

    @property
    def lease_until(self) -> float:
        """When a lease that is taken now ends, in seconds since the epoch."""
        return self.now + self.lease_s


INSERT: Final[Mapping[str, Callable[..., Any]]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}
"""The `insert` with `on_conflict_…`, by the name of SQLAlchemy's dialect."""

Record = tuple[Callable[[LedgerTransaction, Any], Any], Frozen]
"""An operation and the value that it is called with."""


def in_order(tx: LedgerTransaction, *records: Record) -> tuple[Any, ...]:
    """Runs several operations in one transaction: all of them are committed, or none.

    Returns what each returned.
    """
    return tuple(operation(tx, value) for operation, value in records)
