"""Problems in manifests, all reported at once: file, line, path, and what was expected."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from turngraph.state.errors import TurnConfigurationError
from turngraph.tools.manifests.parts import NATIVE
from turngraph.tools.text import shorten, suggest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from turngraph.tools.manifests.yaml_text import Document

__all__ = [
    "Location",
    "ManifestError",
    "Problem",
    "dotted",
    "path_in_file",
    "problem_from",
    "quote_value",
]

MAX_VALUE: Final = 80
"""Characters of a wrong value that are quoted."""
MAX_MESSAGE: Final = 800
"""Characters of a message."""

_EXPECTED: Final = {
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "string_type": "must be text",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
}
"""What is expected, by the type of pydantic's error, in the words of YAML."""

Location = tuple[int | str, ...]
"""The path to a part of a manifest."""


class Problem(NamedTuple):
    """One problem and its place. `line` counts from 1; `path` is dotted, empty for the document."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.path + ': ' if self.path else ''}{self.message}"


class ManifestError(TurnConfigurationError):
    """Manifests that cannot be used. `problems` holds all problems, in the order of the files."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problems" if len(self.problems) != 1 else "1 problem"
        super().__init__(
            f"{count} in manifests:\n" + "\n".join(f"  {problem}" for problem in self.problems)
        )


def problem_from(
    error: "ErrorDetails", *, file: str, document: "Document", model: type[BaseModel]
) -> Problem:
    """Returns a pydantic error as a problem, with its path as the file spells it."""
    native = isinstance(document.value, dict) and document.value.get("apiVersion") == NATIVE
    path = path_in_file(error["loc"], document, native)
    message = shorten(_message(error, model, native), MAX_MESSAGE)
    return Problem(file, document.line_of(path), dotted(path), message)


def path_in_file(loc: Location, document: "Document", native: bool) -> Location:
    """Returns pydantic's `loc` with the field names of the dialect that the file is written in."""
    path: Location = ()
    for part in loc:
        if isinstance(part, int) or (*path, part) in document.lines:
            path = (*path, part)
        elif part in ("dict[str,any]", "list[any]"):  # pydantic's names for branches of a union
            continue
        else:
            camel = to_camel(part)
            # `apiVersion` is the one field that both dialects write in camelCase.
            path = (*path, part if native and camel != "apiVersion" else camel)
    return path


def dotted(path: Location) -> str:
    """Returns `path` as messages show it, such as `spec.apiData.testValues[1]`."""
    steps = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(steps).lstrip(".")


def _message(error: "ErrorDetails", model: type[BaseModel], native: bool) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return _unknown_field(error["loc"], model, native)
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        return f"must match {context['pattern']}, but is {quote_value(error['input'])}"
    expected = _EXPECTED.get(kind, _lower_first(error["msg"]))
    return f"{expected}, but is {quote_value(error['input'])}"


def _unknown_field(loc: Location, model: type[BaseModel], native: bool) -> str:
    """Returns a message with the known fields, and with the most similar one."""
    part = _part_at(model, loc[:-1])
    if part is None:
        return "is not a known field here"
    known = [name if native else to_camel(name) for name in part.model_fields]
    hint = suggest(str(loc[-1]), known)
    return f"is not a known field here{hint} (known: {', '.join(known)})"


def _part_at(model: type[BaseModel], loc: Location) -> type[BaseModel] | None:
    """Returns the model of the part at `loc`, or None if there is no model for it."""
    current: type[BaseModel] | None = model
    for step in loc:
        if isinstance(step, int):  # an item of a list has the model of the list's items
            continue
        field = current.model_fields.get(step) if current is not None else None
        if field is None:
            return None
        current = _model_in(field.annotation)
    return current


def _model_in(annotation: object) -> type[BaseModel] | None:
    """Returns the first pydantic model inside a type annotation such as `tuple[Parameter, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_model_in(argument) for argument in getattr(annotation, "__args__", ()))
    return next((model for model in inner if model is not None), None)


def quote_value(value: object) -> str:
    """Returns a wrong value as a message quotes it: shortened, and without nested content.

    >>> quote_value("x"), quote_value({"a": 1})
    ("'x'", 'a dict')
    """
    if not isinstance(value, str | int | float | bool | type(None)):
        return f"a {type(value).__name__}"
    return shorten(repr(value), MAX_VALUE)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")
