"""The types a parameter of a plugin can have, and the check of a value against one."""

from collections.abc import Mapping
from typing import Final

__all__ = ["JSON_TYPES", "has_type"]

JSON_TYPES: Final = {"float": "number"}
"""JSON schema's name of a type, where it differs."""
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


def has_type(value: object, kind: str) -> bool:
    """Whether `value` is of the parameter type `kind`.

    As in JSON schema, a boolean is not a number, and 2.0 is an integer.

    >>> has_type(True, "integer"), has_type(2.0, "integer"), has_type("x", "string")
    (False, True, True)
    """
    if isinstance(value, bool):  # in Python a bool is an int too
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, PYTHON_TYPES[kind])
