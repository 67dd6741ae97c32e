"""The form in which a run's input and context are typed, made from the graph's schemas."""

import json
from collections.abc import Mapping
from typing import Any, Final, NotRequired, Required, get_args, get_origin, get_type_hints

from langgraph.channels import DeltaChannel
from langgraph.channels.binop import BinaryOperatorAggregate
from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError
from typing_extensions import is_typeddict

from turngraph.interfaces.user_graphs.loading import Graph
from turngraph.state.json_types import JsonObject

__all__ = ["context_fields", "example_of", "input_fields"]

_KINDS: Final = {"string": "text", "integer": "number", "number": "number", "boolean": "switch"}
"""How a value of a JSON type is typed; everything else is typed as JSON."""
_WITH_REDUCER: Final = (BinaryOperatorAggregate, DeltaChannel)


def input_fields(graph: Graph) -> list[JsonObject]:
    """Returns the fields of the form, those that a run usually begins with first.

    `kind` says how a field is typed: `chat` (the text of a message), `text`, `number`, `switch` or
    `json`. `required` is whether the graph refuses an input without it, `first` whether it is shown
    at once. The list is empty if the graph does not say what its input is.
    """
    properties, usual, definitions = _schema(graph)
    # A reducer adds to what is there, so its field can begin empty.
    first = frozenset(
        name for name in usual if not isinstance(graph.channels.get(name), _WITH_REDUCER)
    )
    builder = getattr(graph, "builder", None)
    # LangGraph does not check a TypedDict: a run may begin with any part of it.
    is_checked = not is_typeddict(getattr(builder, "input_schema", None))
    return _fields(properties, first if is_checked else frozenset(), first, definitions)


def context_fields(graph: Graph) -> list[JsonObject]:
    """Returns the fields of the form for the run's context; empty if the graph has none."""
    try:
        schema = graph.get_context_jsonschema() or {}
    except PydanticUserError:
        hints = get_type_hints(graph.context_schema, include_extras=True)
        schema = {"properties": {name: _schema_of_type(hint) for name, hint in hints.items()}}
    required = frozenset(schema.get("required", ()))
    definitions = schema.get("$defs", {})
    return _fields(schema.get("properties", {}), required, required, definitions)


def _fields(
    properties: Mapping[str, Any],
    required: frozenset[str],
    first: frozenset[str],
    definitions: Mapping[str, Any],
) -> list[JsonObject]:
    whole = {name: _resolved(schema, definitions) for name, schema in properties.items()}
    fields = [
        {
            "name": name,
            "kind": _kind(name, schema),
            "required": name in required,
            "first": name in first,
            "description": schema.get("description", "") or _keys_of(whole[name]),
            "default": schema.get("default"),
            "example": example_of(whole[name]),
        }
        for name, schema in properties.items()
    ]
    return sorted(fields, key=lambda field: not (field["first"] or field["kind"] == "chat"))


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """The one schema that a value may have beside null, with a reference followed."""
    types = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    if len(types) != 1:
        return schema
    name = str(types[0].get("$ref", "")).rpartition("/")[2]
    found = definitions.get(name, types[0])
    return found if isinstance(found, Mapping) else schema


def _keys_of(schema: Mapping[str, Any]) -> str:
    """The keys of an object, in a sentence; empty if it may have any, or is none."""
    keys = ", ".join(f"`{name}`" for name in schema.get("properties", {}))
    return f"Any of the keys {keys}." if keys else ""


def _schema(graph: Graph) -> tuple[Mapping[str, Any], frozenset[str], Mapping[str, Any]]:
    """The schema of each field, which of them have no default, and the definitions."""
    try:
        schema = graph.get_input_jsonschema()
    except PydanticUserError:
        # Before Python 3.12, pydantic takes no TypedDict of the standard library as a whole.
        state = getattr(getattr(graph, "builder", None), "input_schema", None)
        hints = {} if state is None else get_type_hints(state, include_extras=True)
        properties = {name: _schema_of_type(hint) for name, hint in hints.items()}
        return properties, getattr(state, "__required_keys__", frozenset()), {}
    properties, required = schema.get("properties", {}), frozenset(schema.get("required", ()))
    return properties, required, schema.get("$defs", {})


def _schema_of_type(hint: Any) -> JsonObject:
    if get_origin(hint) in (NotRequired, Required):
        (hint,) = get_args(hint)
    try:
        return TypeAdapter(hint).json_schema()
    except PydanticUserError:
        return {}


_EXAMPLES: Final = {"string": ["a", "b"], "integer": [1, 2], "number": [0.5, 1.5]}
"""Two values of a JSON type."""


def example_of(schema: Mapping[str, Any]) -> str:
    """Returns JSON of the kind that `schema` takes, such as `["a", "b"]`; empty if it is unclear.

    >>> example_of({"type": "array", "items": {"type": "string"}})
    '["a", "b"]'
    """
    if schema.get("type") == "array":
        values = _EXAMPLES.get(str(schema.get("items", {}).get("type")))
        return "[…]" if values is None else json.dumps(values)
    if schema.get("type") != "object":
        return ""
    numbers = (
        name
        for name, each in schema.get("properties", {}).items()
        if {"number", "integer"} & {str(kind.get("type")) for kind in each.get("anyOf", [each])}
    )
    number = next(numbers, None)
    return '{"name": "value"}' if number is None else json.dumps({number: 1})


def _kind(name: str, schema: Mapping[str, Any]) -> str:
    if name == "messages" and schema.get("type") == "array":
        return "chat"
    # An optional value is written as the value's type or null.
    types = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    return _KINDS.get(str(types[0].get("type")), "json") if len(types) == 1 else "json"
