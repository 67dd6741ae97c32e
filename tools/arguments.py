"""The arguments of a tool call, held against the tool's schema."""

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from turngraph.state.errors import ToolArgumentsError, TurnConfigurationError

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

__all__ = ["check_arguments", "compile_schema"]

SHOWN: Final = 300
"""Characters of a message that quotes what was sent."""
SURROGATE: Final = re.compile("[\ud800-\udfff]")


def compile_schema(name: str, schema: dict[str, Any]) -> "Validator":
    """A validator of `schema` that never fetches anything.

    Raises TurnConfigurationError where the schema of tool `name` is none, or points outside itself.
    """
    from jsonschema import Draft202012Validator, SchemaError
    from jsonschema.validators import validator_for
    from referencing import Registry

    outside = [ref for ref in _references(schema) if not ref.startswith("#")]
    if outside:
        raise TurnConfigurationError(
            f"The schema of tool `{name}` points outside itself: `{outside[0][:100]}`."
        )
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise TurnConfigurationError(
            f"The schema of tool `{name}` is not JSON schema: {error.message[:SHOWN]}"
        ) from error
    return kind(schema, registry=Registry())


def check_arguments(name: str, arguments: dict[str, Any], validator: "Validator") -> None:
    """Nothing, where `arguments` fit the schema; else ToolArgumentsError with path, mistake and
    what is allowed.
    """
    from itertools import islice

    errors = list(islice(validator.iter_errors(arguments), 3))
    if errors:
        raise ToolArgumentsError(
            f"The arguments of `{name}` do not fit: {'; '.join(map(_told, errors))}."
        )


def _references(schema: Any) -> list[str]:
    if isinstance(schema, Mapping):
        own = [
            value
            for key, value in schema.items()
            if key in ("$ref", "$dynamicRef") and isinstance(value, str)
        ]
        return own + [ref for value in schema.values() for ref in _references(value)]
    if isinstance(schema, list):
        return [ref for value in schema for ref in _references(value)]
    return []


def _told(error: Any) -> str:
    allowed = ""
    if error.validator in ("enum", "const", "type") and len(error.message) > SHOWN:
        allowed = (
            f" (allowed: {_short(json.dumps(error.validator_value, ensure_ascii=False), SHOWN)})"
        )
    if error.validator == "additionalProperties":
        allowed = (
            f" (known: {_short(', '.join(error.schema.get('properties', {})) or 'none', SHOWN)})"
        )
    return f"at `{_short(error.json_path, 100)}`: {_short(error.message, SHOWN)}{allowed}"


def _short(text: str, limit: int) -> str:
    text = SURROGATE.sub("\ufffd", text)
    return text if len(text) <= limit else f"{text[:limit]}…"
