"""Opening a ledger that must be there already, to look into it.

A path that was typed wrongly must not leave an empty ledger behind, nor tables in somebody else's
database.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from turngraph.billing.errors import LedgerError
from turngraph.billing.ledger import Ledger
from turngraph.billing.store.urls import parse_url, shown_url, told

if TYPE_CHECKING:
    from sqlalchemy import URL

__all__ = ["is_there", "open_existing"]

_TABLES: Final = frozenset({"ledger_schema", "attempt", "entry"})
_CONNECT_S: Final = "10"


def open_existing(url: str) -> Ledger:
    """The ledger at `url`. Raises `LedgerError` where there is none, or none can be read; nothing
    is made.

    >>> open_existing("sqlite:///nowhere.db")
    Traceback (most recent call last):
    turngraph.billing.errors.LedgerError: There is no ledger at `sqlite:///nowhere.db`: no such file.
    """
    if not is_there(url):
        file = _file(parse_url(url))
        lacking = (
            "no such file"
            if file is not None and not file.exists()
            else "the database has no tables of one"
        )
        raise LedgerError(f"There is no ledger at `{shown_url(url)}`: {lacking}.")
    return Ledger(url)


def is_there(url: str) -> bool:
    """Whether a ledger's tables are in the database at `url`. Raises `LedgerError` where it cannot
    be opened.
    """
    from sqlalchemy.exc import SQLAlchemyError

    place = parse_url(url)
    try:
        found = _sqlite_tables(place) if place.get_backend_name() == "sqlite" else _tables(place)
    except (sqlite3.Error, SQLAlchemyError, OSError) as exc:
        raise LedgerError(
            f"The database `{shown_url(url)}` cannot be opened: {told(exc, url)}."
        ) from exc
    return found >= _TABLES


def _file(place: "URL") -> Path | None:
    """The file of an SQLite database; `None` for one in memory, or on a server."""
    if place.get_backend_name() != "sqlite" or place.database in (None, "", ":memory:"):
        return None
    return Path(place.database)


def _sqlite_tables(place: "URL") -> set[str]:
    file = _file(place)
    if file is None:
        raise LedgerError("A ledger in memory is only seen by its own process; name a file.")
    if not file.exists():
        return set()
    # Opened for reading only: turngraph's own way of opening a file changes its journal.
    with closing(sqlite3.connect(f"file:{quote(str(file.resolve()))}?mode=ro", uri=True)) as conn:
        return {
            row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }


def _tables(place: "URL") -> set[str]:
    from sqlalchemy import inspect

    from turngraph.billing.store.database import open_engine

    patient = (
        place
        if "connect_timeout" in place.query
        else place.update_query_dict({"connect_timeout": _CONNECT_S})
    )
    engine = open_engine(patient.render_as_string(hide_password=False))
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()
