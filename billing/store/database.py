"""Connections: SQLite as a durable single-writer file, PostgreSQL as it comes."""

from typing import TYPE_CHECKING, Any, Final

from turngraph.billing.errors import LedgerError
from turngraph.billing.store.urls import parse_url

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

__all__ = ["READ", "is_in_memory", "open_engine"]

READ: Final = "turngraph_read"
"""The execution option of a transaction that only reads: on SQLite it does not wait for the writer.
"""


_POSTGRES_OPTIONS: Final = "-c lock_timeout=10s -c idle_in_transaction_session_timeout=20s"
"""A worker that freezes inside a transaction is disconnected, instead of stopping everyone who
waits for its row.
"""


def open_engine(url: str) -> "Engine":
    """An engine for `url`. Raises `LedgerError` for a database that is neither SQLite nor
    PostgreSQL.
    """
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import StaticPool

    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        # A database in memory is its one connection: all threads share it, one after the other.
        shared = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
        engine = create_engine(parsed, **(shared if is_in_memory(url) else {}))
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        event.listen(engine, "invalidate", _undo_sqlite)
        return engine
    if parsed.get_backend_name() == "postgresql":
        # psycopg 3, whatever the URL says: it is the driver of LangGraph's own PostgreSQL
        # checkpointer.
        parsed = parsed.set(drivername="postgresql+psycopg")
        given = (
            {} if "options" in parsed.query else {"connect_args": {"options": _POSTGRES_OPTIONS}}
        )
        try:
            return create_engine(parsed, pool_size=8, **given)
        except ModuleNotFoundError as exc:
            raise LedgerError(
                "PostgreSQL needs `psycopg`: pip install 'turngraph[postgres]'."
            ) from exc
    raise LedgerError(
        f"A ledger lives in SQLite or PostgreSQL, not in `{parsed.get_backend_name()}`."
    )


def is_in_memory(url: str) -> bool:
    """Whether a database ends with its connection.

    >>> is_in_memory("sqlite://"), is_in_memory("sqlite:///turns.db")
    (True, False)
    """
    return url in ("sqlite://", "sqlite:///:memory:")


def _prepare_sqlite(connection: Any, record: object) -> None:
    # Transactions are begun below, explicitly, so that the driver begins none of its own.
    connection.isolation_level = None
    for pragma in (
        "journal_mode = WAL",  # readers do not wait for the writer
        "synchronous = FULL",  # a committed charge survives a power cut; NORMAL only survives a killed process
        "busy_timeout = 30000",  # milliseconds another process is waited for
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(conn: "Connection") -> None:
    # Upgrading a read lock in the middle of a transaction fails at once; the write lock is taken at
    # its beginning.
    conn.exec_driver_sql("BEGIN" if conn.get_execution_options().get(READ) else "BEGIN IMMEDIATE")


def _undo_sqlite(connection: Any, *_: object) -> None:
    # Ctrl-C in the middle of a statement makes SQLAlchemy close the connection. SQLite keeps a
    # closed one, its lock with it, while a traceback still has the statement
    # (https://www.sqlite.org/c3ref/close.html).
    connection.rollback()
