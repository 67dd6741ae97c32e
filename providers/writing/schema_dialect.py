"""JSON schemas rewritten without a change of meaning, for vendors that know fewer keywords."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from turngraph.state.json_types import JsonMapping, JsonObject
from turngraph.state.schema_references import fits_nothing

__all__ = ["NO_STRICT_SCHEMA", "in_simple_words", "merged", "strict_schema"]

NO_STRICT_SCHEMA: Final = (
    "is sent without `strict`: a strict schema describes no values of any kind, no tuples, no "
    "combined schemas, and no objects whose members have no fixed names."
)
"""The end of a warning about a schema for which `strict_schema` has no form."""

_NAMED: Final = ("properties", "patternProperties", "$defs", "definitions")
"""Keywords whose members the author names."""
_VALUES: Final = ("enum", "const", "default", "required", "examples")
"""Keywords that hold values and no schemas."""
_ANNOTATIONS: Final = frozenset({"title", "description", "default", "examples", "deprecated"})
"""Keywords that narrow nothing: around a schema and inside it, the outer one counts."""
_STRICT_KINDS: Final = frozenset({"type", "anyOf", "$ref", "enum", "const"})
"""Keywords of which a strict schema has one at every place."""
_NOT_STRICT: Final = frozenset(
    {"allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas"}
    | {"patternProperties", "prefixItems", "propertyNames", "contains", "unevaluatedProperties"}
)
"""Keywords that strict schemas do not have, and that change too much to be left out."""
_STRICT_WORDS: Final = _STRICT_KINDS | frozenset(
    {"title", "description", "properties", "required", "additionalProperties", "items", "$defs"}
    | {"definitions", "pattern", "format", "minLength", "maxLength", "minItems", "maxItems"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
)
"""Every keyword of strict schemas."""
_STRICT_FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
)
_TYPES: Final = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
_OTHER_TYPES: Final[Mapping[str, str]] = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "dict": "object",
    "list": "array",
}
"""What Python's words for types mean, which servers of tools write by mistake."""
_LOOKAROUND: Final = re.compile(r"\(\?<?[=!]")
_JSON_TYPES: Final[Mapping[type, str]] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
}


def in_simple_words(schema: JsonMapping, *, const: bool = True) -> JsonObject:
    """`schema` in the keywords that every vendor knows.

    `oneOf` becomes `anyOf` and loses its `discriminator`, the members of an `allOf` are merged
    where they do not contradict each other, an array has `items`, which OpenAI demands, a tuple's
    array too, and what older drafts or careless servers write (`exclusiveMinimum: true`, a list as
    `items`, `required: null`, the types `String` or `any`) is said in today's words.

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
    checked against the whole schema when it has come. Keywords that say nothing of the value
    (`examples`, `default`, a vendor's `x-…`) are left out too.
    https://platform.openai.com/docs/guides/structured-outputs#supported-schemas

        >>> strict_schema({"type": "object", "properties": {"a": {"type": "string"}}})["required"]
        ['a']
        >>> strict_schema({"type": "object", "additionalProperties": {"type": "integer"}})
    """
    unsayable: list[JsonObject] = []

    def closed(node: JsonObject) -> JsonObject:
        if unsaid := _NOT_STRICT & node.keys():
            unsayable.append({name: node[name] for name in unsaid})
        node = _without_refused(_with_null(node))
        if not _STRICT_KINDS & node.keys():
            unsayable.append(node)
            return node
        if "$ref" in node and len(node) > 1:
            # Strict modes take no keyword beside a reference.
            rest = {name: value for name, value in node.items() if name != "$ref"}
            return {"anyOf": [{"$ref": node["$ref"]}], **rest}
        if not _is_object(node):
            return node
        extra = node.get("additionalProperties")
        if extra is True or isinstance(extra, dict) or ("properties" not in node and extra is None):
            unsayable.append(node)
            return node
        properties = node.get("properties", {})
        return {
            **node,
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    strict = _rewrite(_rewrite(schema, lambda node: _simplified(node, const=True)), closed)
    # The root is an object: no reference, no union, no list.
    return None if unsayable or strict.get("type") != "object" else dict(strict)


def _without_refused(node: JsonObject) -> JsonObject:
    """`node` without what only narrows its values, in words that strict modes refuse."""
    refused = set(node.keys() - _STRICT_WORDS)
    if str(node.get("format")) not in _STRICT_FORMATS:
        refused.add("format")
    if _LOOKAROUND.search(str(node.get("pattern"))):
        refused.add("pattern")
    return {name: value for name, value in node.items() if name not in refused}


def _with_null(node: JsonObject) -> JsonObject:
    """`node` with null among its types, where OpenAPI's `nullable` says so."""
    kind = node.get("type")
    if node.get("nullable") is not True or kind is None:
        return node
    kinds = [*kind, "null"] if isinstance(kind, list) else [kind, "null"]
    node = {**node, "type": list(dict.fromkeys(kinds))}
    if isinstance(values := node.get("enum"), list) and None not in values:
        node["enum"] = [*values, None]
    return node


def _any_of(schemas: object) -> JsonObject:
    """A schema that fits wherever one of `schemas` does; without any, one that fits everything."""
    if not isinstance(schemas, list) or any(schema is True for schema in schemas):
        return {}
    possible = [schema for schema in schemas if isinstance(schema, dict)]  # `false` fits nothing
    distinct = [schema for place, schema in enumerate(possible) if schema not in possible[:place]]
    return {"anyOf": distinct} if len(distinct) > 1 else dict(*distinct)


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
            # `true` fits everything, and so does `{}`; a member that nothing fits can never be.
            inner[name] = {
                key: _rewrite({} if value is True else value, change)
                for key, value in member.items()
                if not fits_nothing(value)
            }
        elif name in _VALUES:
            inner[name] = member
        elif name == "discriminator":
            continue
        else:
            inner[name] = _rewrite(member, change)
    return change(inner)


def _simplified(node: JsonObject, *, const: bool) -> JsonObject:
    node = _corrected(node)
    if isinstance(node.get("oneOf"), list) and "anyOf" not in node:
        node = {("anyOf" if name == "oneOf" else name): value for name, value in node.items()}
    if isinstance(parts := node.get("allOf"), list) and parts:
        rest = {name: value for name, value in node.items() if name != "allOf"}
        node = merged([*parts, rest]) or node
    if _is_array(node):
        node = _with_items(node)
    if not const and "const" in node:
        value = node["const"]
        node = {name: member for name, member in node.items() if name != "const"}
        node["enum"] = [value]
        if type(value) in _JSON_TYPES:
            node.setdefault("type", _JSON_TYPES[type(value)])
    return node


def _corrected(node: JsonObject) -> JsonObject:
    """`node` without what no draft allows, and with draft 4's exclusive bounds as they are now."""
    if "type" in node and not _is_type(node["type"]):
        node = _with_known_types(node)
    for name, kind in (("properties", dict), ("required", list)):
        if name in node and not isinstance(node[name], kind):
            node = {key: value for key, value in node.items() if key != name}
    for name, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(is_exclusive := node.get(name), bool):
            node = {key: value for key, value in node.items() if key != name}
            if is_exclusive and bound in node:
                node[name] = node.pop(bound)
    return node


def _is_type(kind: object) -> bool:
    kinds = kind if isinstance(kind, list) and kind else [kind]
    return all(isinstance(each, str) and each in _TYPES for each in kinds)


def _with_known_types(node: JsonObject) -> JsonObject:
    """`node` with the types that it means. A word that is none of them says nothing."""
    written = node["type"]
    words = [str(each).lower() for each in (written if isinstance(written, list) else [written])]
    known = [_OTHER_TYPES.get(word, word) for word in words]
    rest = {name: value for name, value in node.items() if name != "type"}
    if not known or not _is_type(known):
        return rest
    return {"type": known if isinstance(written, list) else known[0], **rest}


def _with_items(node: JsonObject) -> JsonObject:
    """`node`, an array, with one schema as its `items`."""
    items = node.get("items")
    if isinstance(items, list):  # a tuple, in older drafts
        return {**node, "prefixItems": items, "items": _any_of(items)}
    return node if isinstance(items, dict) else {**node, "items": _any_of(node.get("prefixItems"))}


def _is_array(node: JsonMapping) -> bool:
    kind = node.get("type")
    return kind == "array" or (isinstance(kind, list) and "array" in kind)


def merged(schemas: Sequence[object]) -> JsonObject | None:
    """One schema for what fits all of `schemas`, or None if they say different things in one word.

    >>> merged([{"properties": {"a": {}}, "required": ["a"]}, {"properties": {"b": {}}}])
    {'properties': {'a': {}, 'b': {}}, 'required': ['a']}
    """
    whole: JsonObject = {}
    for schema in schemas:
        if not isinstance(schema, dict):
            return None
        for name, value in schema.items():
            before: Any = whole.get(name, value)
            if name in ("properties", "$defs", "definitions"):
                if any(before.get(key, member) != member for key, member in value.items()):
                    return None
                whole[name] = {**before, **value} if name in whole else value
            elif name == "required":
                whole[name] = list(dict.fromkeys([*before, *value]))
            elif before == value or name in _ANNOTATIONS:
                whole[name] = value
            else:
                return None
    # Strict modes and most servers take nothing beside a reference.
    return None if "$ref" in whole and whole.keys() - _ANNOTATIONS - {"$ref"} else whole
