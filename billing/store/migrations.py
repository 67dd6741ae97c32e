"""How the tables came to be: one step a version, each run once, in one transaction with the row
that says so.
"""

import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, func, inspect, select, text

from turngraph.billing.errors import LedgerError
from turngraph.billing.store.schema import attempt_t, metadata, schema_t

__all__ = ["MIGRATIONS", "Step", "migrate"]

Step = Callable[[Connection], None]

_BILL: Final = """
CREATE VIEW turn_bill AS
SELECT a.turn_id, a.account, a.thread_id, a.currency, sum(e.amount_nano) AS amount_nano,
       count(DISTINCT a.attempt_id) AS attempts
FROM attempt a JOIN entry e ON e.attempt_id = a.attempt_id
GROUP BY a.turn_id, a.account, a.thread_id, a.currency
"""

_APPEND_ONLY: Final = {
    "sqlite": (
        "CREATE TRIGGER entry_no_update BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'entry is append-only'); END",
        "CREATE TRIGGER entry_no_delete BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'entry is append-only'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION entry_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'entry is append-only'; END $$",
        "CREATE TRIGGER entry_no_change BEFORE UPDATE OR DELETE ON entry "
        "FOR EACH ROW EXECUTE FUNCTION entry_is_append_only()",
    ),
}
_LOCK: Final = 7_470_104
"""Any number, always the same: two workers that start together migrate one after the other."""


def _first(conn: Connection) -> None:
    metadata.create_all(conn)
    conn.execute(text(_BILL))
    for statement in _APPEND_ONLY[conn.dialect.name]:
        conn.execute(text(statement))


def _currency(conn: Connection) -> None:
    """Every row with an amount says in which currency; before, an attempt's said what its price had
    stood in.
    """
    for table in ("entry", "budget_window"):
        _add(conn, table, "currency", "TEXT NOT NULL DEFAULT 'USD'")
    conn.execute(attempt_t.update().where(attempt_t.c.currency != "USD").values(currency="USD"))


def _stored(conn: Connection) -> None:
    """An attempt says where its vendor keeps the answer; of those made before nobody knows."""
    _add(conn, "attempt", "stored", "TEXT")


def _add(conn: Connection, table: str, column: str, kind: str) -> None:
    """Tables made by the first step have every column there is by now."""
    if column not in {each["name"] for each in inspect(conn).get_columns(table)}:
        conn.execute(text(f"ALTER TABLE {table} ADD COLUMN {column} {kind}"))


MIGRATIONS: Final[tuple[Step, ...]] = (_first, _currency, _stored)
"""In order. A released step is never edited: what it missed is the next step."""


def migrate(conn: Connection, steps: tuple[Step, ...] = MIGRATIONS) -> int:
    """Bring the tables to the newest version, inside the caller's transaction. Returns the version.

    Raises `LedgerError` where the tables are newer than this program: it would not know what it
    breaks.
    """
    if conn.dialect.name == "postgresql":
        conn.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    schema_t.create(conn, checkfirst=True)
    version = conn.execute(select(func.coalesce(func.max(schema_t.c.version), 0))).scalar_one()
    if version > len(steps):
        raise LedgerError(
            f"The ledger's tables have version {version}; this turngraph knows up to {len(steps)}. Use a newer one."
        )
    for number, step in enumerate(steps[version:], start=version + 1):
        step(conn)
        conn.execute(schema_t.insert().values(version=number, at=time.time()))
    return len(steps)
