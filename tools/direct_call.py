"""Calls the function of a tool directly, where nobody could tell that LangChain did not call it.

`BaseTool.run` looks up signatures and type hints at every call. What it does for a function with a
schema comes down to two steps, unless callbacks listen: the schema converts the arguments and fills
in defaults, then the function is called.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any, TypeGuard

from langchain_core.callbacks import CallbackManager
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel

__all__ = ["DirectCall", "direct_call_of"]


@dataclass(frozen=True, slots=True)
class DirectCall:
    """A tool that is a function and a schema of its arguments, and nothing else."""

    tool: StructuredTool
    schema: type[BaseModel]

    def is_unheard(self, config: RunnableConfig) -> bool:
        """Whether no callback wants to be told of a call under `config`."""
        callbacks, tool = config.get("callbacks"), self.tool
        # `configure` also finds the handlers of tracing and of context managers such as LangChain's
        # `get_usage_metadata_callback`.
        return not CallbackManager.configure(callbacks, tool.callbacks, tool.verbose).handlers

    def arguments(self, given: Mapping[str, object]) -> dict[str, Any]:
        """Returns the arguments for the function. Raises pydantic's ValidationError."""
        model = self.schema.model_validate(given)
        return {name: getattr(model, name) for name in self.schema.model_fields}


def direct_call_of(tool: BaseTool) -> DirectCall | None:
    """Returns how to call the function of `tool`, or None if only LangChain can run it as it must.

    >>> from langchain_core.tools import tool
    >>> @tool
    ... def double(n: int) -> int:
    ...     "Returns twice the number."
    ...     return 2 * n
    >>> direct_call_of(double).arguments({"n": "21"})
    {'n': 21}
    """
    if type(tool) is not StructuredTool or tool.response_format != "content":
        return None
    schema, functions = tool.args_schema, filter(None, (tool.func, tool.coroutine))
    if tool.handle_tool_error or tool.handle_validation_error or not _is_model(schema):
        return None
    # LangChain fills the parameters that are not in the schema: `config`, `callbacks`, a runtime.
    if any(_named_parameters(function) != schema.model_fields.keys() for function in functions):
        return None
    return DirectCall(tool, schema)


def _is_model(schema: object) -> TypeGuard[type[BaseModel]]:
    if not isinstance(schema, type) or not issubclass(schema, BaseModel):
        return False
    return schema.model_config.get("extra") != "allow"


def _named_parameters(function: Callable[..., Any]) -> set[str] | None:
    """Returns the names of the parameters, or None if it also takes names that it does not list."""
    try:
        parameters = signature(function).parameters
    except ValueError:  # a function written in C may not have one
        return None
    by_name = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    return None if any(one.kind not in by_name for one in parameters.values()) else set(parameters)
