"""Moments at which a worker may die: counted, and one of them fatal."""

import itertools
import os
import signal
from collections.abc import Callable
from typing import Any

from sqlalchemy import event

from turngraph.billing.ledger import Ledger


class Moments:
    """Counts moments; does `act` at the one numbered `fatal` (from 1). `seen` are their names, in order."""

    def __init__(self, fatal: int | None = None, act: int = signal.SIGKILL) -> None:
        self.fatal, self.act = fatal, act
        self.seen: list[str] = []

    def __call__(self, name: str) -> None:
        self.seen.append(name)
        if len(self.seen) == self.fatal:
            os.kill(os.getpid(), self.act)

    def watch(self, ledger: Ledger, named: Callable[[str], str] = lambda sql: sql) -> None:
        """Every statement and commit of a ledger is two moments: before it, and after."""

        def before(conn: Any, cursor: Any, sql: str, *_: Any) -> None:
            self(f"before {named(sql)}")

        def after(conn: Any, cursor: Any, sql: str, *_: Any) -> None:
            self(f"after {named(sql)}")

        event.listen(ledger.engine, "before_cursor_execute", before)
        event.listen(ledger.engine, "after_cursor_execute", after)
        event.listen(ledger.engine, "commit", lambda conn: self("before COMMIT"))


def short(sql: str) -> str:
    """The beginning of a statement: what it does to which table."""
    words = sql.replace('"', "").split()
    table = next((word for last, word in itertools.pairwise(words) if last in ("INTO", "UPDATE", "FROM")), "")
    return f"{words[0]} {table}".strip()
