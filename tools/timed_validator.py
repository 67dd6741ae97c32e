"""Checks a value against any JSON schema, within a time limit."""

import json
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from jsonschema import Draft202012Validator, FormatChecker, SchemaError, ValidationError
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from turngraph.state.errors import TurnConfigurationError
from turngraph.state.json_types import JsonObject
from turngraph.tools.bounded_keywords import (
    CheckTimeoutError,
    bounded,
    readable_pattern,
    time_limit,
)
from turngraph.tools.mistakes import MAX_MISTAKES, UncheckableError, mistake_text, quote
from turngraph.tools.output import clean
from turngraph.tools.schemas import subschemas

__all__ = ["TimedValidator"]

CHECK_S: Final = 0.5
"""Seconds that the check of one call may take. It runs on the event loop of the turn."""


class TimedValidator:
    """A schema for the package `jsonschema`, whose keywords can be stopped.

    Raises TurnConfigurationError if `schema`, which belongs to the tool `name`, is no valid JSON
    schema, and for a combination of keywords that cannot be checked within a time limit.
    """

    def __init__(self, name: str, schema: JsonObject) -> None:
        _check_patterns(name, schema)
        kind: Any = validator_for(schema, default=Draft202012Validator)
        try:
            # Without formats: the format `regex` knows Python's own patterns only.
            kind.check_schema(schema, format_checker=FormatChecker(formats=()))
        except SchemaError as error:
            raise TurnConfigurationError(
                f"The schema of tool `{name}` is not a valid JSON schema: {quote(error.message)}"
            ) from error
        # An empty registry: an unknown reference raises instead of being fetched.
        self._validator: Any = bounded(kind)(schema, registry=Registry())

    def mistakes_in(self, value: object) -> list[str]:
        """Returns up to three mistakes in `value`. Raises UncheckableError after half a second."""
        return [_text(error) for error in self._errors(value, MAX_MISTAKES)]

    def pattern_mistakes(self, value: object) -> list[str]:
        """Returns up to three of the mistakes in `value` that come from a text that does not match
        its `pattern`. Raises UncheckableError after half a second.

            >>> validator = TimedValidator("t", {"properties": {"a": {"pattern": "^[0-9]$"}}})
            >>> validator.pattern_mistakes({"a": "x"})
            ["at `$.a`: 'x' does not match '^[0-9]$'"]
        """
        found = [error for error in self._errors(value, None) if _is_of_pattern(error)]
        return [_text(error) for error in found[:MAX_MISTAKES]]

    def _errors(self, value: object, limit: int | None) -> list[ValidationError]:
        try:
            with time_limit(CHECK_S):
                return list(islice(self._validator.iter_errors(value), limit))
        except CheckTimeoutError as error:
            raise UncheckableError(
                f" within {CHECK_S:g} seconds, because of {clean(str(error))} in its schema. "
                "Send shorter values."
            ) from None
        except Unresolvable as error:
            raise UncheckableError(
                f": its schema refers to {quote(repr(error.ref))}, which it does not hold."
            ) from None
        except RecursionError:
            raise UncheckableError(": its schema refers to itself without end.") from None


def _is_of_pattern(error: ValidationError) -> bool:
    return error.validator == "pattern" or any(map(_is_of_pattern, error.context or ()))


def _check_patterns(name: str, schema: JsonObject) -> None:
    """Refuses patterns that cannot be read, and patterns that cannot be checked in bounded time."""
    inner = list(subschemas(schema))
    names = [pattern for one in inner for pattern in one.get("patternProperties") or ()]
    for pattern in [*(one.get("pattern") for one in inner), *names]:
        if isinstance(pattern, str) and readable_pattern(pattern) is None:
            raise TurnConfigurationError(
                f"The schema of tool `{name}` is not a valid JSON schema: "
                f"{quote(repr(pattern))} is not a regular expression that can be read here."
            )
    if names and any("unevaluatedProperties" in one for one in inner):
        raise TurnConfigurationError(
            f"The schema of tool `{name}` uses `patternProperties` together with "
            "`unevaluatedProperties`, which cannot be checked within a time limit. Use "
            "`additionalProperties` instead."
        )


def _text(error: ValidationError) -> str:
    allowed = ""
    if error.validator in ("enum", "const", "type"):
        allowed = json.dumps(error.validator_value, ensure_ascii=False)
    known = None
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {}) if isinstance(error.schema, Mapping) else {}
    return mistake_text(list(error.absolute_path), error.message, allowed=allowed, known=known)
