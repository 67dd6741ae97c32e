"""Makes a LangChain tool of whatever the caller gives, and the tool spec that vendors accept."""

import inspect
import json
import re
from collections.abc import Callable, Collection, Mapping
from traceback import walk_tb
from typing import Any, Final, get_args, get_origin, get_type_hints

from langchain_core.tools import BaseTool
from pydantic import BaseModel, create_model
from pydantic.errors import PydanticInvalidForJsonSchema

from turngraph.state.errors import TurnConfigurationError
from turngraph.state.json_types import JsonObject
from turngraph.state.request import ToolSpec
from turngraph.state.schema_references import with_pointers
from turngraph.state.tool_names import NAME_RULE, is_tool_name
from turngraph.tools.aliases import with_aliases
from turngraph.tools.builtin.registry import BUILTINS
from turngraph.tools.injection import function_of
from turngraph.tools.schema_size import can_be_inlined
from turngraph.tools.schemas import check_depth, with_items
from turngraph.tools.text import backticked

__all__ = ["as_langchain_tool", "has_no_sync_code", "is_async_only", "supports_async", "tool_spec"]

COMMAND: Final = re.compile(r"\bCommand\b")
NO_ARGUMENTS: Final = frozenset({"string", "number", "integer", "boolean", "array", "null"})
"""Types of JSON schemas that the arguments of a call, one object, never fit."""
RENAMED: Final = frozenset({"v__args", "v__kwargs"})
"""Pydantic's names for parameters called `args` and `kwargs`, which no function takes."""
HANDOFF: Final = "__handoff_destination"
"""Marks the hand-off tools of `langgraph-supervisor` and `langgraph-swarm`, which return a Command.
"""


def as_langchain_tool(given: BaseTool | Callable[..., Any] | str) -> BaseTool:
    """Returns `given` as a LangChain tool. It is a tool, a typed function or a built-in's name.

    Raises TurnConfigurationError for anything else, and for an unknown name.

        >>> as_langchain_tool("calculator").name
        'calculator'
    """
    if isinstance(given, BaseTool):
        _check_effects(given)
        return given
    if isinstance(given, str):
        if given not in BUILTINS:
            raise TurnConfigurationError(
                f"No built-in function is named `{given[:100]}`. "
                f"There are: {backticked(sorted(BUILTINS))}."
            )
        return BUILTINS[given]()
    if isinstance(given, Mapping):
        raise TurnConfigurationError(
            f"{_provider_tool(given)} is a tool that the vendor runs itself, and a toolbox holds "
            "tools that run here. Give it to `chat_turn` or as `ProviderConfig(builtin_tools=…)`."
        )
    if not callable(given) or isinstance(given, type):
        raise TurnConfigurationError(
            "A tool is a LangChain tool, a typed function or the name of a built-in function, "
            f"not {type(given).__name__}."
        )
    return _tool_from_function(given)


def tool_spec(tool: BaseTool, hidden: frozenset[str] = frozenset()) -> ToolSpec:
    """Returns `tool` as the model sees it: name, description, JSON schema of its arguments.

    hidden: the arguments that a model does not give.

    Raises TurnConfigurationError for a name or a schema that no vendor accepts.
    """
    if not is_tool_name(tool.name):
        raise TurnConfigurationError(
            f"`{tool.name[:100]}` cannot be the name of a tool: {NAME_RULE} are allowed."
        )
    check_depth(tool.name, tool.args_schema)
    try:
        function = _shown_to_models(tool, hidden)
        # The round trip refuses NaN and objects now, rather than when the request is sent.
        parameters = json.loads(json.dumps(function.get("parameters", {}), allow_nan=False))
        # Python before 3.13 keeps the indentation of docstrings. It costs tokens and means nothing.
        description = inspect.cleandoc(function.get("description", ""))
        parameters = with_aliases(
            tool.name,
            with_items({"type": "object", "properties": {}} | parameters),
            tool.args_schema,
        )
        spec = ToolSpec(
            name=tool.name, description=description, parameters=_without(parameters, hidden)
        )
    except RecursionError:
        raise TurnConfigurationError(
            f"The schema of tool `{tool.name}` is nested too deep, or refers to itself without end."
        ) from None
    except Exception as error:  # annotations in text are evaluated: anything may be raised
        raise TurnConfigurationError(
            f"Tool `{tool.name}` has no JSON schema: {_fault(error)}"
        ) from error
    _check_callable(tool, spec)
    return spec


def supports_async(tool: BaseTool) -> bool:
    """Whether `tool` can run on an event loop instead of in a thread."""
    if hasattr(tool, "coroutine"):
        return tool.coroutine is not None
    # LangChain's own `_arun` only sends `_run` to a thread pool.
    return type(tool)._arun is not BaseTool._arun


def is_async_only(tool: BaseTool) -> bool:
    """Whether `tool` has a coroutine and no sync function."""
    return getattr(tool, "coroutine", None) is not None and getattr(tool, "func", None) is None


def has_no_sync_code(tool: BaseTool, error: BaseException | None) -> bool:
    """Whether `error` says that `tool`, a class of its own, can only run on an event loop.

    Such a class must define `_run`, and raises NotImplementedError in it at once. One that comes
    from deeper is a failure like any other: the tool may have had its effect before.
    """
    if not isinstance(error, NotImplementedError) or not supports_async(tool):
        return False
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    return frames[-1].f_code is getattr(type(tool)._run, "__code__", None)


def _shown_to_models(tool: BaseTool, hidden: frozenset[str]) -> Mapping[str, Any]:
    """Returns name, description and parameters of `tool`, as LangChain shows them to models.

    LangChain replaces every reference, and writes `{}` where a schema refers to itself: a model
    would not be told what stands there. Such a schema keeps its references, and so does one whose
    references are no JSON pointers, the only ones that LangChain reads.
    """
    from langchain_core.utils.function_calling import convert_to_openai_tool

    given: Any = tool.args_schema and tool.tool_call_schema
    source: Any = tool
    if isinstance(given, type):
        is_model = issubclass(given, BaseModel)
        source = _visible(given, hidden) if is_model else tool
        given = source.model_json_schema() if is_model else None
    pointed = with_pointers(given) if given else given
    if not given or (pointed == given and can_be_inlined(given)):
        function = dict(convert_to_openai_tool(source)["function"])
        return function | {"description": tool.description or function.get("description", "")}
    parameters = {
        key: value for key, value in pointed.items() if key not in ("title", "description")
    }
    description = tool.description or given.get("description", "")
    return {"description": description, "parameters": parameters}


def _visible(schema: type[BaseModel], hidden: frozenset[str]) -> type[BaseModel]:
    """Returns `schema` without the fields that a model does not give, such as a ToolRuntime, which
    has no JSON schema. LangChain leaves them out by itself, unless they may be None.
    """
    if not hidden & schema.model_fields.keys():
        return schema
    fields: dict[str, Any] = {
        name: (field.annotation, field)
        for name, field in schema.model_fields.items()
        if name not in hidden
    }
    return create_model(
        schema.__name__, __config__=schema.model_config, __doc__=schema.__doc__, **fields
    )


def _without(parameters: JsonObject, hidden: Collection[str]) -> JsonObject:
    """Returns `parameters` without those that a model does not give.

    LangChain leaves them out by itself, unless they may be None: `Annotated[…] | None`.
    """
    if not any(name in parameters["properties"] for name in hidden):
        return parameters
    return {
        **parameters,
        "properties": {k: v for k, v in parameters["properties"].items() if k not in hidden},
        "required": [name for name in parameters.get("required", ()) if name not in hidden],
    }


def _check_callable(tool: BaseTool, spec: ToolSpec) -> None:
    """Refuses a tool that no arguments of a model would ever call."""
    kind = spec.parameters["type"]
    if isinstance(kind, str) and kind in NO_ARGUMENTS:
        raise TurnConfigurationError(
            f"The schema of tool `{tool.name}` is of type `{kind}`, and models give arguments as "
            "one object. Make it the property of an object."
        )
    properties: Any = spec.parameters["properties"]
    if not isinstance(properties, Mapping):  # no JSON schema, as its check will say
        return
    for renamed in RENAMED & properties.keys():
        raise TurnConfigurationError(
            f"Tool `{tool.name}` has a parameter named `{renamed.removeprefix('v__')}`, which "
            f"LangChain offers as `{renamed}` and cannot hand over. Rename the parameter."
        )
    try:
        parameters = inspect.signature(function_of(tool)).parameters.values()
    except ValueError:  # a function written in C may not have one
        return
    for one in parameters:
        if one.kind is one.VAR_POSITIONAL and one.name in properties:
            raise TurnConfigurationError(
                f"Tool `{tool.name}` takes `*{one.name}`, and models give arguments by name. Write "
                "out its parameters, or take one list."
            )
        if one.kind is one.POSITIONAL_ONLY and one.name in properties:
            raise TurnConfigurationError(
                f"Tool `{tool.name}` takes `{one.name}` by position only, and models give "
                "arguments by name. Remove the `/` from its signature, or wrap the function."
            )


def _provider_tool(given: Mapping[Any, Any]) -> str:
    kind = given.get("type")
    return f"`{kind[:100]}`" if isinstance(kind, str) and kind else "A mapping"


def _check_effects(tool: BaseTool) -> None:
    """Refuses tools that steer the graph, by name: in a turn they would only seem to.

    In LangChain's `create_agent` such a tool ends the run or changes the state.
    """
    if tool.return_direct:
        raise TurnConfigurationError(
            f"Tool `{tool.name}` has return_direct=True, and a turn always lets the model answer. "
            "Set return_direct=False, and read the tool's own answer in `result.tool_runs`."
        )
    if HANDOFF in (tool.metadata or {}) or _returns_command(tool):
        raise TurnConfigurationError(
            f"Tool `{tool.name}` returns a Command, which a turn does not apply: a tool's result "
            "is data for the model. Return data, and let the graph around the turn decide by "
            "`result.tool_runs` what happens next."
        )


def _fault(error: Exception) -> str:
    if isinstance(error, NameError) and error.name:
        return (
            f"an annotation says `{error.name}`, which is not defined when the program runs. "
            "Import it outside of `if TYPE_CHECKING`, or write the type that the model gives."
        )
    if isinstance(error, PydanticInvalidForJsonSchema):
        return (
            f"an argument has a type that no model can give ({error.message}). Take it out, or "
            "mark it as injected, such as `Annotated[BaseStore, InjectedStore]`."
        )
    return str(error)[:300]


def _returns_command(tool: BaseTool) -> bool:
    """Whether the function of `tool` is annotated to return LangGraph's `Command`."""
    from langgraph.types import Command

    try:
        returned = get_type_hints(function_of(tool)).get("return")
    except Exception:  # noqa: BLE001  evaluating what somebody wrote may raise anything
        annotation = getattr(function_of(tool), "__annotations__", {}).get("return")
        return isinstance(annotation, str) and COMMAND.search(annotation) is not None
    return _mentions(returned, Command)


def _mentions(hint: Any, kind: type) -> bool:
    """Whether the type `hint` is `kind`, or a union, list or the like of it."""
    outer = get_origin(hint) or hint
    return (isinstance(outer, type) and issubclass(outer, kind)) or any(
        _mentions(inner, kind) for inner in get_args(hint)
    )


def _tool_from_function(function: Callable[..., Any]) -> BaseTool:
    from langchain_core.tools import tool

    name = getattr(function, "__name__", type(function).__name__)
    docstring = (getattr(function, "__doc__", None) or "").strip()
    try:
        # LangChain raises for a function without a docstring, so its name becomes the description.
        made: BaseTool = tool(name, description=None if docstring else name.replace("_", " "))(
            function
        )
    except Exception as error:  # annotations in text are evaluated: anything may be raised
        raise TurnConfigurationError(
            f"The function `{name}` cannot become a tool: {_fault(error)}"
        ) from error
    _check_effects(made)
    return made
