"""The uncompiled graph of a turn, which compiles into a `TurnGraph`."""

from collections.abc import Sequence
from typing import Any

from langgraph.cache.base import BaseCache
from langgraph.graph.state import StateGraph
from langgraph.store.base import BaseStore
from langgraph.types import All, Checkpointer

from turngraph.graphs.fused import UnstoredTurn
from turngraph.graphs.strict_serde import turn_checkpointer
from turngraph.graphs.turn_graph import TurnGraph
from turngraph.state.turn import Turn, TurnInput, TurnOutput

__all__ = ["TurnBuilder"]


class TurnBuilder(StateGraph[Turn, None, TurnInput, TurnOutput]):
    """The uncompiled graph of a turn. Its `compile` makes a `TurnGraph`."""

    whole: UnstoredTurn | None = None
    """All stages of the turn as one node, for runs of which only the end is wanted."""
    _shape_of_turn: object = None

    def note_shape(self) -> None:
        """Remembers the nodes and edges as those of a turn. A graph that has others when it is
        compiled runs one step a stage: all stages in one would pass by what was added.
        """
        self._shape_of_turn = self._shape()

    def _shape(self) -> object:
        branches = {start: dict(named) for start, named in self.branches.items() if named}
        return dict(self.nodes), set(self.edges), set(self.waiting_edges), branches

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
        turn.whole = self.whole
        turn.stages_alone = self._shape() == self._shape_of_turn
        return turn
