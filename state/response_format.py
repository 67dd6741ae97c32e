"""`response_format`: the form that an answer must have, given as a class or as a JSON object."""

import dataclasses
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from pydantic import BaseModel, PydanticUserError, TypeAdapter
from typing_extensions import is_typeddict

from turngraph.state.depth import SCHEMA_LEVELS, is_deeper_than
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.json_types import JsonObject
from turngraph.state.quoting import quoted

__all__ = ["answer_adapter", "answer_class", "check_response_format", "response_format_of"]

_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9_-]")
_TYPES: Final = ("text", "json_object", "json_schema")


def check_response_format(form: object) -> Any:
    """Returns `form` as it is. Raises TurnConfigurationError unless it is a pydantic class, a
    dataclass, a TypedDict, a JSON schema of an object, an object that Chat Completions takes as
    `response_format`, or None, and for one that is nested too deep.
    """
    if form is None:
        return form
    if (kind := answer_class(form)) is not None:
        answer_adapter(kind)
        return form
    if not isinstance(form, Mapping) or (form.get("type") not in _TYPES and not _is_schema(form)):
        name = form if isinstance(form, Mapping) else getattr(form, "__name__", form)
        raise TurnConfigurationError(
            "`response_format` must be a pydantic class, a dataclass, a TypedDict, the JSON schema "
            f"of an object, or an object whose `type` is one of {', '.join(_TYPES)}, not "
            f"`{quoted(name)}`. Several forms go into one class, as a field that is their union."
        )
    described = form.get("json_schema")
    if form.get("type") == "json_schema" and not (
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
    """Returns `form` as a request has it: a class becomes a strict JSON schema, and a JSON schema
    is put into the object that Chat Completions takes.

    Such an object and `None` are returned as they are. Raises TurnConfigurationError for anything
    else. https://platform.openai.com/docs/guides/structured-outputs

        >>> class Person(BaseModel):
        ...     name: str
        >>> response_format_of(Person)["json_schema"]["schema"]["properties"]["name"]["type"]
        'string'
        >>> response_format_of({"type": "object", "title": "City"})["json_schema"]["name"]
        'City'
    """
    checked: JsonObject | None = check_response_format(form)
    if (kind := answer_class(form)) is not None:
        # As pydantic writes it: how a vendor must have it is decided when a request is built.
        schema = answer_adapter(kind).json_schema()
        return _of_schema(kind.__name__, {"schema": schema, "strict": True})
    if checked is not None and _is_schema(checked):
        # Not strict: a schema that somebody wrote may say what strict ones cannot.
        return _of_schema(str(checked.get("title", "answer")), {"schema": dict(checked)})
    return checked


def answer_class(form: object) -> Any:
    """Returns `form` if it is a pydantic class, a dataclass or a TypedDict, else None."""
    if not isinstance(form, type):
        return None
    is_model = issubclass(form, BaseModel) or dataclasses.is_dataclass(form) or is_typeddict(form)
    return form if is_model else None


@cache
def answer_adapter(kind: Any) -> TypeAdapter[Any]:
    """Returns what reads JSON as the class `kind`. Raises TurnConfigurationError if nothing can."""
    try:
        adapter = TypeAdapter(kind)
        root = adapter.json_schema().get("type", "object")
    except (PydanticUserError, NameError, TypeError) as exc:
        raise TurnConfigurationError(
            f"`{kind.__name__}` cannot be a `response_format`: {str(exc).splitlines()[0]}"
        ) from exc
    if root != "object":
        raise TurnConfigurationError(
            f"`{kind.__name__}` cannot be a `response_format`: its JSON is of the type `{root}`, "
            "and vendors take objects. Make it the field of a class."
        )
    return adapter


def _is_schema(form: Mapping[str, Any]) -> bool:
    """Whether `form` is a JSON schema of an object, and not what Chat Completions wraps it in."""
    return form.get("type") == "object" or (
        "type" not in form and not form.keys().isdisjoint(("properties", "$ref", "anyOf", "allOf"))
    )


def _of_schema(name: str, described: JsonObject) -> JsonObject:
    # A generic class is named `Box[int]`, which no vendor takes.
    name = _NOT_IN_A_NAME.sub("_", name)[:64] or "answer"
    return {"type": "json_schema", "json_schema": {"name": name} | described}
