"""Validates the arguments of a tool call against the JSON schema of the tool."""

from typing import Final, Protocol

from turngraph.state.errors import ToolArgumentsError
from turngraph.state.json_types import JsonObject
from turngraph.state.schema_references import with_pointers
from turngraph.tools.mistakes import UncheckableError
from turngraph.tools.references import check_references
from turngraph.tools.schema_size import unfolded_size
from turngraph.tools.schemas import check_depth

__all__ = ["Validator", "check_arguments", "compile_schema"]

MAX_DIRECT: Final = 10_000
"""Subschemas that may apply to a value that is checked without a time limit."""


class Validator(Protocol):
    """A JSON schema that is ready to check values."""

    def mistakes_in(self, value: object) -> list[str]:
        """Returns up to three mistakes in `value`: where, what, and what is allowed there.

        Raises UncheckableError if the check cannot be finished.
        """


def compile_schema(name: str, schema: JsonObject) -> Validator:
    """Returns a validator of `schema`, which belongs to the tool `name`. It never fetches anything.

    Raises TurnConfigurationError if `schema` is not a valid JSON schema, if it is nested too deep,
    if a reference in it leads nowhere, to another document or back to itself, and for a combination
    of keywords that cannot be checked within a time limit.

        >>> compile_schema("t", {"type": "object"}).mistakes_in([])
        ['at `$`: [] is not of type "object"']
    """
    check_depth(name, schema)
    schema = with_pointers(schema)
    check_references(name, schema)
    # Nearly all tools go the direct way. It takes microseconds, and spares the process the import
    # of `jsonschema`: https://github.com/python-jsonschema/jsonschema/issues/1428.
    size = unfolded_size(schema)
    if size is not None and size <= MAX_DIRECT:
        from turngraph.tools.direct_validator import DirectValidator

        return DirectValidator(name, schema, subschemas=size)
    from turngraph.tools.timed_validator import TimedValidator

    return TimedValidator(name, schema)


def check_arguments(name: str, arguments: JsonObject, validator: Validator) -> None:
    """Checks the `arguments` of a call of the tool `name` with `validator`.

    Raises ToolArgumentsError with the path, the mistake and the allowed values of the first three
    mistakes, and if the check takes longer than half a second.
    """
    subject = f"The arguments of `{name}`"
    try:
        mistakes = validator.mistakes_in(arguments)
    except UncheckableError as error:
        raise ToolArgumentsError(f"{subject} could not be checked{error}") from None
    if mistakes:
        raise ToolArgumentsError(f"{subject} do not fit its schema: {'; '.join(mistakes)}.")
