"""Counts the subschemas of a JSON schema that may apply, and the references that it would unfold.

A schema may come from an MCP server and the arguments from a model, so neither may be able to hold
up the event loop.
"""

from collections.abc import Mapping
from math import inf
from typing import Final

from turngraph.state.json_types import JsonObject
from turngraph.state.schema_references import referenced, schema_parts
from turngraph.tools.schemas import applied_schemas

__all__ = ["can_be_inlined", "unfolded_size"]

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
ESCAPES: Final = frozenset("~%")
"""What begins an escaped character in a JSON pointer, or in the fragment of a URI."""
MAX_INLINED: Final = 1_000
"""References that may be replaced. Definitions that use each other twice double the schema at every
level: twenty of them, 2 kB, would become 270 MB.
"""


def can_be_inlined(schema: JsonObject) -> bool:
    """Whether LangChain can replace each `$ref` in `schema` by what it names: not without end, and
    at most MAX_INLINED times. It reads no escapes (`~1`, `%25`), and takes a `$ref` for a reference
    where it is the name of a property or part of a value.

        >>> can_be_inlined({"properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {}}})
        True
        >>> can_be_inlined({"properties": {"child": {"$ref": "#"}}})
        False
    """
    references = sum("$ref" in part for part in schema_parts(schema))
    is_plain = references == _named_ref(schema)
    return is_plain and _replaced(schema, schema, {}) <= MAX_INLINED


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


def _replaced(schema: object, root: JsonObject, counts: dict[str, float]) -> float:
    """Returns how many references are replaced to inline `schema`."""
    total, open_schemas = 0.0, [schema]
    while open_schemas:
        one = open_schemas.pop()
        if not isinstance(one, Mapping):
            continue
        open_schemas.extend(applied_schemas(one))
        if "$ref" not in one:
            continue
        reference = one["$ref"]
        if not isinstance(reference, str) or reference[:2] not in ("#", "#/"):
            return inf
        if ESCAPES & set(reference):
            return inf
        if reference not in counts:
            # Infinite until it is known: what is met again inside itself has no end.
            counts[reference] = inf
            counts[reference] = 1 + _replaced(_target(reference, root), root, counts)
        total += counts[reference]
    return total


def _named_ref(value: object) -> int:
    """Returns how many objects at any depth of `value` have a member called `$ref`."""
    if isinstance(value, Mapping):
        return ("$ref" in value) + sum(map(_named_ref, value.values()))
    return sum(map(_named_ref, value)) if isinstance(value, list) else 0


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
    try:
        return referenced(root, str(reference))
    except LookupError:
        return root
