"""Small questions about one JSON schema, for the schema sampler."""

from collections.abc import Mapping, Sequence
from typing import Any

from turngraph.state.json_types import JsonObject

__all__ = [
    "example_or",
    "first_not_null",
    "invent_number",
    "is_allowed",
    "is_nullable",
    "merge_schemas",
    "schema_type",
]


def schema_type(schema: Mapping[str, object]) -> str:
    """Returns the type of the schema; the first that is not null, where there are several.

    >>> schema_type({"type": ["null", "integer"]}), schema_type({"properties": {}})
    ('integer', 'object')
    """
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if kind is None:
        kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(kind)


def is_nullable(schema: object) -> bool:
    """Whether the schema allows null."""
    if not isinstance(schema, Mapping):
        return False
    return (
        schema.get("type") == "null"
        or "null" in schema.get("type", ())
        or any(map(is_nullable, schema.get("anyOf", ())))
    )


def example_or(schema: Mapping[str, Any], fallback: Any) -> Any:
    """Returns the first example of the schema, or its default, or `fallback`."""
    examples = schema.get("examples") or ([schema["example"]] if "example" in schema else [])
    if examples:
        return examples[0]
    return schema["default"] if schema.get("default") is not None else fallback


def is_allowed(number: float, schema: Mapping[str, Any]) -> bool:
    """Whether the number is within all bounds of the schema."""
    return (
        number >= schema.get("minimum", number)
        and number <= schema.get("maximum", number)
        and ("exclusiveMinimum" not in schema or number > schema["exclusiveMinimum"])
        and ("exclusiveMaximum" not in schema or number < schema["exclusiveMaximum"])
        and ("multipleOf" not in schema or number % schema["multipleOf"] == 0)
    )


def invent_number(schema: Mapping[str, Any], *, integer: bool) -> int | float:
    """Returns 1 if the schema allows it, or else a number near one of its bounds."""
    step = schema.get("multipleOf", 1)
    bounds = [
        schema[key]
        for key in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
        if key in schema
    ]
    # A bound may be excluded, a number may have to be whole or a multiple: so the neighbors of each
    # bound are tried as well.
    near = [1, *(bound + shift for bound in bounds for shift in (0, 1, -1, 0.5, -0.5))]
    stepped = [candidate // step * step + shift for candidate in near for shift in (0, step)]
    for number in [*near, *stepped]:
        if is_allowed(number, schema) and (not integer or number == int(number)):
            return int(number) if integer else number
    return 1


def first_not_null(alternatives: Sequence[object]) -> Any:
    """Returns the first alternative that is more than null, or a schema that allows everything."""
    return next(
        (
            one
            for one in alternatives
            if not (isinstance(one, Mapping) and one.get("type") == "null")
        ),
        {},
    )


def merge_schemas(parts: Sequence[Mapping[str, Any]]) -> JsonObject:
    """Returns one schema for several that must all hold.

    Properties and required names are collected; of all other keywords the last schema's value wins.
    """
    merged: JsonObject = {}
    for part in parts:
        properties = {**merged.get("properties", {}), **part.get("properties", {})}
        required = [*merged.get("required", ()), *part.get("required", ())]
        merged |= part
        if properties:
            merged["properties"] = properties
        if required:
            merged["required"] = required
    return merged
