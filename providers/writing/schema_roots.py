"""The root of a schema: vendors want one object there, and no reference or union of objects."""

from collections.abc import Mapping
from typing import Any, Final

from turngraph.providers.writing.notes import Notes
from turngraph.providers.writing.schema_dialect import merged
from turngraph.state.json_types import JsonMapping, JsonObject
from turngraph.state.schema_references import referenced

__all__ = ["object_root", "resolve", "without_root_reference"]

_REFUSED: Final = ("anyOf", "oneOf", "allOf", "not", "enum", "const")
"""Keywords that OpenAI and Anthropic refuse at the root of a tool's schema."""


def resolve(root: JsonMapping, reference: str) -> JsonMapping:
    """What `reference` points to inside `root`; a schema for any object if it points nowhere.

    >>> resolve({"$defs": {"A": {"type": "string"}}}, "#/$defs/A")
    {'type': 'string'}
    """
    try:
        node = referenced(root, reference)
    except LookupError:
        node = None
    return node if isinstance(node, Mapping) else {"type": "object"}


def without_root_reference(schema: JsonMapping) -> JsonObject:
    """`schema` with what its root refers to in the root's place.

    Pydantic writes such a root for a class that refers to itself.

        >>> without_root_reference({"$ref": "#/$defs/A", "$defs": {"A": {"type": "object"}}})
        {'$defs': {'A': {'type': 'object'}}, 'type': 'object'}
    """
    root = dict(schema)
    followed: set[str] = set()
    while isinstance(reference := root.get("$ref"), str) and reference not in followed:
        followed.add(reference)
        rest = {name: value for name, value in root.items() if name != "$ref"}
        root = {**rest, **resolve(schema, reference)} if reference != "#" else rest
    return root


def object_root(schema: JsonMapping, notes: Notes) -> JsonObject:
    """`schema` as one object with `properties`. A union of objects becomes one that has all of
    their properties, of which only those are required that all of them require.

        >>> object_root({}, Notes("v", "m", strict=False))
        {'type': 'object', 'properties': {}}
    """
    root = without_root_reference(schema)
    kind = root.get("type")
    if kind is None or (isinstance(kind, list) and "object" in kind):
        root = {"type": "object", **{name: root[name] for name in root if name != "type"}}
    if root["type"] != "object":
        return root
    refused = [name for name in _REFUSED if name in root]
    if refused:
        listed = ", ".join(f"`{name}`" for name in refused)
        notes.add(
            f"The {listed} at the root of a schema is sent as one object: vendors take nothing "
            "else there."
        )
        root = _as_one_object(root, schema)
    return {**root, "properties": root.get("properties", {})}


def _as_one_object(root: JsonObject, schema: JsonMapping) -> JsonObject:
    whole = {name: value for name, value in root.items() if name not in _REFUSED}
    properties = dict(whole.get("properties", {}))
    required = list(whole.get("required", []))
    for word in ("anyOf", "oneOf", "allOf"):
        parts = [_resolved(part, schema) for part in root.get(word, ()) if isinstance(part, dict)]
        # A branch that only says what is required beside the root's properties adds none.
        for part in parts:
            for name, member in part.get("properties", {}).items():
                properties[name] = _either(properties.get(name, member), member)
        named = [part.get("required", []) for part in parts]
        for name in dict.fromkeys(name for names in named for name in names):
            if name not in required and (word == "allOf" or all(name in names for names in named)):
                required.append(name)
    whole["properties"] = properties
    return {**whole, "required": required} if required else whole


def _resolved(part: JsonMapping, schema: JsonMapping) -> JsonMapping:
    reference = part.get("$ref")
    return resolve(schema, reference) if isinstance(reference, str) else part


def _either(one: Any, other: Any) -> Any:
    """A schema for what fits `one` or `other`."""
    if one == other:
        return one
    enums = [_values(schema) for schema in (one, other)]
    if None not in enums:
        values = [value for enum in enums for value in enum or ()]
        common = merged(
            [{k: v for k, v in s.items() if k not in ("const", "enum")} for s in (one, other)]
        )
        return {**(common or {}), "enum": values}
    branches = one["anyOf"] if isinstance(one, dict) and set(one) == {"anyOf"} else [one]
    return one if other in branches else {"anyOf": [*branches, other]}


def _values(schema: Any) -> list[Any] | None:
    if not isinstance(schema, dict):
        return None
    return [schema["const"]] if "const" in schema else schema.get("enum")
