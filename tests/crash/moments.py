"""Moments at which a worker may die: counted, and one of them fatal."""

import itertools
import os
import signal
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event

OVER = "transaction over"
"""The moment after a commit, or a rollback."""


class Moments:
    """Counts moments; does `act` at the one numbered `fatal` (from 1). `seen` are their names, in
    order.
    """

    def __init__(self, fatal: int | None = None, act: int = signal.SIGKILL) -> None:
        self.fatal = fatal
        self.act: Callable[[], object] = lambda: os.kill(os.getpid(), act)
        self.seen: list[str] = []

    def __call__(self, name: str) -> None:
        self.seen.append(name)
        if len(self.seen) == self.fatal:
            self.act()

    def watch(self, engine: Engine) -> None:
        """Every statement and commit of a ledger's engine is two moments: before it, and after."""

        def before(conn: Any, cursor: Any, sql: str, *_: Any) -> None:
            self(f"before {sql}")

        def after(conn: Any, cursor: Any, sql: str, *_: Any) -> None:
            self(f"after {sql}")

        event.listen(engine, "before_cursor_execute", before)
        event.listen(engine, "after_cursor_execute", after)
        event.listen(engine, "commit", lambda conn: self("before COMMIT"))
        event.listen(engine, "checkin", lambda *_: self(OVER))


def short(sql: str) -> str:
    """The beginning of a statement: what it does to which table."""
    words = sql.replace('"', "").split()
    table = next(
        (word for last, word in itertools.pairwise(words) if last in ("INTO", "UPDATE", "FROM")), ""
    )
    return f"{words[0]} {table}".strip()
