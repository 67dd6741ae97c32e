"""Wherever a stepper stands, one sentence says what to press next, and why."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph

from tests.turns import ask, turn_on
from turngraph.interfaces.stepper import Breakpoint, TurnStepper
from turngraph.interfaces.stepper.engine.step_recording import recorded_lines
from turngraph.interfaces.stepper.views.next_step import next_step
from turngraph.interfaces.stepper.views.widget_view import widget_view
from turngraph.scripted import Call, Fail, Say, ScriptedModel


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: rain"


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    """Calls a tool twice at once, then answers."""
    calls = Call(("weather", {"city": "Oslo"}), ("weather", {"city": "Rome"}))
    with ScriptedModel([calls, Say("Rain.")]) as scripted:
        yield scripted


def test_a_turn_leads_to_its_request_then_to_its_tools_and_its_end(model: ScriptedModel) -> None:
    """And from the end back; an earlier step is called one."""
    with TurnStepper(turn_on(model, tools=[weather]), ask("Weather?")) as stepper:
        assert next_step(stepper)[::2] == ("run_until", "call_llm")
        stepper.run_until("call_llm")
        assert "is not sent yet" in next_step(stepper).text
        assert widget_view(stepper)["hidden"] == ["step_into", "step_over"]
        stepper.step()
        assert next_step(stepper) == ("step", "Step runs `bill`. Run goes on to the end.", "")
        stepper.step()
        assert "The model asks for `weather`. Change" in next_step(stepper).text
        assert widget_view(stepper)["hidden"] == ["step_over"]
        stepper.run()
        assert next_step(stepper).action == "back"
        assert "The run is over" in next_step(stepper).text
        stepper.back()
        assert "You look at an earlier step" in next_step(stepper).text


def test_a_node_of_ones_own_called_call_llm_is_no_call_of_a_turn() -> None:
    """No view speaks of a request, none is recorded, and no breakpoint counts it."""
    graph: Any = StateGraph(MessagesState).add_node(
        "call_llm", lambda state: {"messages": [("ai", "Hi")]}
    )
    with TurnStepper(graph.add_edge(START, "call_llm").compile(), ask("Hi")) as stepper:
        assert next_step(stepper).text == "Step runs `call_llm`. Run goes on to the end."
        stepper.breakpoints.append(Breakpoint(iteration=1))
        stepper.run()
        assert stepper.now.finished
        assert recorded_lines(stepper.timeline) == []
        stepper.jump(0)
        stepper.step()
        assert stepper.breakpoints[0].hit(stepper.timeline[0], 0, Decimal(0)) is False


def test_a_failed_run_is_called_failed() -> None:
    """The same way leads on from there."""
    with ScriptedModel([Fail(401)]) as model, TurnStepper(turn_on(model), ask("Hi")) as stepper:
        stepper.run()
        assert "The run has failed" in next_step(stepper).text


def test_a_turn_inside_another_graph_is_run_to_by_its_path(model: ScriptedModel) -> None:
    """A node that raised is run again; a subgraph can be taken at once."""
    outer: Any = StateGraph(MessagesState).add_node("first", lambda state: 1 / 0)
    with TurnStepper(outer.add_edge(START, "first").compile(), ask("Hi")) as stepper:
        assert next_step(stepper).text == "Step runs `first`. Run goes on to the end."
        stepper.step()
        assert next_step(stepper).text.startswith("`first` failed.")
    parent: Any = StateGraph(MessagesState).add_node("chat", turn_on(model, tools=[weather]))
    with TurnStepper(parent.add_edge(START, "chat").compile(), ask("Hi")) as inside:
        assert next_step(inside).until == "chat/call_llm"
        inside.run_until(next_step(inside).until)
        assert "is not sent yet" in next_step(inside).text
        assert widget_view(inside)["hidden"] == []
    assert not model.requests
