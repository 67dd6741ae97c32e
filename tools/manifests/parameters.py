"""The parameters of a plugin as a JSON schema for the model, and the values a call ends up with."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from turngraph.tools.manifests.parts import Parameter

__all__ = ["fits", "schema_of", "values_of"]

JSON_TYPES: Final = {"float": "number"}
PYTHON_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "number": (int, float),
    "float": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list, tuple),
    "null": (type(None),),
}


def fits(value: object, kind: str) -> bool:
    """Is `value` of the parameter type `kind`? A boolean is no number, and 2.0 is an integer, as in
    JSON schema.

    >>> fits(True, "integer"), fits(2.0, "integer"), fits("x", "string")
    (False, True, True)
    """
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, PYTHON_TYPES[kind])


def schema_of(parameters: "Iterable[Parameter]") -> dict[str, Any]:
    """The JSON schema of a call's arguments; nothing beside the parameters is allowed."""
    parameters = tuple(parameters)
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {parameter.name: _property(parameter) for parameter in parameters},
        "additionalProperties": False,
    }
    required = [
        parameter.name
        for parameter in parameters
        if parameter.required and not _has_default(parameter)
    ]
    return schema | ({"required": required} if required else {})


def values_of(parameters: "Iterable[Parameter]", arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What each parameter is in a call: as given, else its default, else `None`. A `null` is a
    value not given.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    return {
        parameter.name: given.get(parameter.name, parameter.default) for parameter in parameters
    }


def _has_default(parameter: "Parameter") -> bool:
    return "default" in parameter.model_fields_set


def _property(parameter: "Parameter") -> dict[str, Any]:
    """A parameter that is not required may also be `null`: models that must name every argument
    write that.
    """
    kind: Any = JSON_TYPES.get(parameter.type, parameter.type)
    nullable = not parameter.required or (_has_default(parameter) and parameter.default is None)
    found: dict[str, Any] = {"type": [kind, "null"] if nullable and kind != "null" else kind}
    if parameter.description:
        found["description"] = parameter.description
    if parameter.enum is not None:
        found["enum"] = [
            *parameter.enum,
            *([None] if nullable and None not in parameter.enum else []),
        ]
    if parameter.default is not None:
        found["default"] = parameter.default
    return found
