"""The conversation is edited on the screen: the model is sent what stands there."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_openai import ChatOpenAI

from tests.interfaces.stepper.test_stepper import OSLO, weather
from tests.turns import ask
from turngraph.interfaces.stepper import TurnStepper
from turngraph.interfaces.stepper.views.panes import headline, pane_of
from turngraph.interfaces.stepper.views.widget_controller import WidgetController
from turngraph.scripted import Call, Say, ScriptedModel


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    """Calls a tool, then answers."""
    with ScriptedModel([Call(OSLO), Say("Rain.")]) as scripted:
        yield scripted


@pytest.fixture
def agent(model: ScriptedModel) -> Any:
    """An agent of LangChain's, without a turn in it."""
    chat = ChatOpenAI(model="gpt-4o-mini", base_url=model.base_url, api_key="none")
    return create_agent(chat, tools=[weather])


def edit(controller: WidgetController, messages: Any) -> str:
    """Uses these messages; returns the refusal, if there is one."""
    value = messages if isinstance(messages, str) else json.dumps(messages)
    controller.act({"action": "edit_messages", "value": value, "field": "messages"})
    return str(controller.view()["refusal"]["text"])


def test_an_agent_s_next_request_has_the_edited_messages(agent: Any, model: ScriptedModel) -> None:
    """One is changed, one is added, one is removed."""
    with TurnStepper(agent, ask("Oslo?")) as stepper:
        controller = WidgetController(stepper, lambda: None)
        (first,) = json.loads(controller.view()["messages"])
        new = {"role": "user", "content": "In one word."}
        assert edit(controller, [{**first, "content": "Bergen?"}, new]) == ""
        controller.act({"action": "step"})
        sent = [(each["role"], each["content"]) for each in model.requests[0].body["messages"]]
        assert sent == [("user", "Bergen?"), ("user", "In one word.")]
        controller.act({"action": "step"})
        asked, _, called, result = json.loads(controller.view()["messages"])
        called["tool_calls"][0]["args"] = {"city": "Rome"}
        assert edit(controller, [asked, called, {**result, "content": "Rome: sun"}]) == ""
        controller.act({"action": "run"})
        messages = model.requests[1].body["messages"]
        assert [each["role"] for each in messages] == ["user", "assistant", "tool"]
        assert json.loads(messages[1]["tool_calls"][0]["function"]["arguments"]) == {"city": "Rome"}
        assert messages[2]["content"] == "Rome: sun"
        assert controller.view()["messages"] == ""


def test_what_is_no_conversation_is_refused_in_a_sentence(agent: Any) -> None:
    """And nothing moves."""
    with TurnStepper(agent, ask("Oslo?")) as stepper:
        controller = WidgetController(stepper, lambda: None)
        (first,) = json.loads(controller.view()["messages"])
        for given, why in (
            ("[", "are not valid JSON"),
            ("[" * 100_000, "are nested too deeply"),
            ({"role": "user"}, "a JSON list"),
            ([{"role": "user", "content": 1}], "a JSON list"),
            ([first], "nothing was changed"),
            ([{**first, "id": "other"}], "no message with the id other"),
            ([{**first, "role": "assistant"}], "The role of a message stays: user"),
            ([first, {"role": "tool", "content": "x"}], "can be added as user"),
            ([first, {"role": "user", "content": [1]}], "This is no message"),
            ([first, {"role": "assistant", "content": "", "tool_calls": 1}], "has no tool_calls"),
        ):
            assert why in edit(controller, given)
        assert len(stepper.timeline) == 1


def test_what_an_agent_without_a_turn_has_cost_is_not_claimed(agent: Any) -> None:
    """It has called the model and nobody has counted: no `$0`, and no `calls to the model: 0`."""
    with TurnStepper(agent, ask("Oslo?")) as stepper:
        stepper.run()
        assert headline(stepper) == "main · step 3: model → finished"
        stepper.back(2)
        fork = stepper.fork()
        assert "step 2: fork 1 → tools" in headline(fork)
        names = [row[0] for row in pane_of(fork, "compare").rows]
        assert names[:2] == ["status", "steps"]
