"""One transaction of the ledger, and what an operation may know: the connection, the time, who is
asking.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from turngraph.billing.store.budgets import Budget

__all__ = ["INSERT", "Tx"]


@dataclass(frozen=True)
class Tx:
    """Handed to every operation. All of an operation is committed, or nothing of it."""

    conn: Connection
    now: float
    """Seconds since the epoch."""
    owner: str
    """Who is asking: one worker."""
    lease_s: float
    """For how long what the worker begins is its own, unless it renews."""
    nonce: str
    """The same when a transaction is tried again, so that a commit whose answer was lost is known
    again.
    """
    budgets: "tuple[Budget, ...]" = ()
    """Budgets of the whole ledger."""

    @property
    def lease_until(self) -> float:
        """When a lease taken now ends."""
        return self.now + self.lease_s


INSERT: Final[Mapping[str, Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
"""An insert that can say what to do on a conflict, by the name of the database's dialect."""
