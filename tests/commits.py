"""Counts the commits of a ledger, as SQLite sees them."""

import sqlite3

from sqlalchemy import event

from turngraph.billing import Ledger


class Commits:
    """Counts the commits of a ledger's connections, from now on.

    SQLite's trace callback sees every statement that a connection runs, whoever sent it.
    """

    def __init__(self, ledger: Ledger) -> None:
        ledger.list_budgets()  # the tables are made
        self.count = self.flushed = 0
        self._flushes = True
        event.listen(ledger.store.engine, "checkout", self._watch)

    def _watch(self, connection: sqlite3.Connection, *_: object) -> None:
        connection.set_trace_callback(self._saw)

    def _saw(self, sql: str) -> None:
        if sql.startswith("PRAGMA synchronous"):
            self._flushes = sql.endswith("FULL")
        self.count += sql == "COMMIT"
        self.flushed += sql == "COMMIT" and self._flushes
