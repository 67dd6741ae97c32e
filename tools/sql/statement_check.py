"""Checks that a parsed query is one SELECT of allowed functions and does nothing but read."""

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from turngraph.tools.sql.functions import ALLOWED
from turngraph.tools.sql.markers import PLACEHOLDER_MARKER, StatementError, name_error

if TYPE_CHECKING:
    from sqlglot.expressions import Expr, Func

__all__ = ["check_reads_only"]

WRITTEN_NAME: Final = re.compile(r"(\w+)\(")

FORBIDDEN: Final = """
    Alter AlterColumn Analyze Attach Cache Commit Command Copy Create Delete Describe Detach Drop
    Execute Grant Insert Into Kill LoadData Lock Merge Parameter Pragma Refresh Revoke Rollback
    SessionParameter Set Show Transaction TruncateTable Uncache Update Use PropertyEQ
""".split()  # noqa: SIM905  forty quoted names would be harder to read
"""sqlglot's classes of expressions that write, lock, change the session or read its variables. They
are looked for at every depth: `WITH x AS (DELETE … RETURNING *) SELECT …` is a SELECT that writes.
"""


def check_reads_only(tree: "Expr", functions: Collection[str], dialect: str | None = None) -> None:
    """Checks a parsed query of sqlglot's `dialect`.

    `functions` are names in lower case that it may call besides ALLOWED.

    Raises StatementError.
    """
    from sqlglot import exp

    if not isinstance(tree, exp.Select | exp.SetOperation | exp.Subquery):
        raise StatementError(f"the query is a {tree.key.upper()}; only SELECT is allowed")
    for node in tree.walk():
        if type(node).__name__ in FORBIDDEN:
            raise StatementError(
                f"the query contains {type(node).__name__.upper()}, which is not allowed in a "
                "plugin; only reading is"
            )
        # sqlglot counts AND and OR as functions.
        if isinstance(node, exp.Func) and not isinstance(node, exp.Connector):
            _check_function(node, functions, dialect)
        # `FROM ?`, `FROM @variable` and the like name a table only when the query runs.
        if isinstance(node, exp.Table) and not isinstance(node.this, exp.Identifier | exp.Func):
            raise StatementError("a table must be given by its name")


def _check_function(node: "Func", functions: Collection[str], dialect: str | None) -> None:
    from sqlglot import exp

    # A function that sqlglot knows may be translated, so it counts under all of its names.
    if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
        names = {str(node.name).lower()}
    else:
        names = {name.lower() for name in type(node).sql_names()} | {type(node).__name__.lower()}
    if any(PLACEHOLDER_MARKER.search(name) for name in names):
        raise name_error(min(names))
    if names.isdisjoint(ALLOWED) and names.isdisjoint(functions):
        # sqlglot knows some functions by a name that no database has (`JSON_ARRAY_AGG` is its
        # class `JSONArrayAgg`). What the database will read counts too.
        written = WRITTEN_NAME.match(node.sql(dialect))
        name = written[1].lower() if written else min(names)
        if name in ALLOWED or name in functions:
            return
        raise StatementError(
            f"the function {name} is not among those known to only read; if it is harmless, "
            "name it in the connection's read_only_functions"
        )
