"""JSON schemas rewritten without a change of meaning, for vendors that know fewer keywords."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from turngraph.state.json_types import JsonMapping, JsonObject

__all__ = ["NO_STRICT_SCHEMA", "in_simple_words", "strict_schema"]

NO_STRICT_SCHEMA: Final = (
    "is sent without `strict`: a strict schema describes no values of any kind, no tuples, no "
    "combined schemas, and no objects whose members have no fixed names."
)
"""The end of a warning about a schema for which `strict_schema` has no form."""

_NAMED: Final = ("properties", "patternProperties", "$defs", "definitions")
"""Keywords whose members the author names."""
_VALUES: Final = ("enum", "const", "default", "required", "examples")
"""Keywords that hold values and no schemas."""
_STRICT_KINDS: Final = frozenset({"type", "anyOf", "$ref", "enum", "const"})
"""Keywords of which a strict schema has one at every place."""
_NOT_STRICT: Final = frozenset(
    {"allOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas"}
    | {"patternProperties", "prefixItems", "propertyNames", "contains", "unevaluatedProperties"}
)
"""Keywords that strict schemas do not have."""
_STRICT_FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
)
_LOOKAROUND: Final = re.compile(r"\(\?<?[=!]")
_JSON_TYPES: Final[Mapping[type, str]] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
}


def in_simple_words(schema: JsonMapping, *, const: bool = True) -> JsonObject:
    """`schema` in the keywords that every vendor knows.

    `oneOf` becomes `anyOf` and loses its `discriminator`, an `allOf` of one member is merged, and
    an array has `items`, which OpenAI demands, a tuple's array too.

    const: whether the vendor knows `const`. If not, it becomes an `enum` of one value.

        >>> in_simple_words({"const": "km"}, const=False)
        {'enum': ['km'], 'type': 'string'}
        >>> in_simple_words({"type": "array"})
        {'type': 'array', 'items': {}}
    """
    return dict(_rewrite(schema, lambda node: _simplified(node, const=const)))


def strict_schema(schema: JsonMapping) -> JsonObject | None:
    """`schema` closed and complete, as strict modes demand, or None if it cannot be.

    Every object gets `additionalProperties: false` and requires each of its properties. A value of
    any kind (`Any`, a `list` of anything), a tuple, and an object whose members have no fixed names
    cannot be described. Left out is what only narrows a value and is refused: the `uniqueItems` of
    a set, formats such as a URL's, and patterns that look ahead, such as a decimal's. The answer is
    checked against the whole schema when it has come.
    https://platform.openai.com/docs/guides/structured-outputs#supported-schemas

        >>> strict_schema({"type": "object", "properties": {"a": {"type": "string"}}})["required"]
        ['a']
        >>> strict_schema({"type": "object", "additionalProperties": {"type": "integer"}})
    """
    unsayable: list[JsonObject] = []

    def closed(node: JsonObject) -> JsonObject:
        node = _without_refused(node)
        if not _STRICT_KINDS & node.keys() or _NOT_STRICT & node.keys():
            unsayable.append(node)
            return node
        if "$ref" in node and len(node) > 1:
            # Strict modes take no keyword beside a reference.
            rest = {name: value for name, value in node.items() if name not in ("$ref", "default")}
            return {"anyOf": [{"$ref": node["$ref"]}], **rest}
        if not _is_object(node):
            return node
        extra = node.get("additionalProperties")
        if extra is True or isinstance(extra, dict) or ("properties" not in node and extra is None):
            unsayable.append(node)
            return node
        # A default would promise that the property may be missing.
        properties = {
            name: {key: value for key, value in member.items() if key != "default"}
            if isinstance(member, dict)
            else member
            for name, member in node.get("properties", {}).items()
        }
        return {
            **node,
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    strict = _rewrite(_rewrite(schema, lambda node: _simplified(node, const=True)), closed)
    return None if unsayable else dict(strict)


def _without_refused(node: JsonObject) -> JsonObject:
    """`node` without what only narrows its values, in words that strict modes refuse."""
    refused = {"uniqueItems"}
    if node.get("format") not in _STRICT_FORMATS:
        refused.add("format")
    if _LOOKAROUND.search(str(node.get("pattern"))):
        refused.add("pattern")
    return {name: value for name, value in node.items() if name not in refused}


def _any_of(schemas: object) -> JsonObject:
    """A schema that fits wherever one of `schemas` does; without any, one that fits everything."""
    if not isinstance(schemas, list) or not schemas:
        return {}
    distinct = [schema for place, schema in enumerate(schemas) if schema not in schemas[:place]]
    return {"anyOf": distinct} if len(distinct) > 1 else {**distinct[0]}


def _is_object(node: JsonMapping) -> bool:
    kind = node.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in node


def _rewrite(node: Any, change: Callable[[JsonObject], JsonObject]) -> Any:
    """`node` with every schema inside it changed, the innermost first."""
    if isinstance(node, list):
        return [_rewrite(member, change) for member in node]
    if not isinstance(node, Mapping):
        return node
    inner: JsonObject = {}
    for name, member in node.items():
        if name in _NAMED and isinstance(member, dict):
            inner[name] = {key: _rewrite(value, change) for key, value in member.items()}
        elif name in _VALUES:
            inner[name] = member
        elif name == "discriminator":
            continue
        else:
            inner[name] = _rewrite(member, change)
    return change(inner)


def _simplified(node: JsonObject, *, const: bool) -> JsonObject:
    if isinstance(node.get("oneOf"), list) and "anyOf" not in node:
        node = {("anyOf" if name == "oneOf" else name): value for name, value in node.items()}
    if isinstance(parts := node.get("allOf"), list) and len(parts) == 1:
        rest = {name: value for name, value in node.items() if name != "allOf"}
        if isinstance(parts[0], dict) and parts[0].keys().isdisjoint(rest.keys() - {"description"}):
            node = {**parts[0], **rest}
    if node.get("type") == "array" and "items" not in node:
        node = {**node, "items": _any_of(node.get("prefixItems"))}
    if not const and "const" in node:
        value = node["const"]
        node = {name: member for name, member in node.items() if name != "const"}
        node["enum"] = [value]
        if type(value) in _JSON_TYPES:
            node.setdefault("type", _JSON_TYPES[type(value)])
    return node
