"""Runs statements whose SQL was compiled before: once in a process, not once for every execution.

SQLAlchemy has a cache of its own, but looks a statement up and arranges its parameters anew each
time, which takes longer than SQLite needs for the statement.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, CursorResult, Executable

__all__ = ["execute"]


class _Prepared(NamedTuple):
    """The SQL of a statement, and how its parameters are passed to the driver."""

    sql: str
    constants: Mapping[str, Any]
    """Parameters that stand in the statement itself, such as a state that it compares with."""
    order: tuple[str, ...] | None
    """The names of the parameters in their order; `None` where the driver takes them by name."""

    def parameters(self, values: Mapping[str, Any]) -> Any:
        given = {**self.constants, **values}
        return given if self.order is None else tuple([given[name] for name in self.order])


_prepared: Final[dict[tuple[Executable, str, tuple[str, ...]], _Prepared]] = {}
"""By statement, database, and the names of the values: an insert or update sets what is given."""


def execute(
    conn: Connection, statement: Executable, values: Mapping[str, Any]
) -> CursorResult[*tuple[Any, ...]]:
    """Runs a statement that exists once in this process, such as a constant of a module.

    The values of the rows are those of the driver: a truth value of SQLite is a number.
    """
    key = (statement, conn.dialect.name, tuple(values))
    prepared = _prepared.get(key)
    if prepared is None:
        prepared = _prepared[key] = _prepare(statement, conn, list(values))
    return conn.exec_driver_sql(prepared.sql, prepared.parameters(values))


def _prepare(statement: Executable, conn: Connection, names: list[str]) -> _Prepared:
    compiled: Any = statement.compile(dialect=conn.dialect, column_keys=names)  # type: ignore[attr-defined]
    constants = {name: value for name, value in compiled.params.items() if name not in names}
    order = tuple(compiled.positiontup) if compiled.positional else None
    return _Prepared(str(compiled), constants, order)
