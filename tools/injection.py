"""What a LangChain tool wants beside the model's arguments: the call's id, the state, the store,
the runtime.

Such arguments are never shown to the model, and never taken from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin, get_type_hints

from langchain_core.runnables.config import ensure_config
from langchain_core.tools import BaseTool, InjectedToolArg, InjectedToolCallId

from turngraph.state.errors import ToolError, TurnConfigurationError

__all__ = ["Injection", "injection_of"]


@dataclass(frozen=True, slots=True)
class Injection:
    """The names of a tool's injected arguments, by what they want."""

    hidden: frozenset[str] = frozenset()
    """All of them, those with a default that nobody fills included."""
    call_id: tuple[str, ...] = ()
    state: tuple[tuple[str, str | None], ...] = ()
    """Argument, and the key of the state it wants; `None` is the state whole."""
    optional: frozenset[str] = frozenset()
    store: tuple[str, ...] = ()
    runtime: tuple[tuple[str, Any], ...] = ()
    """Argument, and the class of the runtime to make."""

    def fill(self, arguments: Mapping[str, Any], *, call_id: str, state: Any) -> dict[str, Any]:
        """`arguments` without what only turngraph may give, and with what the tool wants.

        Raises ToolError where the state lacks a key the tool needs.
        """
        filled = {key: value for key, value in arguments.items() if key not in self.hidden}
        filled.update(dict.fromkeys(self.call_id, call_id))
        for name, key in self.state:
            if key is None or name not in self.optional or _has(state, key):
                filled[name] = state if key is None else _get(state, key, name)
        filled.update({name: _langgraph_runtime().store for name in self.store})
        filled.update({name: _tool_runtime(kind, call_id, state) for name, kind in self.runtime})
        return filled


def injection_of(tool: BaseTool) -> Injection:
    """What `tool` wants injected. Raises TurnConfigurationError for a wish no turn can fill."""
    hints = _annotations(tool)
    wishes = {name: wish for name, hint in hints.items() if (wish := _wish(hint)) is not None}
    if not wishes:
        return Injection()
    optional = frozenset(name for name in wishes if not _required(tool, name))
    kinds = {name: _kind(tool, name, wish, optional) for name, wish in wishes.items()}
    return Injection(
        hidden=frozenset(wishes),
        call_id=tuple(name for name, kind in kinds.items() if kind == "call_id"),
        state=tuple(
            (name, getattr(wishes[name], "field", None))
            for name, kind in kinds.items()
            if kind == "state"
        ),
        optional=optional,
        store=tuple(name for name, kind in kinds.items() if kind == "store"),
        runtime=tuple((name, wishes[name]) for name, kind in kinds.items() if kind == "runtime"),
    )


def _annotations(tool: BaseTool) -> dict[str, Any]:
    function = getattr(tool, "func", None) or getattr(tool, "coroutine", None) or tool._run
    fields = (
        getattr(tool.args_schema, "__annotations__", {})
        if isinstance(tool.args_schema, type)
        else {}
    )
    try:
        own = get_type_hints(function, include_extras=True)
        schema = get_type_hints(tool.args_schema, include_extras=True) if fields else {}
    except (
        NameError,
        TypeError,
    ):  # names known to type checkers only; pydantic has then refused them, or needs none
        return {}
    return own | schema


def _wish(hint: Any) -> Any:
    """The marker of an injected argument: an instance or class beside `Annotated`, or a runtime's
    class.
    """
    for mark in get_args(hint)[1:] if hasattr(hint, "__metadata__") else ():
        if isinstance(mark, InjectedToolArg) or (
            isinstance(mark, type) and issubclass(mark, InjectedToolArg)
        ):
            return mark
    kind = get_origin(hint) or hint
    return kind if isinstance(kind, type) and kind.__name__ == "ToolRuntime" else None


def _kind(tool: BaseTool, name: str, wish: Any, optional: frozenset[str]) -> str:
    """Recognised by class name, so that a tool without such wishes needs no import of
    `langgraph.prebuilt`.
    """
    for base in (wish if isinstance(wish, type) else type(wish)).__mro__:
        if base is InjectedToolCallId:
            return "call_id"
        if base.__name__ in ("InjectedState", "InjectedStore", "ToolRuntime"):
            return {"InjectedState": "state", "InjectedStore": "store", "ToolRuntime": "runtime"}[
                base.__name__
            ]
    if name in optional:
        return "nobody"
    raise TurnConfigurationError(
        f"Tool `{tool.name}` wants `{name}` injected, which no turn fills. Give it a default, or bind it beforehand."
    )


def _required(tool: BaseTool, name: str) -> bool:
    fields = getattr(tool.args_schema, "model_fields", {})
    if name in fields:
        return bool(fields[name].is_required())
    from inspect import signature

    function = getattr(tool, "func", None) or getattr(tool, "coroutine", None) or tool._run
    parameter = signature(function).parameters.get(name)
    return parameter is None or parameter.default is parameter.empty


def _has(state: Any, key: str) -> bool:
    return key in state if isinstance(state, Mapping) else hasattr(state, key)


def _get(state: Any, key: str, name: str) -> Any:
    if not _has(state, key):
        raise ToolError(
            f"The tool wants `{key}` of the state as its `{name}`, and the state has no such key."
        )
    return state[key] if isinstance(state, Mapping) else getattr(state, key)


def _langgraph_runtime() -> Any:
    from langgraph.runtime import Runtime, get_runtime

    try:
        return get_runtime() or Runtime()
    except RuntimeError:  # outside a graph
        return Runtime()


def _tool_runtime(kind: Any, call_id: str, state: Any) -> Any:
    runtime = _langgraph_runtime()
    return kind(
        state=state,
        context=runtime.context,
        config=ensure_config(),
        stream_writer=runtime.stream_writer,
        tool_call_id=call_id,
        store=runtime.store,
        execution_info=runtime.execution_info,
    )
