"""The part of an answer the model is told: by JSON pointer, or by JMESPath."""

from importlib import import_module
from typing import Any

from langchain_core.tools import ToolException

__all__ = ["check_selection", "select"]


def check_selection(path: str) -> None:
    """Nothing, where `path` is a JSON pointer or a JMESPath expression; else ValueError."""
    if path == "" or path.startswith("/"):
        return
    jmespath = _jmespath()
    try:
        jmespath.compile(path)
    except jmespath.exceptions.JMESPathError as error:
        raise ValueError(
            f"select is neither a JSON pointer nor JMESPath: {' '.join(str(error).split())}"
        ) from None


def select(value: Any, path: str) -> Any:
    """What `path` leads to in `value`: a JSON pointer (RFC 6901) where it begins with `/`, else
    JMESPath.

    >>> select({"items": [{"name": "a"}]}, "/items/0/name"), select({"items": [{"name": "a"}]}, "items[].name")
    ('a', ['a'])

    Raises ToolException where it leads nowhere.
    """
    if path == "" or path.startswith("/"):
        return _pointed(value, path)
    jmespath = _jmespath()
    try:
        return jmespath.search(path, value)
    except jmespath.exceptions.JMESPathError as error:
        raise ToolException(
            f"The answer has not the expected form: {type(error).__name__}."
        ) from None


def _jmespath() -> Any:
    """It has no types of its own."""
    return import_module("jmespath")


def _pointed(value: Any, path: str) -> Any:
    for step in path.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        try:
            value = value[int(key)] if isinstance(value, list) else value[key]
        except (KeyError, IndexError, ValueError, TypeError):
            raise ToolException(f"The answer has no `{path}`.") from None
    return value
