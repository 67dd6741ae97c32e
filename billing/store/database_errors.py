"""What an error of a database's driver means for the ledger."""

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError

__all__ = ["connection_was_lost", "is_damage"]

_IDLE_IN_TRANSACTION: Final = "25P03"
"""SQLSTATE of a session that PostgreSQL ended because its client slept inside a transaction, which
was rolled back (https://www.postgresql.org/docs/current/errcodes-appendix.html).
"""
_DAMAGED: Final = "XX"
"""Class of the SQLSTATEs of a damaged database, in the same list."""


def connection_was_lost(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed over a new connection."""
    sqlstate = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or sqlstate == _IDLE_IN_TRANSACTION


def is_damage(error: DBAPIError) -> bool:
    """Whether the file is damaged or no database.

    SQLite's driver has no class for that: it is the one that its other errors inherit from.
    """
    damaged_postgres = str(getattr(error.orig, "sqlstate", "")).startswith(_DAMAGED)
    return type(error.orig) is sqlite3.DatabaseError or damaged_postgres
