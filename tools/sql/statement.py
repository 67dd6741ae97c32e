"""A plugin's query: parsed once, shown to be one reading statement, its placeholders turned into
bound parameters.

What is sent is written from the parsed tree, so what was checked is what runs; comments do not
survive that.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from turngraph.tools.sql.functions import ALLOWED

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

__all__ = ["Bind", "Statement", "StatementError", "prepare"]

PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
MARK: Final = "tgparam_{}_tgend"
MARKED: Final = re.compile(r"tgparam_(\w+?)_tgend")
BOUND: Final = "tgbind_{}_tgend"
IS_BOUND: Final = re.compile(r"tgbind_(\d+)_tgend")
ESCAPE: Final = "!"
"""Escapes `%` and `_` in values inside a LIKE pattern; a backslash means something else to each
database.
"""
FORBIDDEN: Final = """
    Alter AlterColumn Analyze Attach Cache Commit Command Copy Create Delete Describe Detach Drop Execute Grant
    Insert Into Kill LoadData Lock Merge Parameter Pragma Refresh Revoke Rollback SessionParameter Set Show
    Transaction TruncateTable Uncache Update Use PropertyEQ
""".split()  # noqa: SIM905  forty quoted names would say less
DIALECTS: Final = {"postgresql": "postgres", "mariadb": "mysql", "mssql": "tsql"}
"""SQLAlchemy's name of a dialect, and sqlglot's where it differs."""
CAST_TYPES: Final = {
    "string": "TEXT", "integer": "BIGINT", "number": "DOUBLE PRECISION", "float": "DOUBLE PRECISION",
    "boolean": "BOOLEAN",
}  # fmt: skip


class StatementError(ValueError):
    """A query no plugin may send. The text is for the author of the manifest."""


@dataclass(frozen=True, slots=True)
class Bind:
    """One bound parameter: a parameter's value itself, or a text with values in it (`'%{name}%'`)."""

    parts: tuple[str, ...]
    """Texts and parameter names in turn, a text first: `("%", "name", "%")`."""
    quoted: bool
    pattern: bool = False
    """Stands in a LIKE: wildcards in values are taken literally."""
    expanding: bool = False
    """Stands alone in `IN (…)` and is an array."""

    def value(self, values: Mapping[str, Any]) -> Any:
        """What is bound, given the parameters' values."""
        if not self.quoted:
            return _scalar(values[self.parts[1]], keep_list=self.expanding)
        if len(self.parts) == 3 and not self.parts[0] and not self.parts[2] and not self.pattern:
            found = values[self.parts[1]]
            return None if found is None else _text(found)
        return "".join(
            part if at % 2 == 0 else self._within(values[part])
            for at, part in enumerate(self.parts)
        )

    def _within(self, value: Any) -> str:
        text = "" if value is None else _text(value)
        return re.sub(r"[!%_]", lambda found: ESCAPE + found[0], text) if self.pattern else text


@dataclass(frozen=True, slots=True)
class Statement:
    """A query ready to run: its text for SQLAlchemy's `text()`, with binds `:p0`, `:p1`, …"""

    sql: str
    binds: tuple[Bind, ...]
    limited: bool
    """Has it a LIMIT of its own?"""

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The values of the binds, by name."""
        return {f"p{number}": bind.value(given) for number, bind in enumerate(self.binds)}


def prepare(
    query: str,
    *,
    dialect: str,
    types: Mapping[str, str],
    limit: int,
    functions: Collection[str] = (),
) -> Statement:
    """`query` as a Statement for a SQLAlchemy `dialect`, whose parameters have these `types`.

    A query without a LIMIT of its own gets `limit`, in the dialect's way of saying it.

        >>> prepare("SELECT * FROM t WHERE a = '{x}'; -- why", dialect="sqlite", types={"x": "string"}, limit=10).sql
        'SELECT * FROM t WHERE a = :p0 LIMIT 10'

    Raises StatementError for what is not one reading statement of allowed functions, and for a
    placeholder that is no parameter or stands where no value can.
    """
    if "tgparam_" in query or "tgbind_" in query:
        raise StatementError("the query uses the names tgparam_ and tgbind_, which turngraph needs")
    for name in PLACEHOLDER.findall(query):
        if name not in types:
            raise StatementError(
                f"the placeholder {{{name}}} is no parameter (there are: {', '.join(types) or 'none'})"
            )
    name = DIALECTS.get(dialect, dialect)
    tree = _parsed(PLACEHOLDER.sub(lambda found: MARK.format(found[1]), query), name)
    _check(tree, {function.lower() for function in functions})
    binds: list[Bind] = []
    tree = tree.transform(lambda node: _bound(node, binds, types))
    limited = tree.args.get("limit") is not None or tree.args.get("fetch") is not None
    if not limited:
        tree = tree.limit(limit, copy=False)
    return Statement(_written(tree, name, binds, types), tuple(binds), limited)


def _parsed(query: str, dialect: str) -> "Expr":
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    known = dialect if dialect in sqlglot.Dialect.classes else None
    try:
        parsed = sqlglot.parse(query, read=known)
        statements = [
            found for found in parsed if found is not None and not isinstance(found, exp.Semicolon)
        ]
    except (SqlglotError, RecursionError) as error:
        said = " ".join(re.sub(r"\x1b\[\d+m", "", str(error)).split())[:300]
        raise StatementError(f"the query is not understood: {said}") from None
    if len(statements) != 1:
        raise StatementError(
            f"the query holds {len(statements)} statements; exactly one is allowed"
        )
    return statements[0]


def _check(tree: "Expr", extra: Collection[str]) -> None:
    from sqlglot import exp

    if not isinstance(tree, exp.Select | exp.SetOperation | exp.Subquery):
        raise StatementError(f"the query is a {tree.key.upper()}; only SELECT is allowed")
    for node in tree.walk():
        if type(node).__name__ in FORBIDDEN:
            raise StatementError(
                f"the query contains {type(node).__name__.upper()}, which is not allowed in a plugin"
            )
        if isinstance(node, exp.Func) and not isinstance(node, exp.Connector):
            _check_function(node, extra)
        if isinstance(node, exp.Table) and not isinstance(node.this, exp.Identifier | exp.Func):
            raise StatementError("a table must be named plainly")


def _check_function(node: Any, extra: Collection[str]) -> None:
    from sqlglot import exp

    if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
        names = {str(node.name).lower()}
    else:
        names = {name.lower() for name in type(node).sql_names()} | {type(node).__name__.lower()}
    if any(MARKED.search(name) for name in names):
        raise StatementError(
            f"the placeholder {{{_name(min(names))}}} stands for a name; it can only be a value"
        )
    if names.isdisjoint(ALLOWED) and names.isdisjoint(extra):
        raise StatementError(
            f"the function {min(names)} is not among those known to only read; if it is harmless, name it in the "
            "connection's read_only_functions"
        )


def _bound(node: "Expr", binds: list[Bind], types: Mapping[str, str]) -> Any:
    """`node`, or what stands for it once its placeholders are bound."""
    from sqlglot import exp

    if isinstance(node, exp.Literal) and node.is_string and MARKED.search(node.this):
        return _bound_literal(node, binds)
    if (
        isinstance(node, exp.Column)
        and MARKED.fullmatch(node.name)
        and isinstance(node.this, exp.Identifier)
    ):
        if node.this.args.get("quoted") or node.table:
            raise StatementError(
                f"the placeholder {{{_name(node.name)}}} stands for a name; it can only be a value"
            )
        return _bound_column(node, binds, types)
    for text in (node.args.get("this"), node.args.get("alias")):
        held = (
            text
            if isinstance(text, str)
            else getattr(text, "name", "")
            if isinstance(text, exp.Identifier)
            else ""
        )
        if isinstance(held, str) and MARKED.search(held) and not isinstance(node, exp.Literal):
            raise StatementError(
                f"the placeholder {{{_name(held)}}} stands for a name; it can only be a value"
            )
    return node


def _bound_literal(node: Any, binds: list[Bind]) -> Any:
    from sqlglot import exp

    if isinstance(node.parent, exp.Interval):
        raise StatementError(
            "a placeholder cannot stand in an INTERVAL; multiply one: {n} * INTERVAL '1 day'"
        )
    parts = tuple(MARKED.split(node.this))
    like = node.find_ancestor(exp.Like, exp.ILike, exp.Select)
    whole = len(parts) == 3 and not parts[0] and not parts[2]
    pattern = (
        isinstance(like, exp.Like | exp.ILike)
        and not whole
        and not isinstance(like.parent, exp.Escape)
    )
    binds.append(Bind(parts, quoted=True, pattern=pattern))
    mark = exp.column(BOUND.format(len(binds) - 1))
    return exp.Escape(this=mark, expression=exp.Literal.string(ESCAPE)) if pattern else mark


def _bound_column(node: Any, binds: list[Bind], types: Mapping[str, str]) -> Any:
    from sqlglot import exp

    name = _name(node.name)
    if isinstance(node.parent, exp.Ordered | exp.Group):
        raise StatementError(
            f"the placeholder {{{name}}} would order or group by one value for all rows"
        )
    alone = (
        isinstance(node.parent, exp.In)
        and len(node.parent.expressions) == 1
        and node.arg_key == "expressions"
    )
    binds.append(Bind(("", name, ""), quoted=False, expanding=alone and types[name] == "array"))
    return exp.column(BOUND.format(len(binds) - 1))


def _written(tree: "Expr", dialect: str, binds: list[Bind], types: Mapping[str, str]) -> str:
    import sqlglot

    known = dialect if dialect in sqlglot.Dialect.classes else None
    if dialect == "postgres":
        tree = tree.transform(lambda node: _typed(node, binds, types))
    sql = tree.sql(dialect=known, comments=False)
    for number, bind in enumerate(binds):
        if bind.expanding:  # SQLAlchemy writes the parentheses around its items
            sql = sql.replace(f"({BOUND.format(number)})", BOUND.format(number))
    # SQLAlchemy's text() reads every `:word` as a bind, in literals too
    return IS_BOUND.sub(lambda found: f":p{found[1]}", sql.replace(":", r"\:"))


def _typed(node: "Expr", binds: list[Bind], types: Mapping[str, str]) -> Any:
    """PostgreSQL must be told a bind's type where nothing around it says so: `$1 IS NULL`,
    `CONCAT('%', $1)`.
    """
    from sqlglot import exp

    if not isinstance(node, exp.Column) or not (found := IS_BOUND.fullmatch(node.name)):
        return node
    parent = node.parent
    if not isinstance(
        parent,
        exp.Is | exp.Concat | exp.ConcatWs | exp.Anonymous | exp.Coalesce | exp.Select | exp.Case,
    ):
        return node
    bind = binds[int(found[1])]
    kind = "TEXT" if bind.quoted else CAST_TYPES.get(types[bind.parts[1]], "TEXT")
    return exp.cast(exp.column(node.name), kind)


def _name(text: str) -> str:
    found = MARKED.search(text)
    assert found is not None, "only marked names come here"
    return found[1]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _scalar(value: Any, *, keep_list: bool) -> Any:
    if isinstance(value, list | tuple) and keep_list:
        return [_scalar(item, keep_list=False) for item in value]
    return _text(value) if isinstance(value, dict | list | tuple) else value


def unused(query: str, names: Iterable[str]) -> list[str]:
    """Those of `names` that have no placeholder in `query`."""
    found = set(PLACEHOLDER.findall(query))
    return [name for name in names if name not in found]
