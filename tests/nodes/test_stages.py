"""The stages as LangGraph runs them: what they read and write is part of the turn, and a patch is
checked.
"""

import asyncio
import importlib
from typing import Any

import pytest
from langgraph.graph import END, START, StateGraph

from turngraph.nodes.support.dependencies import TurnDependencies
from turngraph.nodes.support.stage import Stage
from turngraph.providers import OpenAIProvider, ProviderConfig
from turngraph.state.errors import TurnValueError
from turngraph.state.flow import Wait, drive, drive_async
from turngraph.state.request import ChatRequest
from turngraph.state.turn import Turn
from turngraph.tools.toolbox import Toolbox

STAGES = ["prep_first_request", "call_llm", "bill", "prep_second_request", "finalize"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_reads_only_keys_of_a_turn(stage: str) -> None:
    """A misspelt key would silently become a new, empty one."""
    reads = importlib.import_module(f"turngraph.nodes.{stage}").Reads.__annotations__
    assert reads.keys() <= Turn.__annotations__.keys()


@pytest.mark.parametrize("stage", [*STAGES, "dispatch_tools"])
def test_a_stages_page_begins_with_what_it_owes(stage: str) -> None:
    """Open any file and see what goes in and what comes out."""
    said = importlib.import_module(f"turngraph.nodes.{stage}").__doc__ or ""
    assert said.startswith(f"{stage}: ")
    assert "\nreads  " in said
    assert "\nwrites " in said


def test_a_patch_that_the_state_does_not_hold_is_refused_in_the_stage() -> None:
    """LangGraph would store it and brick the thread."""

    def wrong(state: Any, context: StageContext) -> Any:
        return {"charges": "none"}

    provider = OpenAIProvider(ProviderConfig(vendor="ollama", model="m"))
    deps = TurnDependencies(
        provider, Toolbox.of([]), ChatRequest(vendor="ollama", api="chat", model="m")
    )
    graph = StateGraph(Turn)
    graph.add_node("wrong", Stage(wrong, deps))
    graph.add_edge(START, "wrong")
    graph.add_edge("wrong", END)
    with pytest.raises(TurnValueError, match="wrong wrote `charges`"):
        graph.compile().invoke({"messages": []})


def test_a_flow_sees_what_its_waits_raise_sync_and_async() -> None:
    """One body, driven twice: the errors arrive at the same line."""

    def fail() -> None:
        raise KeyError("k")

    async def afail() -> None:
        fail()

    def flow() -> Any:
        try:
            yield Wait(fail, afail)
        except KeyError as exc:
            return str(exc)

    assert drive(flow()) == "'k'"
    assert asyncio.run(drive_async(flow())) == "'k'"
