"""The uncompiled graph of a turn, which compiles into a `TurnGraph`."""

from collections.abc import Sequence
from typing import Any

from langgraph.cache.base import BaseCache
from langgraph.graph.state import StateGraph
from langgraph.store.base import BaseStore
from langgraph.types import All, Checkpointer

from turngraph.graphs.strict_serde import turn_checkpointer
from turngraph.graphs.turn_graph import TurnGraph
from turngraph.state.turn import Turn, TurnInput, TurnOutput

__all__ = ["TurnBuilder"]


class TurnBuilder(StateGraph[Turn, None, TurnInput, TurnOutput]):
    """The uncompiled graph of a turn. Its `compile` makes a `TurnGraph`."""

    def compile(
        self,
        checkpointer: Checkpointer = None,
        *,
        cache: BaseCache[Any] | None = None,
        store: BaseStore | None = None,
        interrupt_before: All | list[str] | None = None,
        interrupt_after: All | list[str] | None = None,
        debug: bool = False,
        name: str | None = None,
        transformers: Sequence[Any] | None = None,
    ) -> TurnGraph:
        """Compile as LangGraph does, into a `TurnGraph`."""
        compiled = super().compile(
            turn_checkpointer(checkpointer),
            cache=cache,
            store=store,
            interrupt_before=interrupt_before,
            interrupt_after=interrupt_after,
            debug=debug,
            name=name,
            transformers=transformers,
        )
        # LangGraph's compile() always makes a CompiledStateGraph, and sets more on it than the
        # constructor of that class takes.
        turn = TurnGraph.__new__(TurnGraph)
        vars(turn).update(vars(compiled))
        return turn
