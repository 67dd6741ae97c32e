"""The parameters of a plugin: their JSON schema for the model, and their values in a call."""

from collections.abc import Iterable, Mapping
from typing import Any

from turngraph.state.json_types import JsonObject
from turngraph.tools.manifests.parts import Parameter
from turngraph.tools.manifests.value_types import JSON_TYPES

__all__ = ["parameter_values", "parameters_schema"]


def parameters_schema(parameters: Iterable[Parameter]) -> JsonObject:
    """Returns the JSON schema of a call's arguments. It allows only `parameters`."""
    parameters = tuple(parameters)
    schema: JsonObject = {
        "type": "object",
        "properties": {parameter.name: _property_schema(parameter) for parameter in parameters},
        "additionalProperties": False,
    }
    required = [
        parameter.name
        for parameter in parameters
        if parameter.required and not _has_default(parameter)
    ]
    return schema | ({"required": required} if required else {})


def parameter_values(
    parameters: Iterable[Parameter], arguments: Mapping[str, object]
) -> JsonObject:
    """Returns the value of each parameter in a call: the argument, else the default, else None.

    An argument of `null` counts as not given.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    return {
        parameter.name: given.get(parameter.name, parameter.default) for parameter in parameters
    }


def _has_default(parameter: Parameter) -> bool:
    """Whether the manifest gives a default, `default: null` included."""
    return "default" in parameter.model_fields_set


def _property_schema(parameter: Parameter) -> JsonObject:
    kind: Any = JSON_TYPES.get(parameter.type, parameter.type)
    # Some models must name every argument; they write `null` for one they do not want to give.
    nullable = not parameter.required or (_has_default(parameter) and parameter.default is None)
    schema: JsonObject = {"type": [kind, "null"] if nullable and kind != "null" else kind}
    if parameter.description:
        schema["description"] = parameter.description
    if parameter.enum is not None:
        schema["enum"] = [
            *parameter.enum,
            *([None] if nullable and None not in parameter.enum else []),
        ]
    if parameter.default is not None:
        schema["default"] = parameter.default
    return schema
