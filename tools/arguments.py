"""Validates the arguments of a tool call against the JSON schema of the tool."""

import json
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from turngraph.state.errors import ToolArgumentsError, TurnConfigurationError
from turngraph.state.json_types import JsonObject
from turngraph.tools.output import clean
from turngraph.tools.schemas import check_depth, subschemas
from turngraph.tools.text import shorten

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

__all__ = ["UncheckableError", "check_arguments", "compile_schema", "mistakes_in"]

MAX_QUOTED: Final = 300
"""Characters of one value or message that are quoted in an error message."""
MAX_ERRORS: Final = 3
"""Mistakes reported for one call. The model corrects them and calls again."""
CHECK_S: Final = 0.5
"""Seconds that the check of one call may take. It runs on the event loop of the turn."""


class UncheckableError(Exception):
    """A check that cannot be finished. Its text follows the words "could not be checked"."""


def compile_schema(name: str, schema: JsonObject) -> "Validator":
    """Returns a validator of `schema`, which belongs to the tool `name`. It never fetches anything.

    Raises TurnConfigurationError if `schema` is not a valid JSON schema, if it is nested too deep,
    if a `$ref` in it points to another document, and for a combination of keywords that cannot be
    checked within a time limit.
    """
    from jsonschema import Draft202012Validator, FormatChecker, SchemaError
    from jsonschema.validators import validator_for
    from referencing import Registry

    from turngraph.tools.bounded_keywords import bounded

    check_depth(name, schema)
    # A schema may come from an MCP server. A `$ref` to a URL would let that server choose an
    # address that this process fetches (server-side request forgery).
    outside = [ref for ref in _references(schema) if not ref.startswith("#")]
    if outside:
        raise TurnConfigurationError(
            f"The schema of tool `{name}` refers to another document, `{outside[0][:100]}`; only "
            "references that begin with `#` are allowed. Copy the definition into the schema."
        )
    _check_patterns(name, schema)
    kind: Any = validator_for(schema, default=Draft202012Validator)
    try:
        # Without formats: the format `regex` knows Python's own patterns only.
        kind.check_schema(schema, format_checker=FormatChecker(formats=()))
    except SchemaError as error:
        raise TurnConfigurationError(
            f"The schema of tool `{name}` is not a valid JSON schema: {error.message[:MAX_QUOTED]}"
        ) from error
    # The empty registry is the second guard: an unknown reference raises instead of being fetched.
    validator: Validator = bounded(kind)(schema, registry=Registry())
    return validator


def check_arguments(name: str, arguments: JsonObject, validator: "Validator") -> None:
    """Checks the `arguments` of a call of the tool `name` with `validator`.

    Raises ToolArgumentsError with the path, the mistake and the allowed values of the first three
    mistakes, and if the check takes longer than half a second.
    """
    subject = f"The arguments of `{name}`"
    try:
        mistakes = mistakes_in(arguments, validator)
    except UncheckableError as error:
        raise ToolArgumentsError(f"{subject} could not be checked{error}") from None
    if mistakes:
        raise ToolArgumentsError(f"{subject} do not fit its schema: {'; '.join(mistakes)}.")


def mistakes_in(value: Any, validator: "Validator") -> list[str]:
    """Returns up to three mistakes in `value`: where, what, and what is allowed there.

    Raises UncheckableError if the check cannot be finished.

        >>> mistakes_in([], compile_schema("t", {"type": "object"}))
        ["at `$`: [] is not of type 'object'"]
    """
    from turngraph.tools.bounded_keywords import CheckTimeoutError, time_limit

    try:
        with time_limit(CHECK_S):
            return [
                _error_text(error) for error in islice(validator.iter_errors(value), MAX_ERRORS)
            ]
    except CheckTimeoutError as error:
        raise UncheckableError(
            f" within {CHECK_S:g} seconds, because of {clean(str(error))} in its schema. "
            "Send shorter values."
        ) from None
    except RecursionError:
        raise UncheckableError(": its schema refers to itself without end.") from None


def _check_patterns(name: str, schema: JsonObject) -> None:
    """Refuses patterns that cannot be read, and patterns that cannot be checked in bounded time."""
    from turngraph.tools.bounded_keywords import readable_pattern

    inner = list(subschemas(schema))
    names = [pattern for one in inner for pattern in one.get("patternProperties") or ()]
    for pattern in [*(one.get("pattern") for one in inner), *names]:
        if isinstance(pattern, str) and readable_pattern(pattern) is None:
            raise TurnConfigurationError(
                f"The schema of tool `{name}` is not a valid JSON schema: "
                f"{_quote(repr(pattern))} is not a regular expression that can be read here."
            )
    if names and any("unevaluatedProperties" in one for one in inner):
        raise TurnConfigurationError(
            f"The schema of tool `{name}` uses `patternProperties` together with "
            "`unevaluatedProperties`, which cannot be checked within a time limit. Use "
            "`additionalProperties` instead."
        )


def _references(schema: object) -> list[str]:
    """Returns every `$ref` and `$dynamicRef` in `schema`, at any depth."""
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


def _error_text(error: "ValidationError") -> str:
    """Returns one mistake as text for the model: where, what, and what is allowed there."""
    allowed = ""
    # A long value pushes the allowed values out of the shortened message, so they are added again.
    if error.validator in ("enum", "const", "type") and len(error.message) > MAX_QUOTED:
        allowed = f" (allowed: {_quote(json.dumps(error.validator_value, ensure_ascii=False))})"
    if error.validator == "additionalProperties":
        allowed = f" (known: {_quote(', '.join(_properties(error.schema)) or 'none')})"
    return f"at `{shorten(clean(error.json_path), 100)}`: {_quote(error.message)}{allowed}"


def _properties(schema: object) -> Mapping[str, object]:
    return schema.get("properties", {}) if isinstance(schema, Mapping) else {}


def _quote(text: str) -> str:
    return shorten(clean(text), MAX_QUOTED)
