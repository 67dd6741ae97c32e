"""Creates the ledger's tables and brings them up to date: one step per version, each run once, in
one transaction with the row that records it.
"""

import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, Table, func, inspect, select, text

from turngraph.billing.errors import LedgerError
from turngraph.billing.store.schema import attempt_t, metadata, schema_t

__all__ = ["MIGRATIONS", "Step", "add_column", "migrate"]

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
        "CREATE TRIGGER entry_no_update BEFORE UPDATE ON entry "
        "BEGIN SELECT RAISE(ABORT, 'entry is append-only'); END",
        "CREATE TRIGGER entry_no_delete BEFORE DELETE ON entry "
        "BEGIN SELECT RAISE(ABORT, 'entry is append-only'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION entry_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'entry is append-only'; END $$",
        "CREATE TRIGGER entry_no_change BEFORE UPDATE OR DELETE ON entry "
        "FOR EACH ROW EXECUTE FUNCTION entry_is_append_only()",
    ),
}
_LOCK: Final = 7_470_104
"""The key of PostgreSQL's advisory lock: two workers that start together migrate one after the
other. The number is arbitrary, and must never change.
"""


def _first(conn: Connection) -> None:
    metadata.create_all(conn)
    conn.execute(text(_BILL))
    for statement in _APPEND_ONLY[conn.dialect.name]:
        conn.execute(text(statement))


def _currency(conn: Connection) -> None:
    """Version 2: every row with an amount names its currency. Before, an attempt named the one of
    its price.
    """
    for table in ("entry", "budget_window"):
        add_column(conn, table, "currency", "TEXT NOT NULL DEFAULT 'USD'")
    conn.execute(attempt_t.update().where(attempt_t.c.currency != "USD").values(currency="USD"))


def _stored(conn: Connection) -> None:
    """Version 3: an attempt says where its vendor stores the answer. Older attempts do not know."""
    add_column(conn, "attempt", "stored", "TEXT")


def _api_key_id(conn: Connection) -> None:
    """Version 4: `key_id` is called `api_key_id`."""
    if "key_id" in _columns(conn, "attempt"):
        conn.execute(text("ALTER TABLE attempt RENAME COLUMN key_id TO api_key_id"))


def add_column(conn: Connection, table: str, column: str, kind: str) -> None:
    """Adds a column of the SQL type `kind`, in a step that an older database has not made yet."""
    # The first step creates the tables as they are now, so a new ledger has the column already.
    if column not in _columns(conn, table):
        conn.execute(text(f"ALTER TABLE {table} ADD COLUMN {column} {kind}"))


def _columns(conn: Connection, table: str) -> set[str]:
    return {column["name"] for column in inspect(conn).get_columns(table)}


MIGRATIONS: Final[tuple[Step, ...]] = (_first, _currency, _stored, _api_key_id)
"""The steps in order. A released step is never edited; what it missed becomes a new step."""


def migrate(
    conn: Connection, steps: tuple[Step, ...] = MIGRATIONS, *, versions: Table = schema_t
) -> int:
    """Brings the tables to the newest version, in the caller's transaction. Returns the version.

    `versions` is the table that records the steps that have run: the ledger's own, or that of other
    tables in the same database. Raises `LedgerError` where the tables are newer than this program,
    which could damage them.
    """
    if conn.dialect.name == "postgresql":
        conn.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    versions.create(conn, checkfirst=True)
    version = conn.execute(select(func.coalesce(func.max(versions.c.version), 0))).scalar_one()
    if version > len(steps):
        raise LedgerError(
            f"The ledger's tables have version {version}, and this turngraph knows up to version "
            f"{len(steps)}. Install a newer turngraph."
        )
    for number, step in enumerate(steps[version:], start=version + 1):
        step(conn)
        conn.execute(versions.insert().values(version=number, at=time.time()))
    return len(steps)
