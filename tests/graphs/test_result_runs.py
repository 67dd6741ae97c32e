"""A run of which only the end is wanted has a smaller graph of LangGraph, and nobody can tell."""

import asyncio
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_config, get_store
from langgraph.store.memory import InMemoryStore
from langgraph.types import interrupt

from tests.turns import ask, both_ways
from turngraph import ProviderConfig, ScriptedModel, chat_turn
from turngraph.graphs import TurnGraph
from turngraph.scripted import Call, Say


def on(model: ScriptedModel, **options: Any) -> TurnGraph:
    return chat_turn(ProviderConfig(base_url=model.base_url, model="m"), **options)


@both_ways
def test_a_tool_that_interrupts_ends_the_run_as_in_a_step_a_stage(run: Any) -> None:
    """Nothing keeps the question, so the run cannot be resumed; what was done so far is returned,
    with the question.
    """

    def ask_boss(what: str) -> str:
        """Asks the boss."""
        return str(interrupt({"may I": what}))

    outs, told = [], []
    for steps in ("each", "auto"):
        seen: list[Any] = []
        with ScriptedModel([Call(("ask_boss", {"what": "leave"})), Say("no")]) as model:
            turn = on(model, tools=[ask_boss], steps=steps, on_event=seen.append)
            outs.append(run(turn, ask("May I leave?")))
            assert len(model.requests) == 1
        told.append([event.type for event in seen])
    assert [out["__interrupt__"][0].value for out in outs] == [{"may I": "leave"}] * 2
    assert [[one.type for one in out["messages"]] for out in outs] == [["human", "ai"]] * 2
    assert [sorted(out) for out in outs] == [sorted(outs[0])] * 2
    # In one step the tool is begun there first, and once more in a step of its own.
    assert told[1] == [*told[0], "tool_requested"]


@both_ways
def test_a_turn_goes_on_in_its_own_graph_where_one_step_does_not_do(run: Any) -> None:
    """Also with a turn inside of it that runs in one step, and keeps its own state."""
    tries: list[str] = []

    def ask_expert() -> str:
        """Asks an expert, at the second attempt."""
        tries.append("")
        if len(tries) == 1:
            interrupt("later")
        return expert.run("?", thread="t").answer

    script = [Call(("ask_expert", {})), Say("inner"), Say("outer")]
    with ScriptedModel(script) as model:
        expert = on(model, checkpointer=InMemorySaver(), steps="one")
        out = run(on(model, tools=[ask_expert]), ask("Ask the expert."))
        assert len(model.requests) == 3
    assert [one.type for one in out["messages"]] == ["human", "ai", "tool", "ai"]
    assert [out["messages"][place].content for place in (2, 3)] == ["inner", "outer"]
    assert out["result"].status == "completed"


@both_ways
def test_a_tool_finds_what_was_set_on_the_graph_after_it_was_built(run: Any) -> None:
    """LangGraph's servers set a store; `with_config` adds what all runs have."""
    found: list[Any] = []

    def look() -> str:
        """Looks around."""
        found.append((get_store(), get_config()["metadata"].get("team")))
        return "seen"

    with ScriptedModel([Call(("look", {})), Say("done")] * 2) as model:
        turn = on(model, tools=[look])
        for team in ("a", "b"):
            turn.store = InMemoryStore()
            run(turn.with_config({"metadata": {"team": team}}), ask("Look!"))
            assert found.pop() == (turn.store, team)


def test_other_keys_of_the_state_can_be_asked_for() -> None:
    """A run whose caller reads more of the state keeps it all."""
    with ScriptedModel() as model:
        turn = on(model)
        assert len(turn.invoke(ask("Hello!"), output_keys=["attempts"])["attempts"]) == 1
        result: Any = turn.invoke(ask("Hello!"), output_keys="result")
        assert result.status == "completed"
        assert list(turn.invoke(ask("Hello!"))) == ["messages", "result", "charges"]


@pytest.mark.parametrize("steps", ["each", "auto"])
def test_a_stream_that_its_reader_leaves_ends_its_run(steps: Any) -> None:
    """No task of LangGraph's goes on behind it."""

    async def tasks_left() -> int:
        await turn.ainvoke(ask("Hello!"))
        before = len(asyncio.all_tasks())
        stream: Any = turn.astream(ask("Hello!"), stream_mode="custom")
        await anext(stream)
        await stream.aclose()
        return len(asyncio.all_tasks()) - before

    with ScriptedModel() as model:
        turn = on(model, steps=steps)
        assert asyncio.run(tasks_left()) == 0
