"""Prepares a plugin's query: parses it, checks that it only reads, binds its placeholders.

The SQL that is sent is written from the parsed tree, so it is exactly what was checked. A comment
or a quirk of the text that the parser and the database would read differently does not survive.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from turngraph.tools.manifests.placeholders import PLACEHOLDER, undefined_placeholder
from turngraph.tools.sql.binding import Bind, bind_placeholders, write_sql
from turngraph.tools.sql.markers import StatementError, check_markers_unused, placeholder_marker
from turngraph.tools.sql.statement_check import check_reads_only
from turngraph.tools.text import one_line

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

__all__ = ["Statement", "StatementError", "prepare"]

DIALECTS: Final = {"postgresql": "postgres", "mariadb": "mysql", "mssql": "tsql"}
"""SQLAlchemy's name of a dialect, and sqlglot's where it differs."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A query ready to run: its text for SQLAlchemy's `text()`, with binds `:p0`, `:p1`, …"""

    sql: str
    binds: tuple[Bind, ...]
    limited: bool
    """Whether the query has a LIMIT of its own."""

    def values(self, given: Mapping[str, object]) -> dict[str, Any]:
        """Returns the value of each bind by its name, from the values of the parameters."""
        return {f"p{index}": bind.value(given) for index, bind in enumerate(self.binds)}


def prepare(
    query: str,
    *,
    dialect: str,
    types: Mapping[str, str],
    limit: int,
    functions: Collection[str] = (),
) -> Statement:
    """Returns `query` as a Statement for a SQLAlchemy `dialect`.

    `types` maps the parameters to their types, `functions` are allowed besides the built-in list. A
    query without a LIMIT gets `limit`, in the syntax of the dialect.

        >>> query = "SELECT * FROM t WHERE a = '{x}'; -- why"
        >>> prepare(query, dialect="sqlite", types={"x": "string"}, limit=10).sql
        'SELECT * FROM t WHERE a = :p0 LIMIT 10'

    Raises StatementError for anything but one statement that only reads, and for a placeholder that
    is not a parameter or stands where no value can.
    """
    check_markers_unused(query)
    if problem := undefined_placeholder(PLACEHOLDER.findall(query), types):
        raise StatementError(problem)
    name = DIALECTS.get(dialect, dialect)
    parsed = _parse(PLACEHOLDER.sub(lambda found: placeholder_marker(found[1]), query), name)
    check_reads_only(parsed, {function.lower() for function in functions}, _known(name))
    tree, binds = bind_placeholders(parsed, types)
    limited = tree.args.get("limit") is not None or tree.args.get("fetch") is not None
    if not limited:
        tree = tree.limit(limit, copy=False)
    return Statement(write_sql(tree, name, binds, types), tuple(binds), limited)


def _known(dialect: str) -> str | None:
    """Returns `dialect` if sqlglot knows it."""
    import sqlglot

    return dialect if dialect in sqlglot.Dialect.classes else None


def _parse(query: str, dialect: str) -> "Expr":
    """Returns the only statement in `query` as a tree."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        parsed = sqlglot.parse(query, read=_known(dialect))
    except (SqlglotError, RecursionError) as error:
        # sqlglot underlines the place with terminal colors.
        message = one_line(re.sub(r"\x1b\[\d+m", "", str(error)))[:300]
        raise StatementError(f"the query cannot be parsed: {message}") from None
    statements = [
        statement
        for statement in parsed
        if statement is not None and not isinstance(statement, exp.Semicolon)
    ]
    if len(statements) != 1:
        raise StatementError(f"the query has {len(statements)} statements; exactly one is allowed")
    return statements[0]
