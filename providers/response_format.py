"""`response_format`: the form that an answer must have, given as a class or as a JSON object."""

from typing import Any, Final

from pydantic import BaseModel

from turngraph.state.errors import TurnConfigurationError

__all__ = ["response_format_of"]

_TYPES: Final = ("text", "json_object", "json_schema")


def response_format_of(form: object) -> Any:
    """Returns `form` as a request has it: a pydantic class becomes a strict JSON schema.

    An object and `None` are returned as they are. Raises TurnConfigurationError for anything else.
    https://platform.openai.com/docs/guides/structured-outputs

        >>> class Person(BaseModel):
        ...     name: str
        >>> response_format_of(Person)["json_schema"]["schema"]["properties"]["name"]["type"]
        'string'
    """
    if isinstance(form, type) and issubclass(form, BaseModel):
        # As pydantic writes it: how a vendor must have it is decided when a request is built.
        schema = {"name": form.__name__, "schema": form.model_json_schema(), "strict": True}
        return {"type": "json_schema", "json_schema": schema}
    if form is not None and (not isinstance(form, dict) or form.get("type") not in _TYPES):
        raise TurnConfigurationError(
            "`response_format` must be a pydantic class, or an object whose `type` is one of "
            f"{', '.join(_TYPES)}."
        )
    return form
