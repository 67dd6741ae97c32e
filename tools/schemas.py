"""Walks JSON schemas of tools: their depth, the schemas inside them, arrays without `items`."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from turngraph.state.depth import SCHEMA_LEVELS, is_deeper_than
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.json_types import JsonObject

__all__ = ["applied_schemas", "check_depth", "subschemas", "with_items"]

DEFINITIONS: Final = ("$defs", "definitions")
IN_MAPS: Final = ("properties", "patternProperties", "dependentSchemas")
IN_LISTS: Final = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
ALONE: Final = (
    "additionalItems",
    "additionalProperties",
    "contains",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
)
"""The keywords that hold a schema, a list or a map of schemas. The definitions apply only where
something refers to them. Everything else, such as `default`
or `enum`, holds data (https://json-schema.org/draft/2020-12/json-schema-core#section-10).
"""


def check_depth(name: str, schema: object) -> None:
    """Checks that `schema`, which belongs to the tool `name`, has at most SCHEMA_LEVELS levels.

    Raises TurnConfigurationError. Without this check a deep schema ends in a RecursionError, here
    or in the code of others.
    """
    if is_deeper_than(SCHEMA_LEVELS, schema):
        raise TurnConfigurationError(
            f"The schema of tool `{name[:100]}` is nested deeper than {SCHEMA_LEVELS} levels. Put "
            "inner objects into `$defs` and refer to them, or flatten the arguments."
        )


def subschemas(schema: object) -> Iterator[Mapping[str, Any]]:
    """Yields `schema` and every schema inside it, at any depth."""
    if not isinstance(schema, Mapping):
        return
    yield schema
    for inner in (*applied_schemas(schema), *_in_maps(schema, DEFINITIONS)):
        yield from subschemas(inner)


def applied_schemas(schema: Mapping[str, Any]) -> Iterator[object]:
    """Yields the schemas directly inside `schema`, without its definitions.

    >>> list(applied_schemas({"items": {"type": "string"}, "$defs": {"a": {}}}))
    [{'type': 'string'}]
    """
    yield from _in_maps(schema, IN_MAPS)
    for keyword in IN_LISTS:
        if isinstance(held := schema.get(keyword), list):
            yield from held
    for keyword in ALONE:
        if isinstance(held := schema.get(keyword), Mapping):
            yield held


def with_items(schema: JsonObject) -> JsonObject:
    """Returns `schema`, in which every array has `items`. It is changed in place.

    OpenAI refuses an array without them.

        >>> with_items({"type": "array"})
        {'type': 'array', 'items': {}}
    """
    for inner in subschemas(schema):
        kind = inner.get("type")
        is_array = kind == "array" or (isinstance(kind, list) and "array" in kind)
        if is_array and isinstance(inner, dict) and not {"items", "prefixItems"} & inner.keys():
            inner["items"] = {}
    return schema


def _in_maps(schema: Mapping[str, Any], keywords: tuple[str, ...]) -> Iterator[object]:
    for keyword in keywords:
        if isinstance(held := schema.get(keyword), Mapping):
            yield from held.values()
