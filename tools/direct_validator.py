"""Checks a value against a JSON schema that asks for little work."""

from typing import Any, Final, NoReturn

from jsonschema_rs import ValidationError, Validator, validator_for

from turngraph.state.arguments import dump_json
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.json_types import JsonObject
from turngraph.tools.mistakes import MAX_MISTAKES, UncheckableError, mistake_text, quote

__all__ = ["DirectValidator"]

MAX_COMPLETE: Final = 100_000
"""Characters of a value times subschemas. Above it, only the first mistake is looked for: the
package collects all mistakes before it returns one, some 30 µs each.
"""


def _fetch_nothing(uri: str) -> NoReturn:
    raise ValueError(f"`{uri}` is not fetched")


class DirectValidator:
    """A schema for the package `jsonschema-rs`, which is fast and cannot be stopped.

    Raises TurnConfigurationError if `schema`, which belongs to the tool `name`, is no valid JSON
    schema. `subschemas` says how many of them may apply to a value.
    """

    def __init__(self, name: str, schema: JsonObject, *, subschemas: int) -> None:
        self._schema, self._subschemas = schema, subschemas
        try:
            self._validator: Validator = validator_for(
                schema, validate_formats=False, retriever=_fetch_nothing
            )
        except ValueError as error:
            message = error.message if isinstance(error, ValidationError) else str(error)
            raise TurnConfigurationError(
                f"The schema of tool `{name}` is not a valid JSON schema: {quote(message)}"
            ) from error

    def mistakes_in(self, value: object) -> list[str]:
        """Returns up to three mistakes in `value`; of a long value, the first one."""
        try:
            if self._validator.is_valid(value):
                return []
            if len(dump_json(value)) * self._subschemas <= MAX_COMPLETE:
                errors = list(self._validator.iter_errors(value))
            else:
                errors = [error for error in (self._first_error(value),) if error is not None]
        except ValueError as error:
            # Nested beyond what the package reads, or a lone surrogate.
            raise UncheckableError(f": {quote(str(error))}.") from None
        return [self._text(error) for error in errors[:MAX_MISTAKES]]

    def _first_error(self, value: object) -> ValidationError | None:
        try:
            self._validator.validate(value)
        except ValidationError as error:
            return error
        return None

    def _text(self, error: ValidationError) -> str:
        keyword, known = error.kind.name, None
        allowed = dump_json(error.kind.value) if keyword in ("enum", "const", "type") else ""
        if keyword == "additionalProperties":
            holder: Any = self._schema
            for step in error.schema_path[:-1]:
                holder = holder[step]
            known = holder.get("properties", {})
        return mistake_text(error.instance_path, error.message, allowed=allowed, known=known)
