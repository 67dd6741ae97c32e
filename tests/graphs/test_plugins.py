"""Plugins in a turn: when they join, what they bring, and that it is gone with the turn."""

from typing import Any

from langgraph.checkpoint.memory import InMemorySaver

from tests.turns import Run, ask, both_ways, config, invoke, result_of, told
from turngraph.graphs import chat_turn
from turngraph.scripted import Call, Say, ScriptedModel
from turngraph.state.events import PluginSelected
from turngraph.state.turn import TurnSettings
from turngraph.tools import load_manifests

THREAD: Any = {"configurable": {"thread_id": "t"}}


def plugin(
    name: str, directive: str, terms: str = "[]", role: str = "", model: str = "null"
) -> str:
    """A static plugin in the format people already have."""
    return f"""
apiVersion: smarter.sh/v1
kind: Plugin
metadata: {{name: {name}, description: A test., version: 1.0.0, pluginClass: static}}
spec:
  selector: {{directive: {directive}, searchTerms: {terms}}}
  prompt: {{provider: openai, systemRole: "{role}", model: {model}, temperature: 0.0,
    maxTokens: 99}}
  data: {{description: Facts., staticData: {{price: 9 USD, opening: {{monday: 9 to 5}}}}}}
"""


ALWAYS = plugin("always_on", "always", role="Be kind.", model="gpt-4.1-nano")
SHOP = plugin("shop", "search_terms", "[opening hours]", role="You are a shop.", model="gpt-4o")
ASIDE = plugin("aside", "llm", role="You know the aside.")


@both_ways
def test_a_selected_plugin_brings_its_role_its_settings_and_its_tool(run: Run) -> None:
    """On conflict the first in manifest order sets the model; what is ignored of the others is an
    event.
    """
    seen: list[Any] = []
    with ScriptedModel([Say("Hello."), Say("Nine.")]) as model:
        turn = chat_turn(
            config(model, api="chat"),
            plugins=load_manifests(ALWAYS + "---" + SHOP),
            on_event=seen.append,
        )
        run(turn, ask("Hello"))
        out = run(turn, ask("What are your Opening-Hours?"))
        first, second = (request.body for request in model.requests)
    assert [tool["function"]["name"] for tool in first["tools"]] == ["always_on"]
    assert [tool["function"]["name"] for tool in second["tools"]] == ["always_on", "shop"]
    assert first["messages"][0]["content"].endswith("Be kind.")
    assert second["messages"][0]["content"].endswith("Be kind.\n\nYou are a shop.")
    assert (second["model"], second["temperature"]) == ("gpt-4.1-nano", 0.0)
    selected = [event for event in seen if isinstance(event, PluginSelected)]
    assert [(event.plugin, event.term) for event in selected[1:]] == [
        ("always_on", None),
        ("shop", "opening hours"),
    ]
    assert "model" in selected[2].ignored
    assert result_of(out).plugins == ("always_on", "shop")


@both_ways
def test_a_plugins_role_is_not_added_again_every_turn(run: Run) -> None:
    """The old system's thread grew by the role at each turn."""
    with ScriptedModel([Say("1"), Say("2"), Say("3")]) as model:
        turn = chat_turn(
            config(model, api="chat"), plugins=load_manifests(ALWAYS), checkpointer=InMemorySaver()
        )
        for text in ("a", "b", "c"):
            out = run(turn, ask(text), THREAD)
        systems = [request.body["messages"][0]["content"] for request in model.requests]
    assert len(set(systems)) == 1
    assert systems[0].count("Be kind.") == 1
    assert [message.type for message in out["messages"]] == ["human", "ai"] * 3


@both_ways
def test_a_plugin_the_model_decides_about_brings_its_prompt_when_it_is_called(run: Run) -> None:
    """`llm`: presented as a tool, silent until called, and then joined once."""
    calls = [
        Call(("aside", {"inquiry_type": "price"})),
        Call(("aside", {"inquiry_type": "opening"})),
        Say("Done."),
    ]
    with ScriptedModel(calls) as model:
        out = run(chat_turn(config(model, api="chat"), plugins=load_manifests(ASIDE)), ask("Tell."))
        systems = [request.body["messages"][0]["content"] for request in model.requests]
    assert ["You know the aside." in system for system in systems] == [False, True, True]
    assert systems[2].count("You know the aside.") == 1
    assert told(out)[0] == "9 USD"
    assert [run.kind for run in result_of(out).tool_runs] == ["plugin", "plugin"]


def test_a_plugin_that_did_not_join_cannot_be_called() -> None:
    """A model that guesses a name gets no data of a plugin nobody selected."""
    with ScriptedModel([Call(("shop", {"inquiry_type": "price"})), Say("I see.")]) as model:
        turn = chat_turn(
            config(model, api="chat"), plugins=load_manifests(SHOP), functions=["calculator"]
        )
        out = invoke(turn, ask("Hello"))
    assert told(out) == ["No tool named `shop` in this turn. Offered: `calculator`."]


def test_a_caller_may_narrow_what_is_on_offer_for_one_turn() -> None:
    """`handler(functions=…)` names a subset; a name nobody bound is a clear error."""
    with ScriptedModel([Say("a")]) as model:
        turn = chat_turn(config(model, api="chat"), functions=["calculator", "date_calculator"])
        invoke(turn, ask("Q", settings=TurnSettings(tools=("calculator",))))
        unknown = invoke(turn, ask("Q", settings=TurnSettings(tools=("calculater",))))
        assert len(model.requests) == 1
        assert [tool["function"]["name"] for tool in model.requests[0].body["tools"]] == [
            "calculator"
        ]
    assert result_of(unknown).http_status == 400
    assert "`calculater`" in unknown["result"].error.message


def test_what_the_caller_sets_stands_above_what_a_plugin_wishes() -> None:
    """The caller is nearer."""
    with ScriptedModel([Say("a")]) as model:
        turn = chat_turn(config(model, api="chat"), plugins=load_manifests(ALWAYS))
        invoke(turn, ask("Q", settings=TurnSettings(model="gpt-4o", temperature=1.0)))
        body = model.requests[0].body
    assert (body["model"], body["temperature"]) == ("gpt-4o", 1.0)
