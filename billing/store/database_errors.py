"""What an error of a database's driver means for the ledger."""

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

__all__ = ["connection_was_lost", "is_damage", "is_refusal", "may_pass"]

_IDLE_IN_TRANSACTION: Final = "25P03"
"""SQLSTATE of a session that PostgreSQL ended because its client slept inside a transaction, which
was rolled back (https://www.postgresql.org/docs/current/errcodes-appendix.html).
"""
_RAISED: Final = "P0001"
"""SQLSTATE of an error that a trigger raises, in the same list."""
_NO_TEXT: Final = "Could not decode to UTF-8"
"""What SQLite's driver says of a text that is none."""
_DAMAGED: Final = "XX"
"""Class of the SQLSTATEs of a damaged database, in the same list."""


def may_pass(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed when it is tried again."""
    return isinstance(error, OperationalError | InterfaceError) or connection_was_lost(error)


def is_refusal(error: DBAPIError) -> bool:
    """Whether a constraint or a trigger of the tables refused what was written."""
    return isinstance(error, IntegrityError) or getattr(error.orig, "sqlstate", None) == _RAISED


def connection_was_lost(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed over a new connection."""
    sqlstate = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or sqlstate == _IDLE_IN_TRANSACTION


def is_damage(error: DBAPIError) -> bool:
    """Whether the file is damaged or no database.

    SQLite's driver has no class for that: it is the one that its other errors inherit from.
    """
    damaged_postgres = str(getattr(error.orig, "sqlstate", "")).startswith(_DAMAGED)
    is_no_text = str(error.orig).startswith(_NO_TEXT)
    return type(error.orig) is sqlite3.DatabaseError or is_no_text or damaged_postgres
