"""Reads tools in any of LangChain's forms into the form that a request has."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from langchain_core.tools import BaseTool
from pydantic import JsonValue, ValidationError

from turngraph.state.argument_kinds import SEVERAL, check_kinds, has_text_keys, shown
from turngraph.state.errors import TurnValueError
from turngraph.state.json_types import JsonObject
from turngraph.state.quoting import quoted
from turngraph.state.request import ToolSpec
from turngraph.state.tool_names import NAME_RULE

__all__ = ["split_tools"]


def split_tools(
    tools: Iterable[object],
) -> tuple[tuple[ToolSpec, ...], tuple[dict[str, JsonValue], ...]]:
    """Returns the functions among `tools`, and the tools that run at the vendor.

    A function is a `ToolSpec`, a LangChain tool, a typed Python function, a pydantic class, or JSON
    in either API's form. An object with any other `type` runs at the vendor, and is not changed.

    Raises TurnValueError for anything else.

    >>> functions, builtin = split_tools(
    ...     [{"type": "web_search"}, {"type": "function", "name": "f", "parameters": {}}]
    ... )
    >>> functions[0].name, builtin
    ('f', ({'type': 'web_search'},))
    """
    check_kinds({"tools": SEVERAL}, {"tools": tools}, TurnValueError)
    functions: list[ToolSpec] = []
    builtin: list[JsonObject] = []
    for tool in tools:
        if isinstance(tool, ToolSpec):
            functions.append(tool)
        elif isinstance(tool, Mapping) and not _is_function(tool):
            builtin.append(dict(tool))
        else:
            functions.append(_function_spec(tool))
    return tuple(functions), tuple(builtin)


def _is_function(tool: Mapping[str, object]) -> bool:
    # A bare JSON schema (`type: object`) describes a function too: LangChain accepts that form.
    return tool.get("type", "function") in ("function", "object")


def _function_spec(tool: Any) -> ToolSpec:
    from langchain_core.utils.function_calling import convert_to_openai_tool

    if isinstance(tool, Mapping) and tool.get("type") == "function":
        # Chat Completions nests the function in a member, Responses does not.
        function = tool.get("function", tool)
    else:
        if not (has_text_keys(tool) or isinstance(tool, BaseTool | Callable)):
            raise TurnValueError(
                f"A tool is {shown(tool)}; it must be a function, a class, a LangChain tool, a "
                "ToolSpec, or an object such as `{'type': 'web_search'}`."
            )
        # LangChain raises these two for objects it cannot read, with a sentence worth quoting.
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
            f"A function needs a `name` of {NAME_RULE}, and a JSON schema as `parameters`, which "
            f"this one lacks: {quoted(function, 200)}."
        ) from exc
