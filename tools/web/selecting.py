"""Selects the part of an answer that the model receives, by JSON pointer or by JMESPath."""

from importlib import import_module
from typing import Any

from langchain_core.tools import ToolException

from turngraph.tools.text import one_line

__all__ = ["check_selection", "select"]


def check_selection(path: str) -> None:
    """Raises ValueError if `path` is neither a JSON pointer nor a JMESPath expression."""
    if _is_pointer(path):
        return
    jmespath = _jmespath()
    try:
        jmespath.compile(path)
    except jmespath.exceptions.JMESPathError as error:
        raise ValueError(
            f"`select` is neither a JSON pointer nor a JMESPath expression: {one_line(str(error))}"
        ) from None


def select(value: object, path: str) -> Any:
    """Returns the part of `value` at `path`.

    A path that begins with `/` is a JSON pointer (https://www.rfc-editor.org/rfc/rfc6901), any
    other path is JMESPath (https://jmespath.org/specification.html).

    >>> answer = {"items": [{"name": "a"}]}
    >>> select(answer, "/items/0/name"), select(answer, "items[].name")
    ('a', ['a'])

    Raises ToolException if `value` has no such part.
    """
    if _is_pointer(path):
        return _at_pointer(value, path)
    jmespath = _jmespath()
    try:
        return jmespath.search(path, value)
    except jmespath.exceptions.JMESPathError as error:
        raise ToolException(
            f"The answer does not have the expected form: {type(error).__name__}."
        ) from None


def _is_pointer(path: str) -> bool:
    return path == "" or path.startswith("/")


def _jmespath() -> Any:
    # Imported by name, because the package has no type hints.
    return import_module("jmespath")


def _at_pointer(value: Any, path: str) -> Any:
    for step in path.split("/")[1:]:
        # In this order, so that `~01` means `~1`: https://www.rfc-editor.org/rfc/rfc6901#section-4
        key = step.replace("~1", "/").replace("~0", "~")
        try:
            value = value[int(key)] if isinstance(value, list) else value[key]
        except (KeyError, IndexError, ValueError, TypeError):
            raise ToolException(f"The answer has no part `{path}`.") from None
    return value
