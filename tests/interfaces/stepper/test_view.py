"""What is shown: everything the walk holds, nothing that runs, and never a key."""

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from langchain_core.tools import tool

from tests.interfaces.stepper.xss import PAYLOADS
from tests.turns import KEY, ask, turn_on
from turngraph.interfaces.stepper import TurnStepper
from turngraph.interfaces.stepper.views.charts import cost_chart, timeline_chart, tokens_chart
from turngraph.interfaces.stepper.views.page import graph_svg, page, panes
from turngraph.interfaces.stepper.views.panes import PANES
from turngraph.scripted import Call, Say, ScriptedModel

ALLOWED = {
    *(
        "div",
        "style",
        "p",
        "details",
        "summary",
        "pre",
        "ol",
        "li",
        "svg",
        "title",
        "desc",
        "defs",
        "marker",
    ),
    *("path", "g", "rect", "text", "small", "table", "thead", "tbody", "tr", "th", "td"),
}


class Tags(HTMLParser):
    """The tags and attributes of a page, as a browser would read them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


@tool
def echo(text: str) -> str:
    """Says what it is told."""
    return text


@pytest.fixture
def stepper() -> Iterator[TurnStepper]:
    """A turn with one tool call, before its first stage."""
    steps = [Call(("echo", {"text": "rain"})), Say("It rains.")]
    with (
        ScriptedModel(steps) as model,
        TurnStepper(turn_on(model, tools=[echo]), ask("Weather?")) as walking,
    ):
        yield walking


def test_every_pane_says_what_it_is_for(stepper: TurnStepper) -> None:
    """Messages, the request, the answer, tools, the difference, events, charges."""
    stepper.run_until("dispatch_tools")
    assert "next: echo" in panes(stepper)["tools"]
    stepper.run()
    shown = panes(stepper)
    assert list(shown) == list(PANES)
    assert "ai: It rains." in shown["messages"]
    assert '"model": "gpt-4o-mini"' in shown["request"]
    assert "It rains." in shown["response"]
    assert "ok: echo" in shown["tools"]
    assert "result" in shown["diff"]
    assert "prompt_finished" in shown["events"]
    assert shown["charges"].count("completion gpt-4o-mini: 45 + 2") == 1


def test_the_graph_marks_what_ran_and_what_is_next(stepper: TurnStepper) -> None:
    """The current node is lit."""
    stepper.run_until("bill")
    svg = graph_svg(stepper)
    marked = {
        node.get("data-node"): node.get("data-mark")
        for node in ElementTree.fromstring(svg).iter()
        if node.get("data-mark")
    }
    assert marked == {"prep_first_request": "done", "call_llm": "done", "bill": "next"}


def test_nothing_that_was_said_becomes_markup() -> None:
    """More than 200 payloads as question, answer, tool arguments and result, in the page as a
    browser reads it.
    """
    assert len(PAYLOADS) >= 200
    for payload in ("\n".join(PAYLOADS), *PAYLOADS[::23]):
        script = [Call(("echo", {"text": payload})), Say(payload)]
        with ScriptedModel(script) as model:
            walk_and_look(TurnStepper(turn_on(model, tools=[echo], system=payload), ask(payload)))


def walk_and_look(stepper: TurnStepper) -> None:
    """Every page and picture of a walk holds nothing but the tags of its own."""
    while not stepper.now.finished:
        stepper.step()
        tags = Tags()
        tags.feed(page(stepper))
        assert tags.tags <= ALLOWED
        assert not any(name.startswith("on") for name in tags.attributes)
    for chart in (timeline_chart, tokens_chart, cost_chart):
        ElementTree.fromstring(chart(stepper.timeline))
    stepper.close()


def test_no_view_shows_the_key(stepper: TurnStepper) -> None:
    """Screens are shared."""
    while not stepper.now.finished:
        stepper.step()
        assert KEY not in page(stepper) + repr(stepper) + repr(stepper.timeline) + str(
            panes(stepper)
        )


def test_the_charts_name_every_call(stepper: TurnStepper) -> None:
    """Bars for the model and the tools; tokens and cost for each call."""
    stepper.run()
    assert timeline_chart(stepper.timeline).count("<rect") == 8
    assert tokens_chart(stepper.timeline).count("<rect") == 2
    assert cost_chart(stepper.timeline).count("<rect") == 2
    assert "nothing has run" in timeline_chart([])


def test_a_widget_does_what_its_buttons_say(stepper: TurnStepper) -> None:
    """Every button, without a browser; a wrong edit is told, not raised."""
    pytest.importorskip("anywidget", reason="needs the extra `notebook`")
    widget = stepper.show()
    for action in ("step", "step_into"):
        widget.act({"action": action})
    assert stepper.now.nodes == ("bill",)
    widget.act({"action": "back"})
    assert json.loads(widget.view["body"]) == stepper.request.body  # type: ignore[union-attr]
    widget.act({"action": "edit", "body": "{"})
    assert "no JSON" in widget.view["refused"]["text"]
    widget.act({"action": "fork"})
    widget.act({"action": "run"})
    assert widget.stepper is not stepper
    assert widget.view["where"].startswith("fork 1")
    assert stepper.now.nodes == ("call_llm",)
    widget.act({"action": "line", "name": "main"})
    widget.act({"action": "compare", "name": "fork 1"})
    assert widget.view["panes"]["compare"]["head"] == ("", "main", "fork 1")
    widget.act({"action": "break", "reason": "tool", "value": "echo"})
    widget.act({"action": "run"})
    widget.act({"action": "arguments", "tool": "echo", "value": '{"text": "snow"}'})
    widget.act({"action": "unbreak", "place": 0})
    widget.act({"action": "until", "until": "prep_second_request"})
    assert [call["result"] for call in widget.view["calls"]] == ["snow"]
    widget.act({"action": "result", "tool": "echo", "value": "hail"})
    assert stepper.state["messages"][-1].content == "hail"
    for wrong in (
        {"action": "break", "reason": "tool", "value": " "},
        {"action": "line", "name": "?"},
    ):
        widget.act({**wrong, "about": "here"})
        assert (widget.view["refused"]["about"], widget.view["refused"]["text"] != "") == (
            "here",
            True,
        )
    data, _ = widget._repr_mimebundle_()
    assert "turnstepper" in data["text/html"]
    widget.act({"action": "jump", "step": 0})
    assert widget.view["place"] == 0
