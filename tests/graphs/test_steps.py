"""One step for all stages, or one step a stage: nobody can tell from what a turn did.

Random turns, each run both ways. `TURNGRAPH_STEP_SEEDS=2000` runs so many, 100 are the default; a
failure names its seed.
"""

import os
from pathlib import Path
from typing import Any, cast

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command
from pydantic import TypeAdapter

from tests.graphs.random_turns import Plan, observe
from tests.turns import ask, both_ways, result_of
from turngraph import ProviderConfig, ScriptedModel, chat_turn
from turngraph.graphs import TurnGraph
from turngraph.scripted import Call, Say
from turngraph.state.events import AnyEvent, ApprovalAsked, ApprovalDecided
from turngraph.state.turn import Turn

SEEDS = int(os.environ.get("TURNGRAPH_STEP_SEEDS", "100"))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_random_turn_does_the_same_in_one_step_and_in_a_step_a_stage(
    seed: int, tmp_path: Path
) -> None:
    """The same requests, events, result, messages and charges."""
    plan = Plan.random(seed)
    each, one = (observe(plan, steps, tmp_path / steps) for steps in ("each", "one"))
    assert one.requests == each.requests, plan
    assert one.events == each.events, plan
    assert one.result == each.result, plan
    assert one.messages == each.messages, plan
    assert one.attempts == each.attempts, plan


SIX = ["prep_first_request", "call_llm", "bill", "dispatch_tools", "prep_second_request"]


def on(model: ScriptedModel, **options: Any) -> TurnGraph:
    """A turn with one tool on `model`."""
    return chat_turn(config_of(model), functions=["calculator"], **options)


def config_of(model: ScriptedModel) -> ProviderConfig:
    return ProviderConfig(base_url=model.base_url, model="m")


def thread(name: str) -> Any:
    """The configuration of a thread."""
    return {"configurable": {"thread_id": name}}


@both_ways
def test_one_step_stores_one_checkpoint_for_the_whole_turn(run: Any) -> None:
    """A step a stage stores the input and each stage."""
    history = [("user", f"Question {n}?") for n in range(12)]
    with ScriptedModel() as model:
        turn = on(model, checkpointer=InMemorySaver(), steps="one")
        run(turn, {"messages": history}, thread("one"))
        run(turn, ask("What is 6 * 7?"), thread("one"))
        each = on(model, checkpointer=InMemorySaver(), steps="each")
        run(each, ask("What is 6 * 7?"), thread("each"))
    assert len(list(turn.get_state_history(thread("one")))) == 2
    assert len(list(each.get_state_history(thread("each")))) > 8
    assert turn.get_state(thread("one")).next == ()
    assert len(turn.get_state(thread("one")).values["messages"]) == 17


def test_a_thread_written_one_way_goes_on_the_other_way() -> None:
    """The state is the same, so a change of the setting needs no migration."""
    saver = InMemorySaver()
    with ScriptedModel() as model:
        one = on(model, checkpointer=saver, steps="one")
        each = on(model, checkpointer=saver, steps="each")
        for turn in (one, each, one):
            turn.invoke(ask("What is 6 * 7?"), thread("t"))
        conversation = each.get_state(thread("t")).values["messages"]
        sent = model.requests[-1].body["messages"]
    assert [message.type for message in conversation] == ["human", "ai", "tool", "ai"] * 3
    assert len(sent) == 12


def test_a_breakpoint_and_a_look_at_the_steps_are_always_a_step_a_stage() -> None:
    """Also where one step was asked for: it would pass the breakpoint by."""
    with ScriptedModel() as model:
        turn = on(model, checkpointer=InMemorySaver(), steps="one")
        turn.invoke(ask("Hello!"), thread("t"), interrupt_before=["call_llm"])
        assert turn.get_state(thread("t")).next == ("call_llm",)
        assert turn.invoke(None, thread("t"))["result"].status == "completed"
        updates = on(model).stream(ask("What is 6 * 7?"), stream_mode="updates")
        assert [name for update in updates for name in update][:5] == SIX


@both_ways
def test_a_node_added_to_the_builder_runs(run: Any) -> None:
    """All stages in one step would pass by it."""
    seen: list[str] = []

    def audit(state: Turn) -> Turn:
        assert state["result"] is not None
        seen.append(state["result"].status)
        return {}

    with ScriptedModel() as model:
        builder = on(model).builder
        builder.add_node("audit", audit)
        builder.add_edge("finalize", "audit")
        run(builder.compile(), ask("Hello!"))
    assert seen == ["completed"]


def test_a_turn_inside_a_tool_of_a_turn_runs_in_its_own_steps() -> None:
    """LangGraph hands the outer run's configuration down to it, which says one step."""
    seen: list[str] = []

    def watched() -> str:
        """Asks an expert, who is watched."""
        seen.extend(name for part in inner.stream(ask("?"), stream_mode="updates") for name in part)
        return "asked"

    with ScriptedModel([Call(("watched", {})), Say("inner"), Say("outer")]) as model:
        inner = on(model)
        outer = chat_turn(config_of(model), tools=[watched])
        assert outer.run("Ask the expert.").answer == "outer"
    assert seen == ["prep_first_request", "call_llm", "bill", "finalize"]


def test_steps_that_an_outer_run_hands_down_do_not_hold() -> None:
    """A tool may give its own configuration to a turn that keeps a thread."""
    with ScriptedModel() as model:
        turn = on(model, checkpointer=InMemorySaver())
        handed_down = {"configurable": {"thread_id": "t", "turn_steps": "result"}}
        turn.invoke(ask("Hello!"), cast(RunnableConfig, handed_down))
        assert len(turn.get_state(thread("t")).values["attempts"]) == 1
        assert len(list(turn.get_state_history(thread("t")))) > 4


def test_watching_from_outside_shows_single_stages() -> None:
    """Tokens name the stage they come from, and a parent that streams subgraphs sees the nodes."""
    with ScriptedModel() as model:
        tokens = on(model, stream=True).stream(ask("Hello!"), stream_mode="messages")
        assert {metadata["langgraph_node"] for _, metadata in tokens} >= {"call_llm"}
        parent = StateGraph(MessagesState).add_node("chat", on(model)).add_edge(START, "chat")
        watched: Any = parent.compile().stream
        parts = watched(ask("What is 6 * 7?"), stream_mode="updates", subgraphs=True)
        inside = [name for namespace, update in parts if namespace for name in update]
    assert inside[:5] == SIX


def test_callbacks_are_told_of_every_stage() -> None:
    """A tracer draws the tree of a turn from them."""
    from langchain_core.callbacks import BaseCallbackHandler

    names: list[str] = []

    class Tracer(BaseCallbackHandler):
        def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
            names.append(str(kwargs.get("name")))

    with ScriptedModel() as model:
        on(model).invoke(ask("Hello!"), {"callbacks": [Tracer()]})
    assert {"prep_first_request", "call_llm", "bill", "finalize"} <= set(names)


@both_ways
def test_an_approval_leaves_the_one_step_and_nothing_is_called_twice(run: Any) -> None:
    """The model was asked before the person; a resume does not ask it again."""
    with ScriptedModel() as model:
        turn = on(model, checkpointer=InMemorySaver(), steps="one", approve=True)
        stopped = run(turn, ask("What is 6 * 7?"), thread("t"))
        assert stopped["__interrupt__"][0].value["tool"] == "calculator"
        assert turn.get_state(thread("t")).next == ("dispatch_tools",)
        out = run(turn, Command(resume={"decision": "approve"}), thread("t"))
        assert len(model.requests) == 2
    assert [each.status for each in result_of(out).tool_runs] == ["ok"]


@pytest.mark.parametrize("steps", ["each", "one"])
@both_ways
def test_an_approval_is_two_events(run: Any, steps: str) -> None:
    """That a person is asked, when the turn stops, and what they decided, once; a wrong answer is
    asked about again, with what is wrong.
    """
    with ScriptedModel() as model:
        seen: list[Any] = []
        turn = on(
            model, checkpointer=InMemorySaver(), steps=steps, approve=True, on_event=seen.append
        )
        run(turn, ask("What is 6 * 7?"), thread("t"))
        for answer in ("perhaps", {"decision": "edit", "arguments": {"expression": "6 * 8"}}):
            run(turn, Command(resume=answer), thread("t"))
    told = [event for event in seen if isinstance(event, ApprovalAsked | ApprovalDecided)]
    first, again, decided = told
    assert isinstance(first, ApprovalAsked)
    assert isinstance(again, ApprovalAsked)
    assert (first.tool, first.arguments, first.problem) == (
        "calculator",
        {"expression": "6 * 7"},
        None,
    )
    assert "'perhaps' is no decision" in str(again.problem)
    assert isinstance(decided, ApprovalDecided)
    assert (decided.decision, decided.arguments) == ("edit", {"expression": "6 * 8"})
    assert TypeAdapter(AnyEvent).validate_json(decided.model_dump_json()) == decided
    asked_at, answered_at = seen.index(first), [each.type for each in seen].index("tool_responded")
    assert asked_at < seen.index(decided) < answered_at


def test_the_drawn_graph_is_the_same_whatever_the_steps() -> None:
    """How a turn is run is no part of what it is."""
    with ScriptedModel() as model:
        turns = [on(model, steps=steps) for steps in ("auto", "each", "one")]
        drawn = {turn.get_graph().draw_mermaid() for turn in turns}
    assert len(drawn) == 1
