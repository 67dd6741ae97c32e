"""Asking a database: one statement, its values checked, at most so many rows, bytes and seconds."""

import logging
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from langchain_core.tools import ToolException

from turngraph.tools.failures import without_secrets
from turngraph.tools.output import as_text, clean
from turngraph.tools.sql.engines import Place, dialect_of, make_engine
from turngraph.tools.sql.statement import Statement

if TYPE_CHECKING:
    from sqlalchemy import BindParameter, Connection, Engine
    from sqlalchemy.exc import SQLAlchemyError

__all__ = ["MAX_BYTES", "Database", "Rows"]

logger = logging.getLogger("turngraph.tools")

MAX_BYTES: Final = 1_000_000
"""Characters of all rows together, as JSON."""
MAX_TEXT: Final = 100_000
"""Characters of one value that is bound."""
MAX_ITEMS: Final = 1_000
"""Of an array in `IN (…)`."""
LATE: Final = re.compile(
    r"statement timeout|interrupted|max_statement_time|statement execution time|timed out", re.I
)
"""In the words of PostgreSQL, SQLite, MariaDB and MySQL, and of drivers."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What a query answered. `truncated` where there was more."""

    rows: list[dict[str, Any]]
    truncated: bool

    def told(self) -> dict[str, Any]:
        """As the model is told it."""
        answer: dict[str, Any] = {"rows": self.rows}
        if self.truncated:
            answer["truncated"] = f"only the first {len(self.rows)} rows; there are more"
        return answer


@dataclass
class Database:
    """A database a plugin may ask. Connects when first asked; safe to share between threads."""

    place: Place
    _engine: "Engine | None" = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def dialect(self) -> str:
        """SQLAlchemy's name of it."""
        return dialect_of(self.place.data.db_engine)

    def ask(self, statement: Statement, values: Mapping[str, Any], *, limit: int) -> Rows:
        """At most `limit` rows. Raises ToolException with a short, safe sentence; the log gets the
        rest.
        """
        from sqlalchemy.exc import SQLAlchemyError

        for name, value in values.items():
            _check_value(name, value)
        self.place.password()  # an expired secret must not be used through a connection that is still open
        try:
            with self._opened().connect() as connection:
                return self._asked(connection, statement, values, limit)
        except SQLAlchemyError as error:
            raise self._told(error) from None

    def close(self) -> None:
        """Close the pooled connections. Asked again, it connects anew."""
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    def _opened(self) -> "Engine":
        with self._lock:
            if self._engine is None:
                self._engine = make_engine(self.place)
            return self._engine

    def _asked(
        self, connection: "Connection", statement: Statement, values: Mapping[str, Any], limit: int
    ) -> Rows:
        from sqlalchemy import bindparam, text

        options: dict[str, Any] = (
            {"postgresql_readonly": True} if self.dialect == "postgresql" else {}
        )
        if statement.limited and self.dialect != "sqlite":
            options["stream_results"] = (
                True  # its own limit may be any number, and drivers would fetch all of it
            )
        if self.dialect == "sqlite":
            _set_deadline(connection, self.place.data.timeout)
        lists = [f"p{at}" for at, bind in enumerate(statement.binds) if bind.expanding]
        expanding: list[BindParameter[Any]] = [bindparam(name, expanding=True) for name in lists]
        query = text(statement.sql).bindparams(*expanding)
        result = connection.execution_options(**options).execute(query, statement.values(values))
        names = _unique(list(result.keys()))
        rows, truncated = _gathered(([dict(zip(names, row, strict=True))] for row in result), limit)
        result.close()
        return Rows(rows, truncated)

    def _told(self, error: "SQLAlchemyError") -> ToolException:
        detail = without_secrets(clean(str(error)))
        logger.warning("database %s: %s", self.place.data.database, detail)
        if LATE.search(str(getattr(error, "orig", error))):
            return ToolException(
                f"The query took longer than the {self.place.data.timeout:g} seconds it may take."
            )
        kind = type(getattr(error, "orig", None) or error).__name__
        return ToolException(
            f"The database could not answer this query ({kind}). Nothing was returned."
        )


def _set_deadline(connection: "Connection", timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    raw = connection.connection.dbapi_connection
    assert raw is not None, "a connection just opened has its driver's connection"
    raw.set_progress_handler(lambda: int(time.monotonic() > deadline), 10_000)


def _gathered(
    rows: "Iterator[list[dict[str, Any]]]", limit: int
) -> tuple[list[dict[str, Any]], bool]:
    kept: list[dict[str, Any]] = []
    size = 0
    for [row] in rows:
        plain = {name: _plain(value) for name, value in row.items()}
        size += len(as_text(plain))
        if len(kept) >= limit or size > MAX_BYTES:
            return kept, True
        kept.append(plain)
    return kept, False


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return f"[{len(value):,} bytes]"
    return value


def _unique(names: list[str]) -> list[str]:
    """Two columns of one name (`a.id, b.id`) are both told."""
    counts = [names[:at].count(name) for at, name in enumerate(names)]
    return [
        f"{name}_{count + 1}" if count else name for name, count in zip(names, counts, strict=True)
    ]


def _check_value(name: str, value: Any) -> None:
    """What some driver would choke on, told by the parameter's name."""
    if isinstance(value, str):
        if "\x00" in value:
            raise ToolException(f"`{name}` holds a NUL character, which no database takes.")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise ToolException(f"`{name}` holds half a surrogate pair, which no database takes.")
        if len(value) > MAX_TEXT:
            raise ToolException(
                f"`{name}` has {len(value):,} characters; at most {MAX_TEXT:,} are taken."
            )
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ToolException(f"`{name}` is beyond the integers of databases (64 bits).")
    if isinstance(value, float) and value != value:
        raise ToolException(f"`{name}` is not a number.")
    if isinstance(value, dict):
        for key, item in value.items():
            _check_value(name, key)
            _check_value(name, item)
    if isinstance(value, list):
        if len(value) > MAX_ITEMS:
            raise ToolException(
                f"`{name}` has {len(value):,} items; at most {MAX_ITEMS:,} are taken."
            )
        for item in value:
            _check_value(name, item)
