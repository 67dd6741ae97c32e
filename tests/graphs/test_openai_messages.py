"""The conversation in OpenAI's form: a turn's own messages, and the whole thread."""

import json
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph

from tests.turns import Run, ask, both_apis, both_ways, config, result_of, turn_on
from turngraph import chat_turn, handler, openai_messages
from turngraph.scripted import Call, Fail, Say, ScriptedModel
from turngraph.state.errors import TurnConfigurationError, TurnInvocationError
from turngraph.state.result import TurnResult
from turngraph.state.turn import TurnOutput, TurnSettings

THREAD: Any = {"configurable": {"thread_id": "t"}}


def weigh() -> str:
    """Weigh it."""
    return "3 kg"


@both_ways
@both_apis
def test_a_turn_has_its_own_messages_and_no_others(run: Run, api: str) -> None:
    answers = [Say("One."), Call(("weigh", {}, "c1")), Say("Two.", reasoning="Hm.")]
    with ScriptedModel(answers) as model:
        turn = turn_on(model, api=api, tools=[weigh], checkpointer=InMemorySaver())
        run(turn, ask("One?"), THREAD)
        out = run(turn, ask("Two?"), THREAD)
    question, call, told, answer = result_of(out).new_messages
    assert question == {"role": "user", "content": "Two?"}
    assert call["tool_calls"][0]["function"] == {"name": "weigh", "arguments": "{}"}
    assert told == {"role": "tool", "tool_call_id": "c1", "content": "3 kg"}
    assert answer == {"role": "assistant", "content": "Two."}
    conversation = openai_messages(out["messages"])
    assert [message["role"] for message in conversation[:2]] == ["user", "assistant"]
    assert conversation[2:] == list(result_of(out).new_messages)


@both_ways
@pytest.mark.parametrize("steps", ["each", "one"])
def test_a_result_has_the_whole_conversation(run: Run, steps: Any) -> None:
    """From a run, and from the states that the turn reads; it is stored with none of them."""
    with ScriptedModel([Call(("weigh", {}, "c1")), Say("One."), Say("Two.")]) as model:
        saver = InMemorySaver()
        turn = turn_on(model, tools=[weigh], checkpointer=saver, steps=steps)
        run(turn, ask("One?"), THREAD)
        out = run(turn, ask("Two?"), THREAD)
    written = openai_messages(out)
    assert [message["role"] for message in written] == [
        "user", "assistant", "tool", "assistant", "user", "assistant",
    ]  # fmt: skip
    result = result_of(out)
    assert list(result.openai_messages) == written == openai_messages(out["messages"])
    state = turn.get_state(THREAD)
    assert list(state.values["result"].openai_messages) == openai_messages(state.values) == written
    assert list(next(iter(turn.get_state_history(THREAD))).values["result"].openai_messages) == (
        written
    )
    assert state.values["result"] == result
    assert "openai_messages" not in result.model_dump()


def test_a_result_that_was_read_elsewhere_says_where_its_conversation_is() -> None:
    with pytest.raises(TurnInvocationError, match=r"openai_messages\(state\)"):
        _ = TurnResult(turn_id="t", status="completed").openai_messages


@both_ways
def test_a_parent_graph_gets_a_result_with_its_conversation(run: Run) -> None:
    with ScriptedModel([Say("Hello!")]) as model:
        graph = StateGraph(TurnOutput)
        graph.add_node("chat", turn_on(model))
        graph.add_edge(START, "chat")
        out = run(graph.compile(), ask("Hi"))
    assert list(result_of(out).openai_messages) == openai_messages(out)


@both_ways
def test_a_question_that_was_never_answered_belongs_to_its_own_turn(run: Run) -> None:
    with ScriptedModel([Fail(400), Say("Two."), Say("Three.")]) as model:
        turn = turn_on(model, checkpointer=InMemorySaver())
        results = [result_of(run(turn, ask(text), THREAD)) for text in ("One?", "Two?", "Three?")]
    assert [len(result.message_ids) for result in results] == [1, 2, 2]
    assert [result.new_messages[0]["content"] for result in results] == ["One?", "Two?", "Three?"]


def test_two_messages_of_one_turn_are_both_its_own() -> None:
    with ScriptedModel([Say("Yes.")]) as model:
        result = turn_on(model).run([("user", "One."), ("user", "Two?")])
    assert [message["content"] for message in result.new_messages] == ["One.", "Two?", "Yes."]


def test_a_handlers_body_has_both() -> None:
    with ScriptedModel([Say("One."), Say("Two.")]) as model:
        turn = turn_on(model, checkpointer=InMemorySaver())
        handler(turn, {"input_text": "One?", "session_key": "t"})
        body = json.loads(handler(turn, {"input_text": "Two?", "session_key": "t"})["body"])["turn"]
    assert [message["content"] for message in body["new_messages"]] == ["Two?", "Two."]
    assert [message["content"] for message in body["openai_messages"]] == [
        "One?", "One.", "Two?", "Two.",
    ]  # fmt: skip


def test_what_openais_form_cannot_carry_is_left_out() -> None:
    picture = HumanMessage([{"type": "text", "text": "See"}, {"type": "image", "file_id": "f"}])
    assert openai_messages([picture]) == [{"role": "user", "content": "See"}]


def test_only_the_models_that_are_listed_may_be_asked() -> None:
    """By the configuration, by a turn's settings, by a body of the caller's own."""
    listed: dict[str, Any] = {"valid_chat_completion_models": ("gpt-4o-mini", "gpt-4.1")}
    with ScriptedModel() as model:
        turn = chat_turn(config(model, **listed))
        assert turn.run("Hi").ok
        assert turn.run("Hi", settings=TurnSettings(model="gpt-4.1")).ok
        for settings in (
            TurnSettings(model="gpt-5"),
            TurnSettings(body={"model": "gpt-5", "messages": [{"role": "user", "content": "Hi"}]}),
        ):
            error = turn.run("Hi", settings=settings).error
            assert error is not None
            assert "`gpt-5` may not be asked. Allowed: gpt-4o-mini, gpt-4.1." in error.message
        assert len(model.requests) == 2
        with pytest.raises(TurnConfigurationError, match="not among"):
            config(model, model="gpt-5", **listed)


def test_all_built_in_functions_are_offered_if_the_configuration_says_so() -> None:
    with ScriptedModel([Say("Hi.")]) as model:
        chat_turn(config(model, add_built_in_tools=True), functions=["calculator"]).run("Hi")
        offered = {tool["function"]["name"] for tool in model.requests[0].body["tools"]}
    assert offered == {"calculator", "date_calculator", "get_current_weather"}


def test_a_tool_of_the_vendor_is_sent_as_it_is() -> None:
    """As `create_agent` does; on the Responses API where only that one has it."""
    search = {"type": "web_search"}
    with ScriptedModel([Say("Hi.")]) as model:
        turn = chat_turn(config(model, model="gpt-5"), tools=[search, weigh])
        assert turn.run("Hi").ok
        tools = model.requests[0].body["tools"]
    assert model.requests[0].path.endswith("/responses")
    assert search in tools
    assert {tool.get("name") for tool in tools} == {None, "weigh"}


def test_a_function_that_is_only_described_is_refused_by_name() -> None:
    described = {"type": "function", "function": {"name": "weigh", "parameters": {}}}
    with pytest.raises(TurnConfigurationError, match="`weigh` is described as JSON"):
        chat_turn("scripted", tools=[described])
