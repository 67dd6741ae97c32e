"""The stages as LangGraph runs them, and the tables that say which of them touches which key."""

import asyncio
import importlib
import re
from typing import Any, get_type_hints

import pytest
from langchain_core.tools import tool
from langgraph.graph import END, START, StateGraph

from tests.nodes.stages import STAGES, asks, context_for, documented
from tests.paths import ROOT
from tests.turns import ask, turn_on
from turngraph.graphs.builder import build_chat_turn
from turngraph.nodes import StageContext
from turngraph.nodes.support.stage import Stage
from turngraph.scripted import Call, Say, ScriptedModel
from turngraph.state import turn as turn_page
from turngraph.state.errors import TurnValueError
from turngraph.state.flow import Wait, drive, drive_async
from turngraph.state.limits import TurnLimits
from turngraph.state.turn import Turn, TurnInput, TurnOutput

COLUMNS = [
    "caller",
    "prep_first",
    "call_llm",
    "bill",
    "dispatch",
    "prep_second",
    "finalize",
    "edges",
]
READERS = tuple(stage for stage in STAGES if stage != "dispatch_tools")


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: rain"


def reads_of(stage: str) -> dict[str, Any]:
    """The keys that LangGraph hands to a stage, with their types."""
    module = importlib.import_module(f"turngraph.nodes.{stage}")
    return get_type_hints(module.Reads) if hasattr(module, "Reads") else {}


@pytest.mark.parametrize("stage", READERS)
def test_a_stage_reads_keys_of_a_turn_in_their_types(stage: str) -> None:
    """A misspelled key would silently become a new, empty one."""
    keys = get_type_hints(Turn)
    for key, kind in reads_of(stage).items():
        # The edges lead to finalize only with an outcome.
        assert kind == keys[key] or (stage, key) == ("finalize", "outcome")


@pytest.mark.parametrize("stage", STAGES)
def test_a_stages_page_names_the_keys_it_reads(stage: str) -> None:
    """Open any file and see what goes in and what comes out."""
    text = importlib.import_module(f"turngraph.nodes.{stage}").__doc__ or ""
    assert text.startswith(f"{stage}: ")
    assert documented(stage, "reads") == reads_of(stage).keys()


def test_a_stages_page_names_the_keys_it_writes() -> None:
    """Collected from turns that reach every way through the stages."""
    script = [Call(("weather", {"city": "Oslo"})), Say("Rain.")]
    open_call = {"messages": [asks("weather"), ("user", "Well?")]}
    written: dict[str, set[str]] = {stage: set() for stage in STAGES}
    for given, limits in (
        (ask("Hi"), TurnLimits()),
        (open_call, TurnLimits()),
        (ask("Hi"), TurnLimits(tool_calls=0)),
    ):
        with ScriptedModel(script) as model:
            turn = turn_on(model, tools=[weather], limits=limits)
            for update in turn.stream(given, stream_mode="updates"):
                for stage, patch in update.items():
                    written[stage] |= patch.keys()
    assert written == {stage: documented(stage, "writes") for stage in STAGES}


def derived_table() -> dict[str, list[str]]:
    """Who reads and who writes each key, from the code."""
    edges: set[str] = set()
    for branches in build_chat_turn(context_for().deps).branches.values():
        for branch in branches.values():
            path: Any = branch.path  # a function that functools.wraps has wrapped
            edges |= get_type_hints(get_type_hints(path.__wrapped__)["state"]).keys()
    reads = [TurnOutput.__annotations__.keys(), *map(reads_of, STAGES), edges]
    writes = [
        TurnInput.__annotations__.keys(),
        *(documented(stage, "writes") for stage in STAGES),
        set[str](),
    ]
    return {
        key: [
            ("r" if key in read else "") + ("w" if key in write else "") or "-"
            for read, write in zip(reads, writes, strict=True)
        ]
        for key in Turn.__annotations__
    }


def test_the_table_in_state_turn_is_true() -> None:
    """It is what people read before they add a key."""
    lines = (turn_page.__doc__ or "").splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("key "))
    last = lines.index("", first)
    assert lines[first].split() == ["key", *COLUMNS]
    rows = [line.split() for line in lines[first + 1 : last]]
    assert {key: cells for key, *cells in rows} == derived_table()


def test_the_table_in_the_docs_is_true() -> None:
    """The page shows the same table."""
    text = (ROOT / "docs/turn.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \|((?: (?:[rw]+|-) \|){8})$", text, re.MULTILINE)
    assert {key: re.findall(r"[rw-]+", cells) for key, cells in rows} == derived_table()


def test_a_patch_that_the_state_cannot_hold_is_refused_in_the_stage() -> None:
    """LangGraph would store it, and nobody could read the thread again."""

    def wrong(state: Any, context: StageContext) -> Any:
        return {"charges": "none"}

    graph = StateGraph(Turn)
    graph.add_node("wrong", Stage(wrong, context_for().deps))
    graph.add_edge(START, "wrong")
    graph.add_edge("wrong", END)
    with pytest.raises(TurnValueError, match="wrong wrote `charges`"):
        graph.compile().invoke({"messages": []})


def test_a_stage_gets_the_run_it_belongs_to_from_langgraph() -> None:
    """What LangGraph and the run's configuration say is in the context, for every helper."""
    seen: list[StageContext] = []

    def look(state: Any, context: StageContext) -> Turn:
        seen.append(context)
        return {"status": "done"}

    graph = StateGraph(Turn)
    graph.add_node("look", Stage(look, context_for().deps))
    graph.add_edge(START, "look")
    graph.add_edge("look", END)
    configurable = {"thread_id": "t", "turn_fence": 7, "turn_replay": "recorded"}
    graph.compile().invoke({"messages": []}, {"configurable": configurable})
    [context] = seen
    assert (context.thread_id, context.fence, context.replay) == ("t", 7, "recorded")
    assert context.task_id
    assert not context.cancellable


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
