"""`response_format`: the form that an answer must have, given as a class or as a JSON object."""

import re
from typing import Any, Final

from pydantic import BaseModel

from turngraph.state.depth import SCHEMA_LEVELS, is_deeper_than
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.json_types import JsonObject

__all__ = ["answer_class", "check_response_format", "response_format_of"]

_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9_-]")
_TYPES: Final = ("text", "json_object", "json_schema")


def check_response_format(form: object) -> Any:
    """Returns `form` as it is. Raises TurnConfigurationError unless it is a pydantic class, an
    object that Chat Completions takes as `response_format`, or None, and for one that is nested too
    deep.
    """
    if form is None or answer_class(form) is not None:
        return form
    if not isinstance(form, dict) or form.get("type") not in _TYPES:
        raise TurnConfigurationError(
            "`response_format` must be a pydantic class, or an object whose `type` is one of "
            f"{', '.join(_TYPES)}."
        )
    described = form.get("json_schema")
    if form["type"] == "json_schema" and not (
        isinstance(described, dict) and isinstance(described.get("schema", {}), dict)
    ):
        raise TurnConfigurationError(
            "`response_format.json_schema` must be an object with `name` and `schema`, a JSON "
            "schema."
        )
    # Two levels are around the schema.
    if is_deeper_than(SCHEMA_LEVELS + 2, form):
        raise TurnConfigurationError(
            f"The schema of `response_format` is nested deeper than {SCHEMA_LEVELS} levels. Put "
            "inner objects into `$defs` and refer to them."
        )
    return form


def response_format_of(form: object) -> JsonObject | None:
    """Returns `form` as a request has it: a pydantic class becomes a strict JSON schema.

    An object and `None` are returned as they are. Raises TurnConfigurationError for anything else.
    https://platform.openai.com/docs/guides/structured-outputs

        >>> class Person(BaseModel):
        ...     name: str
        >>> response_format_of(Person)["json_schema"]["schema"]["properties"]["name"]["type"]
        'string'
    """
    checked: JsonObject | None = check_response_format(form)
    if (model := answer_class(form)) is None:
        return checked
    # As pydantic writes it: how a vendor must have it is decided when a request is built.
    # A generic class is named `Box[int]`, which no vendor takes.
    name = _NOT_IN_A_NAME.sub("_", model.__name__)[:64]
    schema = {"name": name, "schema": model.model_json_schema(), "strict": True}
    return {"type": "json_schema", "json_schema": schema}


def answer_class(form: object) -> type[BaseModel] | None:
    """Returns `form` if it is a pydantic class, else None."""
    return form if isinstance(form, type) and issubclass(form, BaseModel) else None
