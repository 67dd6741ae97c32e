"""The turn as a LangGraph graph: one node for each row of the stage table."""

from collections.abc import Hashable, Mapping
from typing import Any, Final, cast

from langgraph.graph import END, START

from turngraph.graphs.fused import FusedStage, UnstoredTurn
from turngraph.graphs.route import Route
from turngraph.graphs.stage_table import (
    CustomStages,
    Follow,
    Next,
    OutcomeSlice,
    StageRow,
    stage_table,
)
from turngraph.graphs.turn_builder import TurnBuilder
from turngraph.nodes.support.dependencies import TurnDependencies
from turngraph.state.argument_kinds import Kind, check_kinds, is_a, or_none
from turngraph.state.kinds import TurnPhase
from turngraph.state.turn import Turn, TurnInput, TurnOutput

__all__ = ["build_chat_turn"]

_KINDS: Final[Mapping[str, Kind]] = {
    "deps": Kind(is_a(TurnDependencies), "a TurnDependencies"),
    "custom": Kind(or_none(is_a(CustomStages)), "a CustomStages"),
}


def build_chat_turn(deps: TurnDependencies, custom: CustomStages | None = None) -> TurnBuilder:
    """The uncompiled graph of a turn.

    For `langgraph dev`, for engines that take a `StateGraph`, and to add nodes of your own between
    the stages; `custom` has stages of your own that see the turn's state.

    Raises TurnConfigurationError for a stage of `custom` that has no name of its own.

        >>> from turngraph.providers import OpenAIProvider, ProviderConfig
        >>> from turngraph.state import ChatRequest
        >>> from turngraph.tools import Toolbox
        >>> provider = OpenAIProvider(ProviderConfig(vendor="ollama", model="llama3.2"))
        >>> request = ChatRequest(vendor="ollama", api="chat", model="llama3.2")
        >>> graph = build_chat_turn(TurnDependencies(provider, Toolbox.of([]), request))
        >>> list(graph.nodes)[:3], graph.compile().name
        (['prep_first_request', 'call_llm', 'bill'], 'LangGraph')
    """
    check_kinds(_KINDS, {"deps": deps, "custom": custom})
    graph = TurnBuilder(Turn, input_schema=TurnInput, output_schema=TurnOutput)
    rows = stage_table(deps, custom or CustomStages())
    for row in rows:
        stage = FusedStage(rows) if row is rows[0] else row.stage
        # LangGraph hands a node the keys of its `input_schema` alone. `dispatch_tools` is sent its
        # task, so it names none.
        graph.add_node(row.name, stage, input_schema=cast(Any, row.reads))
    graph.add_edge(START, rows[0].name)
    for row in rows:
        _add_edges(graph, row)
    graph.whole = UnstoredTurn(rows)
    graph.note_shape()
    return graph


def _add_edges(graph: TurnBuilder, row: StageRow) -> None:
    if row.follow is not None:
        targets: list[Hashable] = list(row.targets)
        follow, reads = row.follow, row.follow_reads
        if row.name == "prep_first_request":
            follow, reads = _after_first(row.follow), _AfterFirst
        # From this annotation LangGraph learns which keys to hand to the edge.
        follow.__annotations__["state"] = reads
        graph.add_conditional_edges(row.name, Route(follow), cast(Any, targets))
    else:
        graph.add_edge(row.name, row.targets[0] if row.targets else END)


class _AfterFirst(OutcomeSlice):
    status: TurnPhase


def _after_first(follow: Follow) -> Follow:
    """`follow`, unless all stages ran in the first one's step: then nothing follows from here."""

    def choose(state: Turn) -> Next:
        return follow(state) if state["status"] == "running" else []

    return choose
