"""In how many steps of LangGraph the stages of a turn run, and how a run is told so.

One step a stage is what a debugger, a breakpoint or `stream_mode="updates"` needs. One step for all
costs a third of that, and nobody can see the difference where only the end of the turn is looked
at. `auto` chooses; the state, the requests, the events and the charges are the same.
"""

import os
from collections.abc import Mapping
from typing import Any, Final, Literal, Protocol

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config

from turngraph.graphs.fused import HANDED_OUT, STEPS, OneStep
from turngraph.state.errors import TurnConfigurationError

__all__ = [
    "Steps",
    "check_can_stop",
    "inherited",
    "invoked",
    "is_invoked",
    "keeps_checkpoints",
    "one_step_of",
    "with_steps",
]

Steps = Literal["auto", "each", "one"]
"""`each`: one step a stage. `one`: all stages in one step, also with a checkpointer, which then
stores one checkpoint a turn. `auto`: one step, where the run keeps no checkpoints and nobody
watches its steps.
"""

_INVOKED: Final = "turn_invoked"
"""Set by `invoke` and `ainvoke`, which LangGraph implements by streams that look at every step."""
_PARENT_STREAM: Final = "__pregel_stream"
_PARENT_CHECKPOINTER: Final = "__pregel_checkpointer"
"""Keys that LangGraph sets for a graph that runs as a node of another; a test pins them."""
_COORDINATES: Final = ("thread_id", "checkpoint_ns", "checkpoint_id", "checkpoint_map")
"""Keys of `configurable` that say where a run's checkpoints are."""
_TRACING: Final = ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING_V2")


class _Graph(Protocol):
    steps: Steps
    stages_alone: bool
    checkpointer: Any
    stream_mode: Any
    interrupt_before_nodes: Any
    interrupt_after_nodes: Any
    debug: bool


def one_step_of(
    graph: _Graph, given: object, config: RunnableConfig | None, arguments: Mapping[str, object]
) -> OneStep | None:
    """How this run of `graph` runs all stages in one step; None: it runs one step a stage."""
    configurable = (config or {}).get("configurable", {})
    if (
        graph.steps == "each"
        or not graph.stages_alone
        or not isinstance(given, Mapping)
        or _has_breakpoints(graph, arguments)
    ):
        return None
    one: OneStep | None = "one" if graph.steps == "one" else None
    if keeps_checkpoints(graph, config) or _is_traced(config) or _PARENT_STREAM in configurable:
        return one
    if _watches_steps(graph, configurable, arguments) or not _reads_only_result(arguments):
        return one
    return "result"


def _has_breakpoints(graph: _Graph, arguments: Mapping[str, object]) -> bool:
    asked = (arguments.get(name) for name in ("interrupt_before", "interrupt_after", "debug"))
    built = (graph.interrupt_before_nodes, graph.interrupt_after_nodes, graph.debug)
    return any(asked) or any(built)


def _watches_steps(
    graph: _Graph, configurable: Mapping[str, object], arguments: Mapping[str, object]
) -> bool:
    """Whether the run streams something that shows single steps."""
    if configurable.get(_INVOKED):
        return False
    modes = arguments.get("stream_mode") or graph.stream_mode
    return modes not in ("custom", ["custom"])


def _reads_only_result(arguments: Mapping[str, object]) -> bool:
    """Whether the run reads no more of the state than what a turn hands out."""
    keys: Any = arguments.get("output_keys")
    return keys is None or HANDED_OUT.issuperset([keys] if isinstance(keys, str) else keys)


def _is_traced(config: RunnableConfig | None) -> bool:
    """Whether callbacks want to be told of every node."""
    if any(os.environ.get(name, "").lower() == "true" for name in _TRACING):
        return True
    callbacks: Any = (config or {}).get("callbacks") or ()
    return bool(getattr(callbacks, "handlers", callbacks))


def invoked(
    config: RunnableConfig | None, arguments: Mapping[str, object]
) -> RunnableConfig | None:
    """`config` with a mark that only the last values are wanted, where that is so."""
    if arguments.get("stream_mode", "values") != "values" or arguments.get("print_mode"):
        return config
    return _configured(config, _INVOKED, True)


def is_invoked(config: RunnableConfig | None) -> bool:
    """Whether only the last values of a run are wanted, so that nobody reads its steps."""
    return bool((config or {}).get("configurable", {}).get(_INVOKED))


def keeps_checkpoints(graph: "_Graph", config: RunnableConfig | None) -> bool:
    """Whether this run of `graph` stores checkpoints, in its own checkpointer or its parent's."""
    return bool(graph.checkpointer or inherited(config).get(_PARENT_CHECKPOINTER))


def inherited(config: RunnableConfig | None) -> Mapping[str, object]:
    """The `configurable` of `config`, with what LangGraph adds to it from the run around this one:
    all of it, also where a function calls the turn, unless `config` names a thread of its own.
    """
    given = (config or {}).get("configurable") or {}
    if any(given.get(name) for name in _COORDINATES):
        return given
    return {**((var_child_runnable_config.get() or {}).get("configurable") or {}), **given}


def check_can_stop(graph: "_Graph", config: RunnableConfig | None, why: str) -> None:
    """Raise TurnConfigurationError for a run that may stop, and that nothing would keep."""
    if not keeps_checkpoints(graph, config):
        raise TurnConfigurationError(
            f"{why}; without a checkpointer it could not go on. Give "
            "`checkpointer=InMemorySaver()` or another one, to the turn or to the graph that it is "
            "a node of."
        )


def with_steps(config: RunnableConfig | None, how: OneStep | None) -> RunnableConfig | None:
    """`config` for a run in one step, or one step a stage (None).

    LangGraph hands the `configurable` of a run down to one inside it, in a tool or a stage, unless
    that is given its own. The steps of the outer run are not those of the inner one.
    """
    if how is not None:
        return _configured(config, STEPS, how)
    given = (config or {}).get("configurable")
    outer = (var_child_runnable_config.get() or {}).get("configurable")
    configurable = (outer if given is None else given) or {}
    if configurable.get(STEPS) is None:
        return config
    return _configured({**(config or {}), "configurable": configurable}, STEPS, None)


def _configured(config: RunnableConfig | None, key: str, value: object) -> RunnableConfig:
    config = config or {}
    return {**config, "configurable": {**config.get("configurable", {}), key: value}}
