"""JSON schemas in Gemini's dialect, a part of OpenAPI's. It refuses a request with anything else.

https://ai.google.dev/api/caching#Schema
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from turngraph.providers.writing.notes import Notes
from turngraph.providers.writing.schema_dialect import merged
from turngraph.state.json_types import JsonMapping, JsonObject

__all__ = ["gemini_schema"]

_WORDS: Final = frozenset(
    {"type", "format", "title", "description", "nullable", "enum", "properties", "required"}
    | {"minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum", "pattern"}
    | {"minProperties", "maxProperties", "anyOf", "default", "items", "propertyOrdering", "example"}
)
_SILENT: Final = frozenset(
    {"$defs", "definitions", "$schema", "$id", "$comment", "$anchor", "examples", "deprecated"}
    | {"readOnly", "writeOnly", "const", "prefixItems"}
)
"""Keywords whose loss changes nothing that a model is asked for."""
_WORDS_OF_TYPES: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("items", "minItems", "maxItems"), ("array",)),
    **dict.fromkeys(("properties", "required", "minProperties", "maxProperties"), ("object",)),
    "propertyOrdering": ("object",),
    **dict.fromkeys(("minLength", "maxLength", "pattern"), ("string",)),
    **dict.fromkeys(("minimum", "maximum"), ("integer", "number")),
}
"""Keywords that are refused beside any other type: "only allowed for OBJECT type"
(https://github.com/mastra-ai/mastra/issues/22489), "$type == Type.ARRAY".
"""
_BESIDE_BRANCHES: Final = frozenset({"title", "description", "nullable", "default", "example"})
"""Keywords that may stand beside an `anyOf`."""
_FORMATS: Final = frozenset({"date-time", "enum", "int32", "int64", "float", "double"})
_TYPES: Final[dict[type, str]] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    list: "array",
    dict: "object",
    type(None): "null",
}


def gemini_schema(schema: Any, notes: Notes) -> JsonObject:
    """`schema`, without references and in simple words, as Gemini takes it.

    Null is `nullable`, a list of types is an `anyOf`, an `enum` holds texts only (other values
    stand in the description), every value has a type where the schema tells it, and no word of
    another type. What stands beside an `anyOf` is said in each of its branches.

        >>> gemini_schema({"type": ["string", "null"]}, Notes("v", "m", strict=False))
        {'type': 'string', 'nullable': True}
    """
    if not isinstance(schema, dict):
        return {}
    node = _bounded(_nullable(_with_whole_branches(schema)), notes)
    node = _named_values(node)
    for name in ("items", "anyOf", "properties"):
        if name in node:
            node[name] = _inner(node[name], name, notes)
    if "type" not in node and "anyOf" not in node:
        found = {"properties": "object", "items": "array"}
        kind = next((kind for name, kind in found.items() if name in node), None)
        node = {"type": kind, **node} if kind else node
    for name, kinds in _WORDS_OF_TYPES.items():
        if name in node and node.get("type") not in kinds:
            node = _without(node, name)
    if isinstance(required := node.get("required"), list):
        known = [name for name in required if name in node.get("properties", {})]
        node = {**node, "required": known} if known else _without(node, "required")
    return _known_words(node, notes)


def _with_whole_branches(schema: JsonMapping) -> JsonObject:
    """`schema` with what stands beside its `anyOf` in each branch, which must be whole by itself.
    Without the `anyOf` where its branches only narrow what stands there.
    """
    branches, beside = schema.get("anyOf"), schema.keys() & _WORDS - _BESIDE_BRANCHES - {"anyOf"}
    if not isinstance(branches, list) or not beside:
        return dict(schema)
    outer = {name: value for name, value in schema.items() if name != "anyOf"}
    shared = {name: outer[name] for name in beside}
    whole = [merged([shared, branch]) for branch in branches]
    if None in whole or all("properties" in shared and set(b) <= {"required"} for b in branches):
        return outer
    return {**{name: value for name, value in outer.items() if name not in beside}, "anyOf": whole}


def _inner(value: Any, name: str, notes: Notes) -> Any:
    if name == "properties":
        return {key: gemini_schema(member, notes) for key, member in value.items()}
    if name == "anyOf":
        return [gemini_schema(member, notes) for member in value]
    return gemini_schema(value, notes)


def _nullable(node: JsonObject) -> JsonObject:
    """`node` with `nullable` for null among its types, branches or values."""
    node = _without(node, "default") if node.get("default", 0) is None else node
    kinds = node.get("type")
    if isinstance(kinds, list):
        node = _without(node, "type")
        rest = [kind for kind in kinds if kind != "null"]
        if len(rest) == 1:
            node = {"type": rest[0], **node}
        elif rest:
            node["anyOf"] = [{"type": kind} for kind in rest]
        if "null" in kinds:
            node["nullable"] = True
    if isinstance(branches := node.get("anyOf"), list):
        rest = [branch for branch in branches if not _is_null(branch)]
        if len(rest) < len(branches):
            node = {**_without(node, "anyOf"), "nullable": True}
            if len(rest) == 1 and isinstance(rest[0], dict):
                return _nullable({**rest[0], **node})
            node |= {"anyOf": rest} if rest else {"type": "null"}
    if _is_null(node):
        return {**_without(node, "enum"), "type": "null"}
    if isinstance(values := node.get("enum"), list) and None in values:
        node = {**node, "enum": [value for value in values if value is not None], "nullable": True}
    return node


def _is_null(schema: Any) -> bool:
    """Whether `schema` allows null alone. A `const` has become an `enum` before."""
    return isinstance(schema, dict) and (
        schema.get("enum") == [None] or ("enum" not in schema and schema.get("type") == "null")
    )


def _bounded(node: JsonObject, notes: Notes) -> JsonObject:
    """`node` with inclusive bounds for exclusive ones: the next integer, or the bound itself."""
    for name, bound, step in (
        ("exclusiveMinimum", "minimum", 1),
        ("exclusiveMaximum", "maximum", -1),
    ):
        if not isinstance(limit := node.get(name), int | float) or bound in node:
            continue
        node = _without(node, name)
        if node.get("type") == "integer":
            node[bound] = int(limit // 1) + 1 if step > 0 else -int(-limit // 1) - 1
        else:
            node[bound] = limit
            notes.add(f"`{name}` is sent as `{bound}`: {notes.vendor} knows no exclusive bounds.")
    return node


def _named_values(node: JsonObject) -> JsonObject:
    """`node` with an `enum` of texts only. Other values are told in the description, and numbers
    are bounded by the smallest and the largest.
    """
    values = node.get("enum")
    if not isinstance(values, list):
        return node
    values = [value for value in values if value != ""]  # "enum[0]: cannot be empty"
    texts = [value for value in values if isinstance(value, str)]
    kinds = list(dict.fromkeys(_TYPES[type(value)] for value in values))
    if values and len(texts) == len(values):
        return {"type": "string", **node, "enum": texts}
    node = _without(node, "enum")
    if not values:
        return node
    if len(kinds) == 1:
        node = {"type": kinds[0], **node}
        if kinds[0] in ("integer", "number"):
            node = {**node, "minimum": min(values), "maximum": max(values)}
        elif kinds[0] == "array":
            node = {"items": {}, **node}  # "items: missing field"
    elif "anyOf" not in node:
        kinds = [kind for kind in kinds if kind != "string"]
        branches: list[JsonObject] = [{"type": "string", "enum": texts}] if texts else []
        branches += [{"type": kind, **({"items": {}} if kind == "array" else {})} for kind in kinds]
        node = {**_without(node, "type"), "anyOf": branches}
    listed = ", ".join(
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for value in values
    )
    before = f"{node['description']} " if node.get("description") else ""
    return {**node, "description": f"{before}One of: {listed}."}


def _known_words(node: JsonObject, notes: Notes) -> JsonObject:
    kept: JsonObject = {}
    for name, value in node.items():
        if name == "format" and value not in _FORMATS:
            notes.add_dropped(f"format: {value}", f"{notes.vendor} does not know this format")
        elif name in _WORDS:
            kept[name] = value
        elif name == "additionalProperties" and isinstance(value, bool):
            continue  # what is not named is not asked for
        elif name not in _SILENT and not name.startswith("x-"):
            notes.add_dropped(name, f"{notes.vendor} does not know this keyword of JSON schemas")
    return kept


def _without(node: JsonObject, name: str) -> JsonObject:
    return {key: value for key, value in node.items() if key != name}
