"""Fills arguments of LangChain tools that the model does not give: call id, state, store, runtime
and config.

Such arguments are never shown to the model, and a value the model sends for one is dropped.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from langchain_core.runnables.config import RunnableConfig, ensure_config
from langchain_core.tools import BaseTool, InjectedToolArg, InjectedToolCallId
from pydantic import AliasChoices

from turngraph.state.errors import ToolError, TurnConfigurationError

__all__ = ["Injection", "find_injection", "function_of"]

Source = Literal["call_id", "state", "store", "runtime", "config", "default"]
"""Where the value of an injected argument comes from; `default`: nobody fills it."""

SOURCES: Final[Mapping[str, Source]] = {
    "InjectedState": "state",
    "InjectedStore": "store",
    "ToolRuntime": "runtime",
    "RunnableConfig": "config",
}


@dataclass(frozen=True, slots=True)
class Injection:
    """The injected arguments of a tool, by the source of their value."""

    hidden: frozenset[str] = frozenset()
    """All injected arguments, including those that keep their default, and their aliases."""
    call_id: tuple[str, ...] = ()
    state: tuple[tuple[str, str | None], ...] = ()
    """Argument, and the key of the state it receives; None for the whole state."""
    optional: frozenset[str] = frozenset()
    """Injected arguments that have a default."""
    store: tuple[str, ...] = ()
    runtime: tuple[tuple[str, Any], ...] = ()
    """Argument, and the runtime class of which it receives an instance."""
    config: tuple[str, ...] = ()
    """Arguments that receive the config of the run, past the schema of the tool if need be."""
    checked: frozenset[str] = frozenset()
    """Those of `config` that are fields of the schema, and may be required by it."""

    def fill(
        self, arguments: Mapping[str, object], *, call_id: str, state: object
    ) -> dict[str, Any]:
        """Returns `arguments` with all injected arguments filled by turngraph.

        Raises ToolError if the state lacks a key that the tool requires, or the graph a store.
        """
        # The model could name a hidden argument; its value must never reach the tool.
        filled = {key: value for key, value in arguments.items() if key not in self.hidden}
        filled.update(dict.fromkeys(self.call_id, call_id))
        for name, key in self.state:
            if key is None or name not in self.optional or _has(state, key):
                filled[name] = state if key is None else _get(state, key, name)
        filled.update({name: self._store(name) for name in self.store})
        filled.update({name: _tool_runtime(kind, call_id, state) for name, kind in self.runtime})
        filled.update({name: ensure_config() for name in self.checked})
        return filled

    def _store(self, name: str) -> Any:
        store = _langgraph_runtime().store
        if store is None and name not in self.optional:
            raise ToolError(
                f"The tool wants a store as its argument `{name}`, and the graph has none: give "
                "`store=InMemoryStore()` or another one."
            )
        return store


def find_injection(tool: BaseTool) -> Injection:
    """Returns the injected arguments of `tool`.

    Raises TurnConfigurationError for an injected argument that turngraph cannot fill.
    """
    hints = _annotations(tool)
    markers = {name: mark for name, hint in hints.items() if (mark := _marker(hint)) is not None}
    if not markers:
        return Injection()
    optional = frozenset(name for name in markers if not _is_required(tool, name))
    sources = {name: _source(tool, name, mark, optional) for name, mark in markers.items()}

    def names(wanted: Source) -> tuple[str, ...]:
        return tuple(name for name, source in sources.items() if source == wanted)

    return Injection(
        hidden=frozenset(markers) | _aliases(tool, markers),
        call_id=names("call_id"),
        state=tuple((name, getattr(markers[name], "field", None)) for name in names("state")),
        optional=optional,
        store=names("store"),
        runtime=tuple((name, markers[name]) for name in names("runtime")),
        config=names("config"),
        checked=frozenset(names("config")) & getattr(tool.args_schema, "model_fields", {}).keys(),
    )


def function_of(tool: BaseTool) -> Any:
    """Returns the function that `tool` runs."""
    return getattr(tool, "func", None) or getattr(tool, "coroutine", None) or tool._run


def _annotations(tool: BaseTool) -> dict[str, Any]:
    """Returns the type hints of the tool's function and of its argument model."""
    has_model = isinstance(tool.args_schema, type) and bool(
        getattr(tool.args_schema, "__annotations__", {})
    )
    try:
        own = get_type_hints(function_of(tool), include_extras=True)
        schema = get_type_hints(tool.args_schema, include_extras=True) if has_model else {}
    except Exception:  # noqa: BLE001  evaluating what somebody wrote may raise anything
        # A name that only type checkers know. Pydantic has refused it already, or needs no hint.
        return {}
    return own | schema


def _aliases(tool: BaseTool, names: Collection[str]) -> frozenset[str]:
    """Returns the other names by which pydantic would accept the arguments `names`."""
    fields = getattr(tool.args_schema, "model_fields", {})
    aliases = (fields[name].validation_alias for name in names if name in fields)
    return frozenset(
        choice
        for alias in aliases
        for choice in (alias.choices if isinstance(alias, AliasChoices) else [alias])
        if isinstance(choice, str)
    )


def _marker(hint: object) -> Any:
    """Returns what marks an argument as injected, or None.

    It is an instance or a class inside `Annotated[…]`, or the class of a tool runtime or a config;
    also where the argument may be None.
    """
    if hasattr(hint, "__metadata__"):
        inner, *notes = get_args(hint)
        # A plain mark says only that the model does not give the argument, not what it is.
        marks = list(filter(_is_mark, notes))
        exact = [mark for mark in marks if _class_of(mark) is not InjectedToolArg]
        return next(filter(None, [*exact, _marker(inner), *marks]), None)
    kind = get_origin(hint) or hint
    if kind is RunnableConfig:
        return kind
    if kind in (Union, UnionType):
        return next(filter(None, map(_marker, get_args(hint))), None)
    classes = kind.__mro__ if isinstance(kind, type) else ()
    return kind if any(one.__name__ == "ToolRuntime" for one in classes) else None


def _is_mark(note: object) -> bool:
    return issubclass(_class_of(note), InjectedToolArg)


def _class_of(mark: object) -> type:
    return mark if isinstance(mark, type) else type(mark)


def _source(tool: BaseTool, name: str, marker: object, optional: frozenset[str]) -> Source:
    # Classes are recognized by name: importing `langgraph.prebuilt` for every tool would be slow.
    for base in _class_of(marker).__mro__:
        if base is InjectedToolCallId:
            return "call_id"
        if base.__name__ in SOURCES:
            return SOURCES[base.__name__]
    if name in optional:
        return "default"
    raise TurnConfigurationError(
        f"Tool `{tool.name}` wants `{name}` injected, which turngraph cannot fill. Give the "
        "argument a default, or bind it before you pass the tool."
    )


def _is_required(tool: BaseTool, name: str) -> bool:
    fields = getattr(tool.args_schema, "model_fields", {})
    if name in fields:
        return bool(fields[name].is_required())
    from inspect import signature

    parameter = signature(function_of(tool)).parameters.get(name)
    return parameter is None or parameter.default is parameter.empty


def _has(state: object, key: str) -> bool:
    return key in state if isinstance(state, Mapping) else hasattr(state, key)


def _get(state: object, key: str, name: str) -> Any:
    if not _has(state, key):
        raise ToolError(
            f"The tool wants the key `{key}` of the state as its argument `{name}`, and the state "
            "has no such key."
        )
    return state[key] if isinstance(state, Mapping) else getattr(state, key)


def _langgraph_runtime() -> Any:
    from langgraph.runtime import Runtime, get_runtime

    try:
        return get_runtime() or Runtime()
    except RuntimeError:  # the tool runs outside a graph
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
