"""The state of a graph without messages: shown at once, and editable as JSON."""

import operator
from collections.abc import Iterator
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph

from turngraph.interfaces.stepper import TurnStepper
from turngraph.interfaces.stepper.views.page import page
from turngraph.interfaces.stepper.views.widget_controller import WidgetController
from turngraph.interfaces.stepper.views.widget_view import widget_choices


class Research(TypedDict, total=False):
    topics: list[str]
    notes: Annotated[list[str], operator.add]
    report: str
    result: str


@pytest.fixture
def stepper() -> Iterator[TurnStepper]:
    """Takes notes, then writes a report of them."""
    builder: Any = StateGraph(Research)
    builder.add_node("take", lambda state: {"notes": [f"on {each}" for each in state["topics"]]})
    builder.add_node("write", lambda state: {"report": "; ".join(state["notes"]), "result": "r"})
    builder.add_edge(START, "take")
    builder.add_edge("take", "write")
    with TurnStepper(builder.compile(), {"topics": ["rain"], "notes": ["kept"]}) as opened:
        yield opened


def test_the_state_is_open_where_there_are_no_messages(stepper: TurnStepper) -> None:
    """In the widget and on the page, from the input on to what was written last."""
    assert "state" in widget_choices(stepper)["open"]
    controller = WidgetController(stepper, lambda: None)
    assert ("topics", "['rain']") in controller.view()["panes"]["state"]["rows"]
    controller.act({"action": "run"})
    assert ("report", "kept; on rain") in controller.view()["panes"]["state"]["rows"]
    assert '<details open data-pane="state">' in page(stepper)


def test_a_value_is_replaced_whatever_its_reducer(stepper: TurnStepper) -> None:
    """What is no JSON, unknown, unchanged, or no plain value is refused, and nothing moves."""
    controller = WidgetController(stepper, lambda: None)
    controller.act({"action": "step"})
    for name, value, why in (
        ("notes", "[", "not valid JSON"),
        ("notes", '["kept", "on rain"]', "nothing was changed"),
        ("nothing", "1", "There are: topics, notes"),
        ("result", '"r"', "cannot be edited"),
    ):
        controller.act({"action": "edit_state", "name": name, "value": value, "field": "here"})
        assert why in controller.view()["refusal"]["text"]
    assert len(stepper.timeline) == 2
    controller.act({"action": "edit_state", "name": "notes", "value": '["mine"]'})
    controller.act({"action": "run"})
    assert stepper.state["report"] == "mine"
    assert controller.view()["state"] == []
