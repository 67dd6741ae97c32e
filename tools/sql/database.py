"""Queries a database: one statement with checked values, and limits on rows, bytes and seconds."""

import logging
import re
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from langchain_core.tools import ToolException

from turngraph.state.json_types import JsonObject
from turngraph.tools.failures import mask_secrets
from turngraph.tools.output import as_text, clean
from turngraph.tools.sql.engines import DatabaseLocation, dialect_of, make_engine
from turngraph.tools.sql.statement import Statement
from turngraph.tools.sql.values import check_value, readable, unique_names

if TYPE_CHECKING:
    from sqlalchemy import BindParameter, Connection, Engine
    from sqlalchemy.exc import SQLAlchemyError

__all__ = ["MAX_BYTES", "Database", "Rows"]

logger = logging.getLogger("turngraph.tools")

MAX_BYTES: Final = 1_000_000
"""Characters of all rows together, written as JSON."""
TIMEOUT: Final = re.compile(
    r"statement timeout|interrupted|max_statement_time|statement execution time|timed out", re.I
)
"""How PostgreSQL, SQLite, MariaDB, MySQL and drivers report a query that took too long."""
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


@dataclass
class Database:
    """A database that plugins query. Connects at the first query; safe to share between threads."""

    location: DatabaseLocation
    _engine: "Engine | None" = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

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
            with self._open_engine().connect() as connection:
                return self._fetch(connection, statement, values, limit)
        except SQLAlchemyError as error:
            raise self._tool_error(error) from None

    def close(self) -> None:
        """Closes the pooled connections. The next query connects again."""
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    def _open_engine(self) -> "Engine":
        with self._lock:
            if self._engine is None:
                self._engine = make_engine(self.location)
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
        query = text(statement.sql).bindparams(*expanding)
        result = connection.execution_options(**options).execute(query, statement.values(values))
        names = unique_names(list(result.keys()))
        rows = _first_rows((dict(zip(names, row, strict=True)) for row in result), limit)
        result.close()
        return rows

    def _tool_error(self, error: "SQLAlchemyError") -> ToolException:
        """Logs `error` and returns it as a sentence for the model.

        A driver's message can contain the query, bound values and addresses of the network, so the
        model only gets the name of its class.
        """
        detail = mask_secrets(clean(str(error)))
        logger.warning("database %s: %s", self.location.data.database, detail)
        cause = getattr(error, "orig", None) or error
        if TIMEOUT.search(str(cause)):
            return ToolException(
                f"The query took longer than the {self.location.data.timeout:g} seconds allowed."
            )
        return ToolException(
            f"The database could not answer this query ({type(cause).__name__}). Nothing was "
            "returned."
        )


def _set_deadline(connection: "Connection", timeout_s: float) -> None:
    """Ends the query after `timeout_s` seconds. SQLite itself has no time limit for a query
    (https://www.sqlite.org/c3ref/progress_handler.html).
    """
    deadline = time.monotonic() + timeout_s
    raw = connection.connection.dbapi_connection
    assert raw is not None, "an open connection has the connection of its driver"
    raw.set_progress_handler(lambda: int(time.monotonic() > deadline), CHECK_EVERY)


def _first_rows(rows: Iterable[JsonObject], limit: int) -> Rows:
    """Returns rows up to `limit`, or up to MAX_BYTES of JSON. Stops reading there."""
    kept: list[JsonObject] = []
    size = 0
    for row in rows:
        plain = {name: readable(value) for name, value in row.items()}
        size += len(as_text(plain))
        if len(kept) >= limit or size > MAX_BYTES:
            return Rows(kept, truncated=True)
        kept.append(plain)
    return Rows(kept, truncated=False)
