"""Tools as they are given, in any of LangChain's forms, as a request describes them."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import JsonValue, ValidationError

from turngraph.state.errors import TurnValueError
from turngraph.state.request import ToolSpec

__all__ = ["offered"]


def offered(tools: Iterable[Any]) -> tuple[tuple[ToolSpec, ...], tuple[dict[str, JsonValue], ...]]:
    """The functions among `tools`, and the vendor's own tools, which are passed on as they are.

    A tool is a `ToolSpec`, a LangChain tool, a typed function, a pydantic class, or JSON in either
    API's form.

    Raises TurnValueError for what is no tool.

        >>> functions, builtin = offered([{"type": "web_search"}, {"type": "function", "name": "f", "parameters": {}}])
        >>> functions[0].name, builtin
        ('f', ({'type': 'web_search'},))
    """
    functions: list[ToolSpec] = []
    builtin: list[dict[str, JsonValue]] = []
    for tool in tools:
        if isinstance(tool, ToolSpec):
            functions.append(tool)
        elif isinstance(tool, Mapping) and tool.get("type", "function") not in (
            "function",
            "object",
        ):
            builtin.append(dict(tool))
        else:
            functions.append(_function(tool))
    return tuple(functions), tuple(builtin)


def _function(tool: Any) -> ToolSpec:
    from langchain_core.utils.function_calling import convert_to_openai_tool

    if isinstance(tool, Mapping) and tool.get("type") == "function":
        function = tool.get("function", tool)
    else:
        try:
            function = convert_to_openai_tool(tool)["function"]
        except (ValueError, TypeError) as exc:
            raise TurnValueError(f"Not a tool (a `{type(tool).__name__}`): {exc}") from exc
    try:
        return ToolSpec(
            name=function["name"],
            description=function.get("description") or "",
            parameters=function.get("parameters") or {"type": "object", "properties": {}},
            strict=function.get("strict"),
        )
    except (KeyError, ValidationError) as exc:
        raise TurnValueError(
            f"Not a function the model could be offered: {function!r:.200}."
        ) from exc
