"""Checks that a JSON schema is one that the vendor accepts, and strict where it has to be."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NoReturn

__all__ = ["SchemaError", "check_schema"]


class SchemaError(Exception):
    """The schema is refused; the message says why."""


def check_schema(schema: object, *, strict: bool) -> None:
    """Raises SchemaError unless `schema` is a JSON schema of an object, and strict if `strict`.

    >>> check_schema({"type": "object", "properties": {"x": {}}}, strict=True)
    Traceback (most recent call last):
    turngraph.scripted.schema_checks.SchemaError: In context=(), 'additionalProperties' is ...
    """
    problem = _find_problem(json.dumps(schema), strict)
    if problem is not None:
        raise SchemaError(problem)


# Cached, because a conversation sends the same tools with every request.
@lru_cache(maxsize=1024)
def _find_problem(schema_json: str, strict: bool) -> str | None:
    from jsonschema_rs import ValidationError, meta

    schema = json.loads(schema_json)
    try:
        meta.validate(schema)
        if not isinstance(schema, dict) or schema.get("type", "object") != "object":
            return f"schema must be a JSON Schema of 'type: \"object\"', got {schema_json[:100]}."
        if strict:
            _check_strict(schema, ())
    except ValidationError as exc:
        return f"{exc.message[:200]}."
    except SchemaError as exc:
        return str(exc)
    return None


def _check_strict(schema: object, path: tuple[str, ...]) -> None:
    """Raises SchemaError unless every object forbids other properties and requires all its own.

    Source: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
    """
    if not isinstance(schema, dict):
        return
    if "properties" in schema or schema.get("type") == "object":
        _check_closed(schema, path)
    _check_strict(schema.get("items"), (*path, "items"))
    for number, inner in enumerate(schema.get("anyOf", ())):
        _check_strict(inner, (*path, "anyOf", str(number)))
    for key in ("properties", "$defs"):
        for name, inner in schema.get(key, {}).items():
            _check_strict(inner, (*path, key, name))


def _check_closed(schema: Mapping[str, Any], path: tuple[str, ...]) -> None:
    if schema.get("additionalProperties") is not False:
        _refuse(path, "'additionalProperties' is required to be supplied and to be false.")
    required = schema.get("required", ())
    missing = [name for name in schema.get("properties", {}) if name not in required]
    if missing:
        rule = (
            "'required' is required to be supplied and to be an array including every key in "
            "properties."
        )
        _refuse(path, f"{rule} Missing '{missing[0]}'.")


def _refuse(path: tuple[str, ...], problem: str) -> NoReturn:
    raise SchemaError(f"In context={path!r}, {problem}")
