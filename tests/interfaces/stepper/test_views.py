"""The views show everything a turn holds, no markup from outside, and never a key."""

import asyncio
import json
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph

from tests.interfaces.stepper.xss_payloads import PAYLOADS
from tests.turns import KEY, ask, turn_on
from turngraph.interfaces.stepper import TurnStepper
from turngraph.interfaces.stepper.engine.retry_pauses import RetryPause
from turngraph.interfaces.stepper.views.charts import cost_chart, timeline_chart, tokens_chart
from turngraph.interfaces.stepper.views.page import graph_svg, page, pane_texts
from turngraph.interfaces.stepper.views.panes import PANES, panes_of
from turngraph.interfaces.stepper.views.widget_controller import WidgetController
from turngraph.interfaces.stepper.views.widget_view import pauses_view
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
    *(
        "path",
        "g",
        "rect",
        "text",
        "small",
        "span",
        "wbr",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    ),
}


class Tags(HTMLParser):
    """Collects the tags and attributes of a page as a browser would read them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


@tool
def echo(text: str) -> str:
    """Returns its argument."""
    return text


@pytest.fixture
def stepper() -> Iterator[TurnStepper]:
    """Stands before the first stage of a turn with one tool call."""
    steps = [Call(("echo", {"text": "rain"})), Say("It rains.")]
    with (
        ScriptedModel(steps) as model,
        TurnStepper(turn_on(model, tools=[echo]), ask("Weather?")) as opened,
    ):
        yield opened


def test_every_pane_shows_its_part_of_the_turn(stepper: TurnStepper) -> None:
    """Messages, request, answer, tools, difference, events, charges."""
    stepper.run_until("dispatch_tools")
    assert "next: echo" in pane_texts(stepper)["tools"]
    stepper.run()
    shown = pane_texts(stepper)
    assert list(shown) == list(PANES)
    assert "4 assistant: It rains." in shown["messages"]
    assert '"model": "gpt-4o-mini"' in shown["request"]
    assert "It rains." in shown["response"]
    assert "ok: echo" in shown["tools"]
    assert "result" in shown["diff"]
    assert "prompt_finished" in shown["events"]
    assert shown["charges"].count("completion gpt-4o-mini: 43 + 2") == 1


def test_the_graph_marks_what_ran_and_what_is_next(stepper: TurnStepper) -> None:
    """The next node and the finished ones look different."""
    stepper.run_until("bill")
    svg = graph_svg(stepper)
    marked = {
        node.get("data-node"): node.get("data-mark")
        for node in ElementTree.fromstring(svg).iter()
        if node.get("data-mark")
    }
    assert marked == {"prep_first_request": "done", "call_llm": "done", "bill": "next"}


def test_no_text_becomes_markup() -> None:
    """More than 200 payloads as question, answer, tool arguments and tool result."""
    assert len(PAYLOADS) >= 200
    for payload in ("\n".join(PAYLOADS), *PAYLOADS[::23]):
        script = [Call(("echo", {"text": payload})), Say(payload)]
        with ScriptedModel(script) as model:
            check_every_page(
                TurnStepper(turn_on(model, tools=[echo], system=payload), ask(payload))
            )


def check_every_page(stepper: TurnStepper) -> None:
    """Runs to the end; every page and picture must hold allowed tags only."""
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
    """People share their screens."""
    while not stepper.now.finished:
        stepper.step()
        assert KEY not in page(stepper) + repr(stepper) + repr(stepper.timeline) + str(
            pane_texts(stepper)
        )


def test_the_charts_name_every_call(stepper: TurnStepper) -> None:
    """Bars for the stages and the tools; tokens and cost of each call."""
    stepper.run()
    assert timeline_chart(stepper.timeline).count("<rect") == 8
    assert tokens_chart(stepper.timeline).count("<rect") == 2
    assert cost_chart(stepper.timeline).count("<rect") == 2
    assert "nothing has run" in timeline_chart([])


def test_undo_save_and_open_show_their_line(stepper: TurnStepper, tmp_path: Path) -> None:
    """The view names the moves that undo and redo would be; a wrong path is refused."""
    controller = WidgetController(stepper, lambda: None)
    assert (controller.view()["undo"], controller.view()["redo"]) == ("", "")
    for action in ("undo", "redo", "save", "open"):
        controller.act({"action": action, "path": "", "field": "here"})
        assert controller.view()["refusal"]["text"]
    controller.act({"action": "run_until", "until": "call_llm"})
    controller.act({"action": "fork"})
    controller.act({"action": "run"})
    controller.act({"action": "line", "name": "main"})
    controller.act({"action": "save", "path": f"{tmp_path}/walk.json"})
    controller.act({"action": "undo"})
    assert (controller.view()["line"], controller.view()["redo"]) == ("fork 1", "run")
    controller.act({"action": "undo"})
    assert (controller.view()["line"], controller.view()["lines"]) == ("main", ["main"])
    assert controller.view()["undo"] == "run until"
    controller.act({"action": "open", "path": f"{tmp_path}/walk.json"})
    view = controller.view()
    assert (view["line"], view["lines"], view["undo"]) == ("main", ["main", "fork 1"], "")


def test_every_button_of_the_widget_does_what_it_says(stepper: TurnStepper) -> None:
    """Without a browser. A refused edit is shown, not raised."""
    pytest.importorskip("anywidget", reason="needs the extra `notebook`")
    widget = stepper.show()
    assert "retry" in widget.view["disabled"]
    for action in ("step", "step_into"):
        widget.act({"action": action})
    assert stepper.now.nodes == ("bill",)
    widget.act({"action": "back"})
    assert json.loads(widget.view["body"]) == stepper.request.body  # type: ignore[union-attr]
    widget.act({"action": "edit_request", "body": widget.view["body"]})
    assert "nothing was changed" in widget.view["refusal"]["text"]
    widget.act({"action": "edit_request", "body": "{"})
    assert "not valid JSON" in widget.view["refusal"]["text"]
    widget.act({"action": "fork"})
    widget.act({"action": "run"})
    assert widget.stepper is not stepper
    assert widget.view["headline"].startswith("fork 1")
    assert stepper.now.nodes == ("call_llm",)
    widget.act({"action": "line", "name": "main"})
    widget.act({"action": "compare", "name": "fork 1"})
    assert widget.view["panes"]["compare"]["head"] == ("compared", "main", "fork 1")
    ends = stepper.compare("main", "fork 1", ends=True)
    assert ends.statuses == ("goes on", "done")
    stepper.forks["fork 1"].jump(0)
    assert stepper.compare("main", "fork 1", ends=True) == ends
    assert all(row[1:] != ("(absent)", "None") for row in widget.view["panes"]["compare"]["rows"])
    widget.act({"action": "add_breakpoint", "reason": "tool", "value": "echo"})
    widget.act({"action": "run"})
    widget.act({"action": "edit_arguments", "tool": "echo", "value": '{"text": "snow"}'})
    widget.act({"action": "remove_breakpoint", "index": 0})
    widget.act({"action": "run_until", "until": "prep_second_request"})
    assert [call["result"] for call in widget.view["calls"]] == ["snow"]
    widget.act({"action": "edit_result", "tool": "echo", "value": "hail"})
    assert stepper.state["messages"][-1].content == "hail"
    for refused in (
        {"action": "add_breakpoint", "reason": "tool", "value": " "},
        {"action": "line", "name": "?"},
    ):
        widget.act({**refused, "field": "here"})
        assert (widget.view["refusal"]["field"], widget.view["refusal"]["text"] != "") == (
            "here",
            True,
        )
    data, _ = widget._repr_mimebundle_()
    assert "turnstepper" in data["text/html"]
    widget.act({"action": "jump", "step": 0})
    assert widget.view["position"] == 0


def test_a_pane_that_fails_leaves_the_others() -> None:
    """A value of the user's own graph may fail when it is shown."""

    class Unshown:
        def __repr__(self) -> str:
            raise RuntimeError("no text for this")

    builder: Any = StateGraph(dict)
    builder.add_node("first", lambda _: {"value": Unshown()})
    builder.add_node("second", lambda _: {"value": Unshown()})
    builder.add_edge(START, "first")
    builder.add_edge("first", "second")
    with TurnStepper(builder.compile(), {"value": 1}) as stepper:
        stepper.run()
        panes = panes_of(stepper)
    assert "cannot be shown: RuntimeError: no text for this" in panes["diff"].text
    assert panes["charts"].pictures


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ({"action": "add_breakpoint", "reason": "answer", "value": "("}, "no regular expression"),
        ({"action": "add_breakpoint", "reason": "cost_above", "value": "much"}, "is USD"),
        ({"action": "add_breakpoint", "reason": "cost_above", "value": "nan"}, "is USD"),
        ({"action": "add_breakpoint"}, "needs a reason and a value"),
        ({"action": "remove_breakpoint", "index": 9}, "There is no breakpoint 10"),
        ({"action": "jump", "step": {}}, "`step` must be a whole number, not {}"),
        ({"action": "model_call", "number": "x"}, "`number` must be a whole number"),
        ({"action": "line"}, "There is no 'name' here."),
        ({"action": "edit_request", "body": DEEP}, "nested too deeply"),
        ({"action": "edit_turn", "part": "sampling", "value": DEEP}, "nested too deeply"),
        ({"action": "edit_messages", "value": DEEP}, "nested too deeply"),
        ({"action": "edit_state", "name": "turn_id", "value": DEEP}, "nested too deeply"),
    ],
)
def test_a_wrong_value_from_a_page_is_a_sentence(
    pending: WidgetController, message: dict[str, Any], sentence: str
) -> None:
    """It raises nothing, moves nothing, and is set before a run could stumble over it."""
    before = pending.stepper.now
    pending.act(message)
    assert sentence in pending.view()["refusal"]["text"]
    assert (pending.stepper.now, pending.stepper.breakpoints) == (before, [])


@pytest.fixture(scope="module")
def pending() -> Iterator[WidgetController]:
    """Stands before a request."""
    with ScriptedModel() as model, TurnStepper(turn_on(model), ask("Hi")) as stepper:
        stepper.run_until("call_llm")
        yield WidgetController(stepper, lambda: None)


def test_a_long_run_is_followed_while_it_goes_on() -> None:
    """The page shows the node that runs, and not the one with which the run began."""
    seen = threading.Event()

    async def slow(state: MessagesState) -> dict[str, Any]:
        assert await asyncio.to_thread(seen.wait, 60), "nobody was told where the run is"
        return {}

    builder = StateGraph(MessagesState).add_node("quick", lambda state: {}).add_node("slow", slow)
    builder.add_edge(START, "quick").add_edge("quick", "slow")
    with TurnStepper(builder.compile(), ask("Hi")) as stepper:
        told: list[Any] = []

        def tell(pauses: tuple[RetryPause, ...]) -> None:
            told.append(pauses_view(stepper, pauses))
            seen.set()

        controller = WidgetController(stepper, lambda: None, tell)
        controller.watch()
        controller.act({"action": "run"})
        assert stepper.now.finished
        assert told[0]["headline"] == "main · step 1: quick → slow"
        assert 'data-node="slow" data-mark="running"' in told[0]["svg"]
        assert told[0]["waits"] == []
