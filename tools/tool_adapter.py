"""Whatever somebody calls a tool, as a LangChain tool with a schema a vendor takes."""

import inspect
import json
import re
from collections.abc import Callable
from typing import Any, Final

from langchain_core.tools import BaseTool
from pydantic import ValidationError

from turngraph.state.errors import TurnConfigurationError
from turngraph.state.request import ToolSpec
from turngraph.tools.builtin.registry import BUILTINS

__all__ = ["adopt", "is_async_only", "is_async_too", "spec_of"]

NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""https://platform.openai.com/docs/api-reference/chat/create: letters, digits, `_` and `-`, at most
64.
"""


def adopt(given: BaseTool | Callable[..., Any] | str) -> BaseTool:
    """`given` as a LangChain tool: itself, a typed function, or the name of a built-in.

    Raises TurnConfigurationError.

        >>> adopt("calculator").name
        'calculator'
    """
    if isinstance(given, BaseTool):
        return given
    if isinstance(given, str):
        if given not in BUILTINS:
            names = ", ".join(f"`{name}`" for name in sorted(BUILTINS))
            raise TurnConfigurationError(
                f"No built-in function is named `{given[:100]}`. There are: {names}."
            )
        return BUILTINS[given]()
    if not callable(given) or isinstance(given, type):
        raise TurnConfigurationError(
            f"A tool is a LangChain tool, a typed function or a built-in's name, not {type(given).__name__}."
        )
    return _from_function(given)


def spec_of(tool: BaseTool) -> ToolSpec:
    """`tool` as the model is shown it. Raises TurnConfigurationError for a name or schema no vendor
    takes.
    """
    from langchain_core.utils.function_calling import convert_to_openai_tool

    if not NAME.fullmatch(tool.name):
        raise TurnConfigurationError(
            f"`{tool.name[:100]}` cannot be a tool's name: 1 to 64 of letters, digits, `_` and `-` are allowed."
        )
    try:
        function = convert_to_openai_tool(tool)["function"]
        parameters = json.loads(json.dumps(function.get("parameters", {}), allow_nan=False))
        described = {"type": "object", "properties": {}} | parameters
        # Python 3.13 takes a docstring's indentation out, the versions before it leave it in:
        # tokens that say nothing.
        description = inspect.cleandoc(function.get("description", ""))
        return ToolSpec(name=tool.name, description=description, parameters=described)
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise TurnConfigurationError(
            f"Tool `{tool.name}` has no JSON schema: {str(error)[:300]}"
        ) from error


def is_async_too(tool: BaseTool) -> bool:
    """Can it run on an event loop, rather than in a thread?"""
    if hasattr(tool, "coroutine"):
        return tool.coroutine is not None
    return type(tool)._arun is not BaseTool._arun


def is_async_only(tool: BaseTool) -> bool:
    """Has it an async way of running and no other?"""
    return getattr(tool, "coroutine", None) is not None and getattr(tool, "func", None) is None


def _from_function(function: Callable[..., Any]) -> BaseTool:
    from langchain_core.tools import tool

    name = getattr(function, "__name__", type(function).__name__)
    described = (getattr(function, "__doc__", None) or "").strip()
    try:
        return tool(name, description=None if described else name.replace("_", " "))(function)
    except (TypeError, ValueError, NameError) as error:
        raise TurnConfigurationError(
            f"`{name}` cannot be made a tool: {str(error)[:300]}"
        ) from error
