"""What is wrong with manifests, all of it at once: file, line, path, and what was expected."""

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from turngraph.state.errors import TurnConfigurationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from turngraph.tools.manifests.yaml_text import Document

__all__ = ["ManifestError", "Problem", "problem_of", "shown"]

SHOWN: Final = 80
"""Characters of a wrong value that are quoted."""
LONGEST: Final = 800
"""Characters of a message."""


class Problem(NamedTuple):
    """One thing wrong, and where. `line` counts from 1; `path` is dotted, empty for the document."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.path + ': ' if self.path else ''}{self.message}"


class ManifestError(TurnConfigurationError):
    """Manifests that cannot be used. `problems` holds everything that was found, in the order of
    the files.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problems" if len(self.problems) != 1 else "1 problem"
        super().__init__(
            f"{count} in manifests:\n" + "\n".join(f"  {problem}" for problem in self.problems)
        )


def problem_of(
    error: "ErrorDetails", *, file: str, document: "Document", model: type[BaseModel]
) -> Problem:
    """A pydantic error as a problem: its path as this file spells it, and a sentence that says what
    was expected.
    """
    native = isinstance(document.value, dict) and document.value.get("apiVersion") == "turngraph/v1"
    path = _spelt(error["loc"], document, native)
    return Problem(
        file, document.line_of(path), _dotted(path), _cut(_message(error, model, native), LONGEST)
    )


def _spelt(loc: tuple[int | str, ...], document: "Document", native: bool) -> tuple[str | int, ...]:
    path: tuple[str | int, ...] = ()
    for part in loc:
        if isinstance(part, int) or (*path, part) in document.lines:
            path = (*path, part)
        elif part in ("dict[str,any]", "list[any]"):  # the names of a union's branches
            continue
        else:
            camel = to_camel(part)
            path = (*path, part if native and camel != "apiVersion" else camel)
    return path


def _dotted(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(
        "."
    )


def _message(error: "ErrorDetails", model: type[BaseModel], native: bool) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return _unknown(error["loc"], model, native)
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        return f"must match {context['pattern']}, but is {shown(error['input'])}"
    return f"{_lowered(error['msg'])}, but is {shown(error['input'])}"


def _unknown(loc: tuple[int | str, ...], model: type[BaseModel], native: bool) -> str:
    """An unknown field is told with those there are, the nearest first."""
    part = _part(model, loc[:-1])
    known = (
        [name if native else to_camel(name) for name in part.model_fields]
        if part is not None
        else []
    )
    near = difflib.get_close_matches(str(loc[-1]), known, n=1)
    hint = f"; did you mean `{near[0]}`?" if near else ""
    return (
        f"is no field here{hint} (there are: {', '.join(known)})" if known else "is no field here"
    )


def _part(model: type[BaseModel], loc: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The model of the part that `loc` leads to."""
    current: Any = model
    for step in loc:
        if isinstance(step, int):
            continue
        field = current.model_fields.get(step)
        if field is None:
            return None
        current = _model_in(field.annotation)
        if current is None:
            return None
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(inner) for inner in getattr(annotation, "__args__", ()))
    return next((inner for inner in found if inner is not None), None)


def shown(value: Any) -> str:
    """A wrong value as a message quotes it."""
    if not isinstance(value, str | int | float | bool | type(None)):
        return f"a {type(value).__name__}"
    return _cut(repr(value), SHOWN)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")
