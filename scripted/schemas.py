"""Is a schema one the vendor would take? JSON Schema at all, and, where it is to be strict, a
strict one.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NoReturn

__all__ = ["SchemaError", "check_schema"]


class SchemaError(Exception):
    """A schema is refused; the sentence says what about it."""


def check_schema(schema: Any, *, strict: bool) -> None:
    """Raise SchemaError unless `schema` describes an object, in JSON Schema, and strictly where
    `strict` is set.

    >>> check_schema({"type": "object", "properties": {"x": {}}}, strict=True)
    Traceback (most recent call last):
    turngraph.scripted.schemas.SchemaError: In context=(), 'additionalProperties' is required ...
    """
    problem = _problem(json.dumps(schema), strict)
    if problem is not None:
        raise SchemaError(problem)


@lru_cache(maxsize=1024)
def _problem(written: str, strict: bool) -> str | None:
    """Remembered, because a conversation sends the same tools with every request."""
    import jsonschema

    schema = json.loads(written)
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
        if not isinstance(schema, dict) or schema.get("type", "object") != "object":
            return f"schema must be a JSON Schema of 'type: \"object\"', got {written[:100]}."
        if strict:
            _check_strict(schema, ())
    except jsonschema.SchemaError as exc:
        return f"{exc.message[:200]}."
    except SchemaError as exc:
        return str(exc)
    return None


def _check_strict(schema: Any, place: tuple[str, ...]) -> None:
    """A strict schema closes every object and requires all its properties.

    Source: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
    """
    if not isinstance(schema, dict):
        return
    if "properties" in schema or schema.get("type") == "object":
        _check_closed(schema, place)
    _check_strict(schema.get("items"), (*place, "items"))
    for number, inner in enumerate(schema.get("anyOf", ())):
        _check_strict(inner, (*place, "anyOf", str(number)))
    for key in ("properties", "$defs"):
        for name, inner in schema.get(key, {}).items():
            _check_strict(inner, (*place, key, name))


def _check_closed(schema: Mapping[str, Any], place: tuple[str, ...]) -> None:
    if schema.get("additionalProperties") is not False:
        _refuse(place, "'additionalProperties' is required to be supplied and to be false.")
    lacking = [
        name for name in schema.get("properties", {}) if name not in schema.get("required", ())
    ]
    if lacking:
        said = "'required' is required to be supplied and to be an array including every key in properties."
        _refuse(place, f"{said} Missing '{lacking[0]}'.")


def _refuse(place: tuple[str, ...], why: str) -> NoReturn:
    raise SchemaError(f"In context={place!r}, {why}")
