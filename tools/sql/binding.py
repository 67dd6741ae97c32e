"""Replaces the placeholders of a parsed query by bound parameters, and writes it as SQL."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from turngraph.tools.sql.markers import (
    BIND_MARKER,
    PLACEHOLDER_MARKER,
    StatementError,
    bind_marker,
    marked_name,
    name_error,
)
from turngraph.tools.text import value_text

if TYPE_CHECKING:
    from sqlglot.expressions import Column, Expr, Literal, Query

__all__ = ["Bind", "bind_placeholders", "write_sql"]

ESCAPE: Final = "!"
"""Escapes `%` and `_` in values inside a LIKE pattern. A backslash would mean something different
to each database.
"""
CAST_TYPES: Final = {
    "string": "TEXT",
    "integer": "BIGINT",
    "number": "DOUBLE PRECISION",
    "float": "DOUBLE PRECISION",
    "boolean": "BOOLEAN",
}
"""PostgreSQL's types of parameters."""


@dataclass(frozen=True, slots=True)
class Bind:
    """One bound parameter: the value of a plugin's parameter, or text that contains values
    (`'%{name}%'`).
    """

    parts: tuple[str, ...]
    """Alternately texts and parameter names, a text first: `("%", "name", "%")`."""
    quoted: bool
    """Whether the placeholder is inside quotes, so that the value is text."""
    pattern: bool = False
    """Whether it is in a LIKE pattern, where wildcards in values are taken literally."""
    expanding: bool = False
    """Whether it is an array, and the only item of an `IN (…)`."""

    def value(self, values: Mapping[str, object]) -> Any:
        """Returns what is bound, given the values of the plugin's parameters."""
        if not self.quoted:
            return _bindable(values[self.parts[1]], keep_list=self.expanding)
        if _is_whole(self.parts) and not self.pattern:
            value = values[self.parts[1]]
            return None if value is None else value_text(value)
        return "".join(
            part if index % 2 == 0 else self._inside_text(values[part])
            for index, part in enumerate(self.parts)
        )

    def _inside_text(self, value: object) -> str:
        text = "" if value is None else value_text(value)
        return re.sub(r"[!%_]", lambda found: ESCAPE + found[0], text) if self.pattern else text


def bind_placeholders(tree: "Expr", types: Mapping[str, str]) -> tuple["Query", list[Bind]]:
    """Returns `tree` with bind markers for its placeholders, and the binds by index.

    Raises StatementError for a placeholder where no value can stand.
    """
    binds: list[Bind] = []
    return tree.transform(lambda node: _replace(node, binds, types)), binds


def write_sql(tree: "Expr", dialect: str, binds: list[Bind], types: Mapping[str, str]) -> str:
    """Returns `tree` as text for SQLAlchemy's `text()`, with the binds `:p0`, `:p1`, …

    Comments are left out. `dialect` is sqlglot's name.
    """
    import sqlglot

    known = dialect if dialect in sqlglot.Dialect.classes else None
    if dialect == "postgres":
        tree = tree.transform(lambda node: _with_type(node, binds, types))
    sql = tree.sql(dialect=known, comments=False)
    for index, bind in enumerate(binds):
        if bind.expanding:  # SQLAlchemy writes the parentheses around the items itself
            sql = sql.replace(f"({bind_marker(index)})", bind_marker(index))
    # `text()` reads every `:word` as a bind, also inside string literals, so colons are escaped.
    return BIND_MARKER.sub(lambda found: f":p{found[1]}", sql.replace(":", r"\:"))


def _replace(node: "Expr", binds: list[Bind], types: Mapping[str, str]) -> Any:
    """Returns `node`, or the bind marker that replaces it and is added to `binds`."""
    from sqlglot import exp

    if isinstance(node, exp.Literal) and node.is_string and PLACEHOLDER_MARKER.search(node.this):
        return _bind_literal(node, binds)
    if (
        isinstance(node, exp.Column)
        and PLACEHOLDER_MARKER.fullmatch(node.name)
        and isinstance(node.this, exp.Identifier)
    ):
        # `"{name}"` in double quotes and `t.{name}` are names of columns.
        if node.this.args.get("quoted") or node.table:
            raise name_error(node.name)
        return _bind_column(node, binds, types)
    # Everything else that carries a marker is a name: of a table, an alias, a window, a type.
    for part in (node.args.get("this"), node.args.get("alias")):
        text = part.name if isinstance(part, exp.Identifier) else part
        if isinstance(node, exp.Literal) or not isinstance(text, str):
            continue
        if PLACEHOLDER_MARKER.search(text):
            raise name_error(text)
    return node


def _bind_literal(node: "Literal", binds: list[Bind]) -> Any:
    """Binds a string literal with placeholders in it, as one text."""
    from sqlglot import exp

    if isinstance(node.parent, exp.Interval):
        raise StatementError(
            "a placeholder cannot stand in an INTERVAL; multiply one instead: "
            "{n} * INTERVAL '1 day'"
        )
    parts = tuple(PLACEHOLDER_MARKER.split(node.this))
    like = node.find_ancestor(exp.Like, exp.ILike, exp.Select)
    # `LIKE '{x}'` lets the value be a pattern. In `LIKE '%{x}%'` the pattern is the author's, and
    # a value of `%` would match every row. An author's own ESCAPE clause is left as it is.
    pattern = (
        isinstance(like, exp.Like | exp.ILike)
        and not _is_whole(parts)
        and not isinstance(like.parent, exp.Escape)
    )
    binds.append(Bind(parts, quoted=True, pattern=pattern))
    marker = exp.column(bind_marker(len(binds) - 1))
    return exp.Escape(this=marker, expression=exp.Literal.string(ESCAPE)) if pattern else marker


def _bind_column(node: "Column", binds: list[Bind], types: Mapping[str, str]) -> Any:
    """Binds a placeholder without quotes, as a value of its own type."""
    from sqlglot import exp

    name = marked_name(node.name)
    if isinstance(node.parent, exp.Ordered | exp.Group):
        raise StatementError(
            f"the placeholder {{{name}}} in ORDER BY or GROUP BY would be the same value for every "
            "row, not a column; write the column"
        )
    is_only_item = (
        isinstance(node.parent, exp.In)
        and len(node.parent.expressions) == 1
        and node.arg_key == "expressions"
    )
    expanding = is_only_item and types[name] == "array"
    binds.append(Bind(("", name, ""), quoted=False, expanding=expanding))
    return exp.column(bind_marker(len(binds) - 1))


def _with_type(node: "Expr", binds: list[Bind], types: Mapping[str, str]) -> Any:
    """Returns `node` with a cast where PostgreSQL cannot infer the type of a bound parameter.

    Such places are `$1 IS NULL` and `CONCAT('%', $1)`; the error there is "could not determine data
    type of parameter" (https://www.postgresql.org/docs/current/sql-prepare.html).
    """
    from sqlglot import exp

    if not isinstance(node, exp.Column) or not (found := BIND_MARKER.fullmatch(node.name)):
        return node
    if not isinstance(
        node.parent,
        exp.Is | exp.Concat | exp.ConcatWs | exp.Anonymous | exp.Coalesce | exp.Select | exp.Case,
    ):
        return node
    bind = binds[int(found[1])]
    kind = "TEXT" if bind.quoted else CAST_TYPES.get(types[bind.parts[1]], "TEXT")
    return exp.cast(exp.column(node.name), kind)


def _is_whole(parts: tuple[str, ...]) -> bool:
    """Whether the text is one placeholder and nothing else."""
    return len(parts) == 3 and not parts[0] and not parts[2]


def _bindable(value: object, *, keep_list: bool) -> Any:
    """Returns `value` as drivers take it: objects and arrays as JSON text, except in `IN (…)`."""
    if isinstance(value, list | tuple) and keep_list:
        return [_bindable(item, keep_list=False) for item in value]
    return value_text(value) if isinstance(value, dict | list | tuple) else value
