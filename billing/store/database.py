"""Opens the database: SQLite as a durable file with one writer, or PostgreSQL."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from turngraph.billing.errors import LedgerError
from turngraph.billing.store.prepared import execute_sql
from turngraph.billing.store.urls import parse_url
from turngraph.state.private_files import create_private_file

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL

__all__ = ["READ", "UNFLUSHED", "is_in_memory", "open_engine"]

READ: Final = "turngraph_read"
"""The execution option of a transaction that only reads: on SQLite it does not wait for the writer.
"""
UNFLUSHED: Final = "turngraph_unflushed"
"""The execution option of a transaction whose commit SQLite does not flush to the disk at once: it
survives a killed process, and a power cut may undo it. The next flushed commit keeps both.
"""

_POSTGRES_OPTIONS: Final = "-c lock_timeout=10s -c idle_in_transaction_session_timeout=20s"
"""A worker that freezes inside a transaction is disconnected, so that nobody waits for its rows
forever.
"""


def open_engine(url: str) -> "Engine":
    """Returns an engine for `url`. Raises `LedgerError` for a database that is neither SQLite nor
    PostgreSQL, or where PostgreSQL's driver is not installed.
    """
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import StaticPool

    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        # A database in memory exists in one connection only; all threads share it in turn.
        shared = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
        engine = create_engine(parsed, **(shared if is_in_memory(url) else {}))
        file = _created_file(parsed)
        if file is not None:
            # A ledger holds money and the text of answers. Where the file cannot be created,
            # SQLite's own error says why.
            with suppress(OSError):
                create_private_file(file)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        event.listen(engine, "invalidate", _undo_sqlite)
        return engine
    if parsed.get_backend_name() == "postgresql":
        # Always psycopg 3: it is also the driver of LangGraph's PostgreSQL checkpointer.
        parsed = parsed.set(drivername="postgresql+psycopg")
        options = {"connect_args": {"options": _POSTGRES_OPTIONS}}
        try:
            return create_engine(
                parsed, pool_size=8, **({} if "options" in parsed.query else options)
            )
        except ModuleNotFoundError as exc:
            raise LedgerError(
                "PostgreSQL needs `psycopg`: pip install 'turngraph[postgres]'."
            ) from exc
    raise LedgerError(
        f"A ledger is kept in SQLite or PostgreSQL, not in `{parsed.get_backend_name()}`."
    )


def _created_file(url: "URL") -> Path | None:
    """Returns the file that SQLite creates for `url`, if it is none in memory and may be created.

    >>> from sqlalchemy.engine import make_url
    >>> _created_file(make_url("sqlite:///file:turns.db?uri=true")).as_posix()
    'turns.db'
    """
    name, query = url.database or ":memory:", url.query
    if "uri" in query and name.startswith("file:"):
        name = unquote(name.removeprefix("file:"))
        # Two slashes begin a host, which is empty (https://www.sqlite.org/uri.html).
        name = name.removeprefix("//") if name.startswith("///") else name
    may_create = query.get("mode", "rwc") == "rwc"
    return Path(name) if may_create and name and name != ":memory:" else None


def is_in_memory(url: str) -> bool:
    """Returns whether the database is in memory, and is gone when its connection closes.

    >>> is_in_memory("sqlite://"), is_in_memory("sqlite:///turns.db")
    (True, False)
    """
    return url in ("sqlite://", "sqlite:///:memory:")


_FLUSHED: Final = "FULL"
"""SQLite's `synchronous` with which a commit survives a power cut. After NORMAL it survives only a
killed process (https://www.sqlite.org/pragma.html#pragma_synchronous).
"""


def _prepare_sqlite(connection: Any, record: object) -> None:
    # The driver begins no transactions of its own; `_begin_sqlite` does.
    connection.isolation_level = None
    for pragma in (
        "journal_mode = WAL",  # readers do not wait for the writer
        f"synchronous = {_FLUSHED}",
        "busy_timeout = 30000",  # milliseconds to wait for another process
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(conn: "Connection") -> None:
    # SQLite refuses to turn a read lock into a write lock while another process writes, so the
    # write lock is taken at the beginning (https://www.sqlite.org/lang_transaction.html).
    options, kept = conn.get_execution_options(), conn.connection.info
    wanted = "NORMAL" if options.get(UNFLUSHED) else _FLUSHED
    # It cannot be changed within a transaction, and is changed only where it differs.
    if kept.get(UNFLUSHED, _FLUSHED) != wanted:
        execute_sql(conn, f"PRAGMA synchronous = {wanted}")
        kept[UNFLUSHED] = wanted
    execute_sql(conn, "BEGIN" if options.get(READ) else "BEGIN IMMEDIATE")


def _undo_sqlite(connection: Any, *_: object) -> None:
    # Ctrl-C in the middle of a statement makes SQLAlchemy close the connection. SQLite keeps a
    # closed connection and its lock while a traceback still refers to the statement
    # (https://www.sqlite.org/c3ref/close.html), so the lock is given up here.
    connection.rollback()
