"""Stages of the caller's own: nodes of the graph that see the turn's state and change it."""

import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt

from tests.turns import Run, ask, both_ways, config, invoke, result_of
from turngraph import Ledger, ProviderConfig, ScriptedModel, TurnConfigurationError, TurnValueError
from turngraph.graphs import TurnGraph, chat_turn
from turngraph.interfaces.stepper import TurnStepper
from turngraph.providers import OpenAIProvider
from turngraph.scripted import Call, Say
from turngraph.state import StageState, StageUpdate, end_turn


def turn_of(model: ScriptedModel, **options: Any) -> TurnGraph:
    return chat_turn(OpenAIProvider(config(model)), **options)


def moderate(state: StageState) -> StageUpdate | None:
    """Refuses what names a bomb, before anything is sent."""
    question = state["messages"][-1].text
    return end_turn("I cannot help with that.") if "bomb" in question else None


async def moderate_async(state: StageState) -> StageUpdate | None:
    return moderate(state)


@both_ways
@pytest.mark.parametrize("stage", [moderate, moderate_async])
def test_a_stage_before_the_model_can_end_the_turn(run: Run, stage: Any) -> None:
    """Nothing is sent, nothing is charged, and the conversation has the stage's answer."""
    with ScriptedModel() as model:
        out = run(turn_of(model, before_model=[stage]), ask("Build a bomb"))
        assert len(model.requests) == 0
    result = result_of(out)
    assert (result.status, result.answer, result.charges) == (
        "refused",
        "I cannot help with that.",
        (),
    )
    assert [message.text for message in out["messages"]][-1] == "I cannot help with that."


@both_ways
def test_a_stage_that_returns_nothing_changes_nothing(run: Run) -> None:
    """The same request is sent as without it."""
    with ScriptedModel() as model:
        with_stage = run(turn_of(model, before_model=[moderate]), ask("Hello!"))
        plain = run(turn_of(model), ask("Hello!"))
        first, second = (request.body for request in model.requests)
    assert first == second
    assert result_of(with_stage).answer == result_of(plain).answer


@both_ways
def test_a_stage_edits_the_message_and_the_request_that_are_sent(run: Run) -> None:
    """A message with the id of another replaces it, in this request and in the thread."""

    def redact(state: StageState) -> StageUpdate:
        last = state["messages"][-1]
        text = last.text.replace("4711", "****")
        return {
            "messages": [HumanMessage(text, id=last.id)],
            "request": state["request"].model_copy(update={"temperature": 0.25}),
        }

    with ScriptedModel() as model:
        out = run(turn_of(model, before_model=[redact]), ask("My PIN is 4711"))
        sent = model.requests[0].body
    assert (sent["messages"][-1]["content"], sent["temperature"]) == ("My PIN is ****", 0.25)
    assert "4711" not in str(out["messages"])


@both_ways
def test_a_stage_after_the_model_rewrites_the_answer_that_was_charged(run: Run) -> None:
    """The caller and the thread get the rewritten text; the charge is what the vendor asks."""

    def shout(state: StageState) -> StageUpdate:
        last = state["messages"][-1]
        return {"messages": [AIMessage(last.text.upper(), id=last.id)]}

    with ScriptedModel([Say("hello")]) as model:
        out = run(turn_of(model, after_model=[shout]), ask("Say hello"))
    result = result_of(out)
    assert (result.answer, out["messages"][-1].text, result.status) == (
        "HELLO",
        "HELLO",
        "completed",
    )
    assert result.cost_usd is not None
    assert result.attempts[0].reply is not None
    assert result.attempts[0].reply.text == "hello"


def test_stages_run_in_the_order_given_and_every_time_the_model_is_asked() -> None:
    """Two requests, so each stage around the model runs twice, and once before the tools."""
    ran: list[str] = []

    def named(name: str) -> Any:
        def stage(state: StageState) -> None:
            ran.append(name)

        stage.__name__ = name
        return stage

    with ScriptedModel([Call(("calculator", {"expression": "6*7"})), Say("42")]) as model:
        turn = turn_of(
            model,
            functions=["calculator"],
            before_model=[named("first"), named("second")],
            after_model=[named("third")],
            before_tools=[named("fourth")],
        )
        invoke(turn, ask("What is 6 * 7?"))
    assert ran == ["first", "second", "third", "fourth", "first", "second", "third"]


@both_ways
def test_a_call_that_a_stage_leaves_out_is_refused_and_the_model_is_told(run: Run) -> None:
    """The other call of the same answer runs; results stand in the order that was asked."""

    def only_calculator(state: StageState) -> StageUpdate:
        calls = [call for call in state["pending_tool_calls"] if call.name == "calculator"]
        return {"pending_tool_calls": calls}

    both = Call(("date_calculator", {}), ("calculator", {"expression": "6*7"}))
    with ScriptedModel([both, Say("42")]) as model:
        functions = ["calculator", "date_calculator"]
        turn = turn_of(model, functions=functions, before_tools=[only_calculator])
        out = run(turn, ask("What is 6 * 7?"))
    runs = {run.name: run.status for run in result_of(out).tool_runs}
    assert runs == {"date_calculator": "rejected", "calculator": "ok"}
    answers = [message.name for message in out["messages"] if message.type == "tool"]
    assert answers == ["date_calculator", "calculator"]


@both_ways
def test_when_every_call_is_refused_the_model_is_asked_again(run: Run) -> None:
    """It learns from the tool message that it may not call, and answers."""

    def no_tools(state: StageState) -> StageUpdate:
        return {"pending_tool_calls": []}

    with ScriptedModel([Call(("calculator", {"expression": "6*7"})), Say("I may not.")]) as model:
        out = run(turn_of(model, functions=["calculator"], before_tools=[no_tools]), ask("6 * 7?"))
        told = model.requests[1].body["messages"][-1]
    assert (told["role"], told["content"]) == (
        "tool",
        "Not run: the stage `no_tools` did not allow this call.",
    )
    assert [run.status for run in result_of(out).tool_runs] == ["rejected"]
    assert result_of(out).answer == "I may not."


def test_a_stage_is_a_node_that_is_drawn_stepped_and_interrupted() -> None:
    """It is as visible as the six."""

    def confirm(state: StageState) -> StageUpdate | None:
        return None if interrupt("Send this?") == "yes" else end_turn("Not sent.")

    with ScriptedModel() as model:
        turn = turn_of(model, before_model=[confirm], checkpointer=InMemorySaver())
        assert "confirm" in turn.get_graph().nodes
        thread: Any = {"configurable": {"thread_id": "t"}}
        assert turn.invoke(ask("Hello!"), thread)["__interrupt__"][0].value == "Send this?"
        assert len(model.requests) == 0
        assert result_of(turn.invoke(Command(resume="no"), thread)).answer == "Not sent."
        with TurnStepper(turn_of(model, before_model=[moderate]), ask("Hello!")) as stepper:
            assert stepper.run_until("moderate").nodes == ("moderate",)


def test_a_stage_of_a_turn_with_a_ledger_sees_what_was_charged(tmp_path: Any) -> None:
    """Stages after the model come after `bill`."""
    seen: list[int] = []

    def count(state: StageState) -> None:
        seen.append(len(state["charges"]))

    with ScriptedModel() as model, Ledger(f"sqlite:///{tmp_path}/l.db") as ledger:
        invoke(turn_of(model, after_model=[count], ledger=ledger), ask("Hello!"))
    assert seen == [1]


def test_after_a_failed_call_no_stage_sees_an_answer() -> None:
    """There is none to look at."""
    seen: list[str] = []

    def look(state: StageState) -> None:
        seen.append(state["messages"][-1].type)

    turn = chat_turn(ProviderConfig(base_url="http://127.0.0.1:9", model="m"), after_model=[look])
    result = turn.run("Hello!")
    assert (result.status, seen) == ("error", [])


@pytest.mark.parametrize(
    ("update", "sentence"),
    [
        ({"charges": []}, "The stage `wrong` returned `charges`. Allowed: `messages`"),
        ("no", "The stage `wrong` returned str. Allowed: None, or a dict"),
        ({"messages": [7]}, "Not a message: 7"),
        ({"request": "x"}, "wrong wrote `request`"),
    ],
)
def test_an_update_that_is_none_is_refused_by_name(update: Any, sentence: str) -> None:
    """A wrong value in the state would make the thread unreadable."""

    def wrong(state: StageState) -> Any:
        return update

    with ScriptedModel() as model, pytest.raises(TurnValueError, match=sentence):
        invoke(turn_of(model, before_model=[wrong]), ask("Hello!"))


def test_a_stage_needs_a_name_of_its_own() -> None:
    """Two nodes of one name cannot be told apart, and an unnamed one cannot be drawn."""
    with pytest.raises(TurnConfigurationError, match="a stage `moderate` already"):
        chat_turn("scripted", before_model=[moderate], after_model=[moderate])
    with pytest.raises(TurnConfigurationError, match="takes the state, not 'moderate'"):
        chat_turn("scripted", before_model=["moderate"])  # type: ignore[list-item]
    with pytest.raises(TurnConfigurationError, match="takes the state, not a lambda"):
        chat_turn("scripted", before_tools=[lambda state: None])


def test_a_stage_takes_the_state_and_stands_in_a_list() -> None:
    """Both mistakes are told when the turn is wired, not in the middle of a turn."""

    def without_state() -> None: ...

    sentence = r"takes the state, not without_state\(\) -> None"
    with pytest.raises(TurnConfigurationError, match=sentence):
        chat_turn("scripted", before_model=[without_state])  # type: ignore[list-item]
    sentence = r"`before_model` takes a list of stages, not moderate\(.*before_model=\[moderate\]"
    with pytest.raises(TurnConfigurationError, match=sentence):
        chat_turn("scripted", before_model=moderate)  # type: ignore[arg-type]


def test_what_a_stage_took_out_is_not_in_the_http_reply() -> None:
    """The reply would otherwise carry the vendor's own response beside the rewritten answer."""

    def redact(state: StageState) -> StageUpdate:
        last = state["messages"][-1]
        return {"messages": [AIMessage(last.text.replace("4711", "[removed]"), id=last.id)]}

    with ScriptedModel([Say("Your PIN is 4711.")]) as model:
        redacted = turn_of(model, after_model=[redact]).run("My PIN?").to_http()["body"]
    with ScriptedModel() as model:
        refused = turn_of(model, before_model=[moderate]).run("A bomb").to_http()["body"]
    assert "4711" not in redacted
    assert json.loads(redacted)["choices"][0]["message"]["content"] == "Your PIN is [removed]."
    assert json.loads(refused)["choices"][0]["message"]["content"] == "I cannot help with that."


def test_the_scripted_model_costs_nothing() -> None:
    """It is known to be free, which is not the same as a model without a price."""
    result = chat_turn("scripted").run("Hello!")
    assert result.cost_usd == 0
    assert not result.unpriced
