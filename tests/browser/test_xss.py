"""Nothing that a model, a tool, a plugin or a graph says ever runs: each payload in each place, in
a real browser.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.runnables.graph import Graph
from langchain_core.tools import tool
from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

from tests.browser.widget_page import EMPTY, draw, state_of
from tests.interfaces.stepper.xss_payloads import PAYLOADS
from tests.turns import ask, turn_on
from turngraph.drawing.svg import draw_svg
from turngraph.interfaces.stepper import Breakpoint, TurnStepper
from turngraph.interfaces.stepper.views.charts import cost_chart, timeline_chart, tokens_chart
from turngraph.interfaces.stepper.views.page import page as page_of
from turngraph.interfaces.stepper.views.panes import PANES
from turngraph.scripted import Call, Say, ScriptedModel
from turngraph.state.events import ChargeCreated, PluginSelected, TurnWarning
from turngraph.state.result import Charge, ToolRun

pytestmark = pytest.mark.filterwarnings("default")
AT_ONCE = 24
BATCHES = [PAYLOADS[start : start + AT_ONCE] for start in range(0, len(PAYLOADS), AT_ONCE)]


class House(TypedDict, total=False):
    """A state whose every value, and one key inside it, is hostile."""

    messages: list[AnyMessage]
    tool_runs: list[ToolRun]
    notes: dict[str, str]


@tool
def echo(text: str) -> str:
    """Says what it is told."""
    return text


@dataclass(frozen=True)
class Hostile:
    """Everything that is shown of the walks with one payload."""

    widgets: tuple[dict[str, Any], ...]
    pages: tuple[str, ...]
    pictures: tuple[str, ...]


@cache
def hostile(payload: str) -> Hostile:
    """Two walks, of a turn and of another graph, as all their views show them."""
    with (
        ScriptedModel(said(payload)) as model,
        a_turn(payload, model) as turn,
        a_house(payload) as house,
    ):
        walks = (turn, house)
        states = [json.loads(json.dumps(state_of(walk.show()))) for walk in walks]
        charts = [
            chart(walk.timeline)
            for walk in walks
            for chart in (timeline_chart, tokens_chart, cost_chart)
        ]
        return Hostile(tuple(states), tuple(map(page_of, walks)), (*charts, a_picture(payload)))


def said(payload: str) -> list[Any]:
    """The model asks for a tool that is there and for one that is not, then answers."""
    return [
        Call(("echo", {"text": payload}, payload), (payload, {payload: payload}, f"2{payload}")),
        Say(payload, reasoning=payload),
    ]


def a_turn(payload: str, model: ScriptedModel) -> TurnStepper:
    """A turn to its end: in the prompt, the question, the tool's name, id, arguments and result,
    the answer.
    """
    stepper = TurnStepper(turn_on(model, tools=[echo], system=payload), ask(payload))
    stepper.run_until("dispatch_tools")
    stepper.fork(payload)
    stepper.breakpoints.append(Breakpoint(tool=payload, iteration=99))
    stepper.run()
    return stepper


def a_house(payload: str) -> TurnStepper:
    """Any graph: in its messages, state keys, events, charges; then in a question to a person, or
    in an error.
    """

    def speak(state: House) -> House:
        write = get_stream_writer()
        charge = Charge(
            id="1", kind="tool", attempt_id=payload, vendor=payload, model=payload, tool=payload
        )
        write(PluginSelected(turn_id=payload, plugin=payload, directive=payload, term=payload))
        write(TurnWarning(turn_id=payload, message=payload))
        write(ChargeCreated(turn_id=payload, charge=charge))
        calls = [{"name": payload, "args": {payload: payload}, "id": payload}]
        said = [
            HumanMessage(payload),
            AIMessage(payload, tool_calls=calls),
            ToolMessage(payload, tool_call_id=payload),
        ]
        run = ToolRun(
            call_id=payload,
            name=payload,
            arguments=payload,
            status="error",
            content=payload,
            seconds=1.0,
            order=0,
        )
        return {"messages": said, "tool_runs": [run], "notes": {payload: payload}}

    def ask_or_fail(state: House) -> House:
        if len(payload) % 2:
            interrupt({"type": "tool_approval", payload: payload})
        raise type(payload.replace("\x00", ""), (RuntimeError,), {})(payload)

    graph = StateGraph(House).add_node("speak", speak).add_node("ask", ask_or_fail)
    graph.add_edge(START, "speak").add_edge("speak", "ask")
    stepper = TurnStepper(graph.compile(), {"notes": {}})
    stepper.step()
    stepper.step()
    return stepper


def a_picture(payload: str) -> str:
    """A graph: in the names of its nodes, in what its line is called, in a note."""
    graph = Graph()
    nodes = [graph.add_node(echo, id=name) for name in (payload, f"2{payload}")]
    graph.add_edge(*nodes, data=payload, conditional=True)
    return draw_svg(graph, notes={payload: payload}, marks={payload: "done"})


@pytest.fixture
def watched(page: Any) -> Iterator[Any]:
    """A page on which whatever runs is counted: calls of the mark in any frame, dialogs, new
    windows, new addresses.
    """
    ran: list[str] = []
    page.add_init_script("window.__xss = 0")

    def seen(dialog: Any) -> None:
        ran.append(f"dialog {dialog.message}")
        dialog.dismiss()

    page.on("dialog", seen)
    page.on("popup", lambda opened: ran.append(f"window {opened.url}"))
    page.ran = ran
    page.goto("about:blank")
    return page


def how_often(page: Any) -> int:
    """How often something ran on the page."""
    page.wait_for_timeout(120)
    counts = [
        frame.evaluate("window.__xss || 0") for frame in page.frames if not frame.is_detached()
    ]
    assert page.url == "about:blank", f"the page went to {page.url}"
    return sum(counts) + len(page.ran)


def poked(page: Any) -> None:
    """Open everything, and go over what could run as a person would: by focus, and by events that a
    mouse makes.
    """
    page.evaluate(
        """() => {
        document.querySelectorAll('details').forEach(each => each.open = true)
        for (const each of document.querySelectorAll('body [onmouseover], body [onfocus], body pre')) {
            each.dispatchEvent(new MouseEvent('mouseover', { bubbles: true }))
            each.dispatchEvent(new FocusEvent('focus'))
        }}"""
    )


def test_the_watch_sees_what_is_not_escaped(watched: Any) -> None:
    """The control: the same payloads, as markup. A detector that sees nothing would let everything
    pass.
    """
    fired = 0
    for payload in PAYLOADS:
        watched.evaluate("window.__xss = 0")
        before = len(watched.ran)
        watched.set_content(f"{EMPTY}<pre>{payload}</pre>", wait_until="commit")
        watched.wait_for_timeout(25)
        poked(watched)
        counts = [
            frame.evaluate("window.__xss || 0")
            for frame in watched.frames
            if not frame.is_detached()
        ]
        fired += bool(sum(counts) + len(watched.ran) - before)
    assert len(PAYLOADS) >= 200
    assert fired > 100, "145 of 262 do, the others wait for another reader"


@pytest.mark.parametrize("batch", BATCHES, ids=lambda batch: str(PAYLOADS.index(batch[0])))
def test_no_payload_runs_in_the_widget(watched: Any, batch: Sequence[str]) -> None:
    """Every pane holds it, one widget for each payload, and nothing has run; no node is of a kind
    that could.
    """
    widgets = [state for payload in batch for state in hostile(payload).widgets]
    panes = [pane for state in widgets for pane in state["view"]["panes"].items()]
    shown = {name for name, pane in panes if pane["text"] or pane["rows"]}
    assert shown == set(PANES) - {"charts"}
    watched.set_content(EMPTY)
    draw(watched, widgets)
    assert watched.locator(".turnstepper").count() == len(widgets)
    poked(watched)
    assert how_often(watched) == 0
    assert foreign(watched) == []


@pytest.mark.parametrize("batch", BATCHES, ids=lambda batch: str(PAYLOADS.index(batch[0])))
def test_no_payload_runs_in_the_page(watched: Any, batch: Sequence[str]) -> None:
    """The page without a script, read by the browser's own parser; and every picture, in the page
    and as an image.
    """
    pages = [page for payload in batch for page in hostile(payload).pages]
    drawn = [picture for payload in batch for picture in hostile(payload).pictures]
    images = "".join(f'<img src="data:image/svg+xml;utf8,{escape(picture)}">' for picture in drawn)
    watched.set_content(EMPTY.replace("</body>", "".join([*pages, *drawn, images, "</body>"])))
    assert watched.locator(".turnstepper").count() == len(pages)
    assert watched.locator("svg").count() >= len(drawn)
    poked(watched)
    assert how_often(watched) == 0
    assert set(foreign(watched)) <= {"IMG"}


def test_no_payload_runs_in_what_a_notebook_is_given() -> None:
    """What stands in a `_repr_…_` bundle is text, or a page and pictures as above: no other kind of
    output is made.
    """
    pytest.importorskip("anywidget", reason="needs the extra `notebook`")
    with a_house(PAYLOADS[0]) as stepper, ScriptedModel() as model:
        data, _ = stepper.show()._repr_mimebundle_()
        assert set(data) == {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"}
        assert set(turn_on(model)._repr_mimebundle_()) == {
            "text/plain",
            "text/vnd.mermaid",
            "image/svg+xml",
        }


def foreign(page: Any) -> list[str]:
    """Elements that no view of ours is made of, and attributes that would run."""
    found: list[str] = page.evaluate(
        """() => [...document.body.querySelectorAll('*')].flatMap(each => [
            ...(each.matches('script,img,iframe,object,embed,video,audio,form,meta,link,base,a,math,animate,foreignObject')
                ? [each.tagName] : []),
            ...each.getAttributeNames().filter(name => name.startsWith('on')),
        ])"""
    )
    return found
