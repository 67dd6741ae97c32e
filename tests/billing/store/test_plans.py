"""What a call costs does not grow with the ledger: SQLite says how it would find the rows of every
statement.
"""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import event

from tests.billing.conftest import Book, Clock
from turngraph.billing.budget import Budget
from turngraph.billing.leases.leases import admit, finish, release_lease, renew
from turngraph.billing.ledger import Ledger

SMALL = ("SCAN budget USING", "SCAN CONSTANT ROW")
"""Budgets kept in the ledger are all read for every call; there are few."""


def statements(book: Book, run: Callable[[], None]) -> list[tuple[str, Any]]:
    seen: list[tuple[str, Any]] = []

    def saw(conn: Any, cursor: Any, sql: str, given: Any, *_: Any) -> None:
        seen.append((sql, given))

    event.listen(book.ledger.store.engine, "before_cursor_execute", saw)
    run()
    event.remove(book.ledger.store.engine, "before_cursor_execute", saw)
    return [(sql, given) for sql, given in seen if not sql.startswith(("BEGIN", "PRAGMA"))]


def turn(book: Book) -> None:
    """A turn of one call, from its admission to its end."""
    fence = book.ledger.store.run(admit, "u", thread="t").fence
    held = book.reserve("r", fence=fence)
    begun = book.begin("c", reservation=held.id, fence=fence)
    book.answer(begun.attempt_id, provider_id="resp")
    book.settle(begun.attempt_id)
    book.ledger.store.run(renew, "u", fence=fence)
    book.ledger.store.run(release_lease, "u", fence=fence)
    book.ledger.store.run(finish, "u", fence=fence)


def test_no_statement_of_a_turn_looks_through_a_table(tmp_path: Path) -> None:
    """One did, at every answer, for the vendor's id: each call cost more than the one before."""
    with Ledger(f"sqlite:///{tmp_path}/ledger.db", budgets=(Budget(usd=Decimal(1)),)) as ledger:
        book = Book(ledger, Clock())
        sent = statements(book, lambda: turn(book))
        with ledger.store.engine.connect() as conn:
            plans = {
                step[3]: sql
                for sql, given in sent
                for step in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given)
            }
    assert len(sent) > 15
    scans = {
        step: sql
        for step, sql in plans.items()
        if step.startswith("SCAN") and not step.startswith(SMALL)
    }
    assert scans == {}
