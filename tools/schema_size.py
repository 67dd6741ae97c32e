"""Counts how many subschemas of a JSON schema may apply, to tell whether its check is short.

A schema may come from an MCP server and the arguments from a model, so neither may be able to hold
up the event loop.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from turngraph.state.json_types import JsonObject
from turngraph.tools.schemas import applied_schemas

__all__ = ["unfolded_size"]

DIALECTS: Final = (
    "https://json-schema.org/draft/2020-12/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema",
)
LONG: Final = frozenset(
    {
        # Patterns can take exponential time.
        "pattern",
        "patternProperties",
        # Each of them checks everything beside it again.
        "unevaluatedItems",
        "unevaluatedProperties",
        # What a reference means depends on these, and is not followed here.
        "$anchor",
        "$dynamicAnchor",
        "$dynamicRef",
        "$id",
        "$recursiveAnchor",
        "$recursiveRef",
        "id",
        # Not every validator checks these.
        "contentEncoding",
        "contentMediaType",
        "dependencies",
    }
)
"""Keywords whose check may take long, or whose meaning is not looked at here."""


def unfolded_size(schema: JsonObject) -> int | None:
    """Returns how many subschemas `schema` has when every reference is replaced by what it names.

    None if it has no end, or if the time of a check depends on more than this number.

        >>> unfolded_size({"properties": {"a": {"type": "string"}, "b": {"$ref": "#/$defs/c"}},
        ...                "$defs": {"c": {"type": "object", "properties": {"d": {}}}}})
        5
        >>> unfolded_size({"properties": {"child": {"$ref": "#"}}}) is None
        True
    """
    dialect = schema.get("$schema", DIALECTS[0])
    if not isinstance(dialect, str) or dialect.removesuffix("#") not in DIALECTS:
        return None
    return _size(schema, schema, {})


def _size(schema: object, root: JsonObject, sizes: dict[int, int | None]) -> int | None:
    if not isinstance(schema, Mapping):
        return 1
    if id(schema) in sizes:
        return sizes[id(schema)]
    # None until it is known: a schema that is met again inside itself has no end.
    sizes[id(schema)] = None
    if LONG & schema.keys():
        return None
    inner = list(applied_schemas(schema))
    if "$ref" in schema:
        inner.append(_target(schema["$ref"], root))
    total = 1
    for one in inner:
        size = _size(one, root, sizes)
        if size is None:
            return None
        total += size
    sizes[id(schema)] = total
    return total


def _target(reference: object, root: JsonObject) -> object:
    """Returns the schema that `reference`, a JSON pointer, names; else one without an end."""
    found: Any = root
    try:
        for step in str(reference).removeprefix("#").split("/")[1:]:
            found = found[unquote(step).replace("~1", "/").replace("~0", "~")]
    except (LookupError, TypeError):
        return root
    return found
