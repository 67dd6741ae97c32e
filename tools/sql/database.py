"""Queries a database: one statement with checked values, and limits on rows, bytes and seconds."""

import re
import threading
import time
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from langchain_core.tools import ToolException

from turngraph.state.forks import renew_after_fork
from turngraph.state.json_types import JsonObject
from turngraph.tools.failures import log_failure
from turngraph.tools.output import as_text
from turngraph.tools.sql.engines import DatabaseLocation, dialect_of, make_engine
from turngraph.tools.sql.hang_up import OverTimeError, hang_up_after
from turngraph.tools.sql.statement import Statement
from turngraph.tools.sql.values import as_plain_value, check_value, readable, unique_names

if TYPE_CHECKING:
    from sqlalchemy import BindParameter, Connection, CursorResult, Engine
    from sqlalchemy.exc import SQLAlchemyError

__all__ = ["MAX_BYTES", "Database", "Rows"]


MAX_BYTES: Final = 1_000_000
"""Characters of all rows together, written as JSON."""
TIMEOUT: Final = re.compile(
    r"statement timeout|interrupted|max_statement_time|statement execution time|timed out", re.I
)
"""How PostgreSQL, SQLite, MariaDB, MySQL and drivers report a query that took too long."""
POSTGRES_SHORT_TYPES: Final = frozenset(
    [16, 18, 20, 21, 23, 26, 700, 701, 1082, 1083, 1114, 1184, 1186, 1266, 2950]
)
"""Types whose values have a fixed length: booleans, numbers, dates, times and UUIDs
(https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat).
"""
CHECK_EVERY: Final = 10_000
"""Instructions of SQLite's virtual machine between two looks at the clock; about a millisecond."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of an answer. `truncated` if the database had more."""

    rows: list[JsonObject]
    truncated: bool

    def as_answer(self) -> JsonObject:
        """Returns the rows as the model receives them, with a note if there are more."""
        answer: JsonObject = {"rows": self.rows}
        if self.truncated:
            answer["truncated"] = f"only the first {len(self.rows)} rows; there are more"
        return answer


@dataclass(eq=False)
class Database:
    """A database that plugins query. Connects at the first query; safe to share between threads."""

    location: DatabaseLocation
    _engine: "Engine | None" = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        renew_after_fork(self, Database._forget_connections)

    @property
    def dialect(self) -> str:
        """SQLAlchemy's name of the dialect."""
        return dialect_of(self.location.data.db_engine)

    def query(self, statement: Statement, values: Mapping[str, object], *, limit: int) -> Rows:
        """Returns at most `limit` rows.

        Raises ToolException with a short sentence that is safe to show; the log has the details.
        """
        from sqlalchemy.exc import SQLAlchemyError

        for name, value in values.items():
            check_value(name, value)
        # An expired secret must not be used through a connection that is still open.
        self.location.password()
        try:
            with (
                self._open_engine().connect() as connection,
                hang_up_after(connection, self.location.data.timeout),
            ):
                return self._fetch(connection, statement, values, limit)
        except OverTimeError:
            raise self._over_time() from None
        except SQLAlchemyError as error:
            raise self._tool_error(error) from None

    def connect(self) -> None:
        """Connects once and asks nothing. Raises as `query` does."""
        from sqlalchemy.exc import SQLAlchemyError

        self.location.password()
        try:
            with self._open_engine().connect():
                pass
        except SQLAlchemyError as error:
            raise self._tool_error(error, "The database cannot be reached") from None

    def close(self) -> None:
        """Closes the pooled connections. The next query connects again."""
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    def _forget_connections(self) -> None:
        # A forked process must not speak on connections that its parent goes on using: each could
        # read the other's answers. Nor may it close them.
        self._lock = threading.Lock()
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose(close=False)

    def _open_engine(self) -> "Engine":
        with self._lock:
            if self._engine is None:
                self._engine = make_engine(self.location)
                # A turn that is dropped closes none of its plugins.
                weakref.finalize(self, self._engine.dispose)
            return self._engine

    def _fetch(
        self,
        connection: "Connection",
        statement: Statement,
        values: Mapping[str, object],
        limit: int,
    ) -> Rows:
        from sqlalchemy import bindparam, text

        options: dict[str, Any] = {}
        if self.dialect == "postgresql":
            options["postgresql_readonly"] = True
        # A query's own LIMIT may be any number, and most drivers would fetch all of it at once.
        if statement.limited and self.dialect != "sqlite":
            options["stream_results"] = True
        if self.dialect == "sqlite":
            _set_deadline(connection, self.location.data.timeout)
        lists = [f"p{index}" for index, bind in enumerate(statement.binds) if bind.expanding]
        expanding: list[BindParameter[Any]] = [bindparam(name, expanding=True) for name in lists]
        bound = statement.values(values)
        reader = connection.execution_options(**options)

        def execute(sql: str) -> "CursorResult[Any]":
            return reader.execute(text(sql).bindparams(*expanding), bound)

        sql, widths = statement.sql, list[int]()
        if self.dialect == "postgresql":
            # The manifest's own query, which was checked; values are bound.
            probe = execute(f"SELECT * FROM ({sql}) AS q LIMIT 0")  # noqa: S608
            names = unique_names(list(probe.keys()))
            widths = _long_columns(probe)
            probe.close()
            sql = _with_lengths(sql, len(names), widths)
        result = execute(sql)
        if not widths:
            names = unique_names(list(result.keys()))
        rows = (_checked_row(names, row, widths) for row in result)
        try:
            return _first_rows(rows, limit)
        finally:
            result.close()

    def _tool_error(
        self,
        error: "SQLAlchemyError",
        failure: str = "The database could not answer this query",
    ) -> ToolException:
        """Logs `error` and returns it as a sentence for the model.

        A driver's message can contain the query, bound values and addresses of the network, so the
        model only gets the name of its class.
        """
        log_failure(f"database {self.location.data.database} failed", error)
        cause = getattr(error, "orig", None) or error
        if TIMEOUT.search(str(cause)):
            return self._over_time()
        return ToolException(f"{failure} ({type(cause).__name__}). Nothing was returned.")

    def _over_time(self) -> ToolException:
        return ToolException(
            f"The query took longer than the {self.location.data.timeout:g} seconds allowed."
        )


def _long_columns(result: "CursorResult[Any]") -> list[int]:
    """Returns the places of the columns whose values may be long."""
    description = result.cursor.description if result.cursor is not None else ()
    return [
        place for place, column in enumerate(description) if column[1] not in POSTGRES_SHORT_TYPES
    ]


def _with_lengths(sql: str, columns: int, long: list[int]) -> str:
    """Returns `sql`, a query of PostgreSQL, with the lengths of long columns after its columns, and
    the length of all rows so far.

    What is too long is left in the database: the driver would receive all of it, and PostgreSQL has
    no limit below a gigabyte.
    """
    if not long:
        return sql
    lengths = ", ".join(f"octet_length(q.c{place}::text)::bigint AS l{place}" for place in long)
    row = " + ".join(f"coalesce(w.l{place}, 0)" for place in long)
    values = [
        f"CASE WHEN so_far <= {MAX_BYTES} THEN c{place} END" if place in long else f"c{place}"
        for place in range(columns)
    ]
    names = ", ".join(f"c{place}" for place in range(columns))
    selected = ", ".join([*values, *(f"l{place}" for place in long), "so_far"])
    # A subquery with a LIMIT, which every query here has, is computed once for each row; so is one
    # with OFFSET 0.
    return (
        f"SELECT {selected} FROM ("  # noqa: S608
        f"SELECT q.*, w.*, sum({row}) OVER (ROWS UNBOUNDED PRECEDING) AS so_far "
        f"FROM ({sql}) AS q({names}) CROSS JOIN LATERAL (SELECT {lengths} OFFSET 0) AS w) AS r"
    )


def _checked_row(names: list[str], row: Sequence[Any], long: list[int]) -> JsonObject | None:
    """Returns the row without the lengths after its columns; None if it is too long after the ones
    before it. Raises ToolException for a value or a row that is too long by itself.
    """
    if long and row[-1] > MAX_BYTES:
        lengths = [length or 0 for length in row[len(names) : -1]]
        longest, total = max(lengths), sum(lengths)
        if total <= MAX_BYTES:
            return None
        column = names[long[lengths.index(longest)]]
        what = f"A value of the column `{column}`" if longest > MAX_BYTES else "A row"
        size = longest if longest > MAX_BYTES else total
        raise ToolException(f"{what} has {size:,} bytes; at most {MAX_BYTES:,} are read.")
    return dict(zip(names, row[: len(names)], strict=True))


def _set_deadline(connection: "Connection", timeout_s: float) -> None:
    """Ends the query after `timeout_s` seconds. SQLite itself has no time limit for a query
    (https://www.sqlite.org/c3ref/progress_handler.html).
    """
    deadline = time.monotonic() + timeout_s
    raw = connection.connection.dbapi_connection
    assert raw is not None, "an open connection has the connection of its driver"
    raw.set_progress_handler(lambda: int(time.monotonic() > deadline), CHECK_EVERY)


def _first_rows(rows: Iterable[JsonObject | None], limit: int) -> Rows:
    """Returns rows up to `limit`, up to MAX_BYTES of JSON, or up to a None. Stops reading there."""
    kept: list[JsonObject] = []
    size = 0
    for row in rows:
        if row is None:
            return Rows(kept, truncated=True)
        plain = {name: readable(value) for name, value in row.items()}
        try:
            size += len(as_text(plain))
        except TypeError:  # a type of the driver's own, such as psycopg's Range
            plain = {name: as_plain_value(value) for name, value in plain.items()}
            size += len(as_text(plain))
        if len(kept) >= limit or size > MAX_BYTES:
            return Rows(kept, truncated=True)
        kept.append(plain)
    return Rows(kept, truncated=False)
