"""Runs statements whose SQL was compiled before: once in a process, not once for every execution.

SQLAlchemy has a cache of its own, but looks a statement up and arranges its parameters anew each
time, and then describes the columns of the result. On SQLite that takes several times longer than
the statement itself. So SQLite's driver is called here, within SQLAlchemy's connection and its
transaction, and the driver's errors become SQLAlchemy's.
"""

import sqlite3
from collections import namedtuple
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Executable, Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import NullType

__all__ = ["DamagedValueError", "Rows", "checked_rows", "execute", "execute_sql"]

_ALLOWED: Final[Mapping[type, tuple[type, ...]]] = {
    bool: (bool, int),
    float: (float, int),
    int: (int,),
    str: (str,),
}
"""The types of the values that SQLite may return, by the type of a column."""


class DamagedValueError(Exception):
    """A row has a value of another type than its column: SQLite keeps any value in any column."""


class Rows:
    """What a statement returned. A row is a named tuple, with the values of the driver: a truth
    value of SQLite is a number.

    rowcount: how many rows were inserted, updated or deleted by a statement that returns none.

    >>> Rows([(1, "a"), (2, "b")], -1).first()
    (1, 'a')
    """

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: Iterable[Any], rowcount: int) -> None:
        self._rows: Sequence[Any] = list(rows)
        self.rowcount = rowcount

    def all(self) -> Sequence[Any]:
        """Returns every row."""
        return self._rows

    def first(self) -> Any:
        """Returns the first row, or None."""
        return self._rows[0] if self._rows else None

    def scalar(self) -> Any:
        """Returns the first value of the first row, or None."""
        return self._rows[0][0] if self._rows else None


class _Prepared(NamedTuple):
    """The SQL of a statement, and how its parameters are passed to the driver."""

    sql: str
    constants: Mapping[str, Any]
    """Parameters that stand in the statement itself, such as a state that it compares with."""
    allowed: tuple[tuple[type, ...] | None, ...]
    """The types of the values of each column of a row; None where nothing is known."""
    order: tuple[str, ...] | None
    """The names of the parameters in their order; `None` where the driver takes them by name."""

    def parameters(self, values: Mapping[str, Any]) -> Any:
        given = {**self.constants, **values}
        return given if self.order is None else tuple([given[name] for name in self.order])


_prepared: Final[dict[tuple[Executable, str, tuple[str, ...]], _Prepared]] = {}
"""By statement, database, and the names of the values: an insert or update sets what is given."""

_row_types: Final[dict[str, Any]] = {}
"""The named tuple of a statement's rows on SQLite, by its SQL."""


def execute(conn: Connection, statement: Executable, values: Mapping[str, Any]) -> Rows:
    """Runs a statement that exists once in this process, such as a constant of a module."""
    key = (statement, conn.dialect.name, tuple(values))
    prepared = _prepared.get(key)
    if prepared is None:
        prepared = _prepared[key] = _prepare(statement, conn, list(values))
    rows = execute_sql(conn, prepared.sql, prepared.parameters(values))
    if conn.dialect.name == "sqlite":
        for row in rows.all():
            _check(row, prepared.allowed)
    return rows


def checked_rows(
    conn: Connection, statement: Executable, values: Mapping[str, Any]
) -> Iterator[Row[Any]]:
    """Yields the rows of a statement that SQLAlchemy runs. Raises DamagedValueError."""
    allowed = _allowed_in(statement)
    for row in conn.execute(statement, values):
        if conn.dialect.name == "sqlite":
            _check(row, allowed)
        yield row


def execute_sql(conn: Connection, sql: str, parameters: Any = ()) -> Rows:
    """Runs `sql`, which is a constant too. Raises SQLAlchemy's errors."""
    driver = conn.connection.dbapi_connection
    if isinstance(driver, sqlite3.Connection) and not _is_watched(conn):
        return _execute_on_sqlite(driver, sql, parameters)
    result = conn.exec_driver_sql(sql, parameters)
    return Rows(result if result.returns_rows else (), result.rowcount)


def _is_watched(conn: Connection) -> bool:
    """Returns whether somebody listens to statements. SQLAlchemy tells them more than we could."""
    events = conn.engine.dispatch  # nobody else has the connection itself
    return bool(events.before_cursor_execute or events.after_cursor_execute)


def _execute_on_sqlite(driver: sqlite3.Connection, sql: str, parameters: Any) -> Rows:
    cursor = driver.cursor()
    try:
        cursor.execute(sql, parameters)
        if cursor.description is None:
            return Rows((), cursor.rowcount)
        row_type: Any = _row_types.get(sql)
        if row_type is None:
            names = [column[0] for column in cursor.description]
            row_type = _row_types[sql] = namedtuple("Row", names, rename=True)
        rows = map(row_type._make, cursor.fetchall())
        return Rows(rows, cursor.rowcount)
    except sqlite3.Error as exc:
        raise DBAPIError.instance(sql, parameters, exc, sqlite3.Error) from exc
    finally:
        # Also after Ctrl-C: a statement that is not over keeps its lock.
        cursor.close()


def _prepare(statement: Executable, conn: Connection, names: list[str]) -> _Prepared:
    compiled: Any = statement.compile(dialect=conn.dialect, column_keys=names)  # type: ignore[attr-defined]
    constants = {name: value for name, value in compiled.params.items() if name not in names}
    allowed = _allowed_in(statement)
    order = tuple(compiled.positiontup) if compiled.positional else None
    return _Prepared(str(compiled), constants, allowed, order)


def _allowed_in(statement: Any) -> tuple[tuple[type, ...] | None, ...]:
    columns: Iterable[ColumnElement[Any]] = getattr(statement, "exported_columns", ())
    return tuple(
        None if isinstance(column.type, NullType) else _ALLOWED.get(column.type.python_type)
        for column in columns
    )


def _check(row: Sequence[Any], allowed: tuple[tuple[type, ...] | None, ...]) -> None:
    for place, (value, types) in enumerate(zip(row, allowed, strict=True)):
        if value is not None and types is not None and type(value) not in types:
            name = getattr(row, "_fields", range(len(row)))[place]
            raise DamagedValueError(
                f"{name} is of the type {type(value).__name__}, not {types[0].__name__}"
            )
