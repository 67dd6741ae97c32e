"""The form an answer must have, however it is given: a class or a JSON object."""

from typing import Any, Final

from pydantic import BaseModel

from turngraph.state.errors import TurnConfigurationError

__all__ = ["response_format_of"]

_TYPES: Final = ("text", "json_object", "json_schema")


def response_format_of(form: Any) -> Any:
    """`form` as a `response_format`: a pydantic class becomes a strict JSON schema, an object stays
    as it is.

    https://platform.openai.com/docs/guides/structured-outputs. Raises TurnConfigurationError for
    anything else.

        >>> class Person(BaseModel):
        ...     name: str
        >>> response_format_of(Person)["json_schema"]["schema"]["properties"]["name"]["type"]
        'string'
    """
    if isinstance(form, type) and issubclass(form, BaseModel):
        from langchain_core.utils.function_calling import convert_to_openai_function

        function = convert_to_openai_function(form, strict=True)
        schema = {"name": function["name"], "schema": function["parameters"], "strict": True}
        return {"type": "json_schema", "json_schema": schema}
    if form is not None and (not isinstance(form, dict) or form.get("type") not in _TYPES):
        raise TurnConfigurationError(
            f"`response_format` is a pydantic class, or an object whose `type` is one of {', '.join(_TYPES)}."
        )
    return form
