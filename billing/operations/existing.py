"""Finds out whether a ledger exists at a URL, without creating one.

A mistyped path must not leave an empty ledger behind, nor tables in somebody else's database.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from turngraph.billing.errors import LedgerError
from turngraph.billing.store.urls import error_text, parse_url, shown_url

if TYPE_CHECKING:
    from sqlalchemy import URL

__all__ = ["check_ledger_exists", "ledger_exists"]

_TABLES: Final = frozenset({"ledger_schema", "attempt", "entry"})
_CONNECT_TIMEOUT_S: Final = "10"


def check_ledger_exists(url: str) -> None:
    """Raises `LedgerError` where there is no ledger at `url`, or its database cannot be opened."""
    if ledger_exists(url):
        return
    file = _sqlite_file(parse_url(url))
    no_file = file is not None and not file.exists()
    reason = "no such file" if no_file else "the database has none of its tables"
    raise LedgerError(f"There is no ledger at `{shown_url(url)}`: {reason}.")


def ledger_exists(url: str) -> bool:
    """Returns whether the database at `url` has a ledger's tables. Creates nothing.

    Raises `LedgerError` where the database cannot be opened.
    """
    from sqlalchemy.exc import SQLAlchemyError

    parsed = parse_url(url)
    is_sqlite = parsed.get_backend_name() == "sqlite"
    try:
        tables = _sqlite_tables(parsed) if is_sqlite else _server_tables(parsed)
    except (sqlite3.Error, SQLAlchemyError, OSError) as exc:
        raise LedgerError(
            f"The database `{shown_url(url)}` cannot be opened: {error_text(exc, url)}."
        ) from exc
    return tables >= _TABLES


def _sqlite_file(url: "URL") -> Path | None:
    """Returns the file of an SQLite database; `None` for one in memory, or on a server."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(url.database)


def _sqlite_tables(url: "URL") -> set[str]:
    file = _sqlite_file(url)
    if file is None:
        raise LedgerError("A ledger in memory is visible to its own process only; name a file.")
    if not file.exists():
        return set()
    # Opened read-only: turngraph's own way of opening a file changes its journal.
    path = quote(str(file.resolve()))
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as conn:
        rows = conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {row[0] for row in rows}


def _server_tables(url: "URL") -> set[str]:
    from sqlalchemy import inspect

    from turngraph.billing.store.database import open_engine

    if "connect_timeout" not in url.query:
        url = url.update_query_dict({"connect_timeout": _CONNECT_TIMEOUT_S})
    engine = open_engine(url.render_as_string(hide_password=False))
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()
