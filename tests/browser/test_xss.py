"""No text of a model, a tool, a plugin or a graph ever runs: each payload in each place, in a real
browser.
"""

import json
import time
from dataclasses import dataclass
from html import escape
from typing import Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.runnables.graph import Graph
from langchain_core.tools import tool
from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.types import Send, interrupt

from tests.browser.widget_page import EMPTY, draw, state_of
from tests.interfaces.stepper.xss_payloads import PAYLOADS
from tests.turns import ask, turn_on
from turngraph.drawing.svg import draw_svg
from turngraph.interfaces.stepper import Breakpoint, TurnStepper
from turngraph.interfaces.stepper.engine.retry_pauses import RetryPause
from turngraph.interfaces.stepper.views.charts import cost_chart, timeline_chart, tokens_chart
from turngraph.interfaces.stepper.views.page import page as page_of
from turngraph.interfaces.stepper.views.panes import PANES
from turngraph.interfaces.stepper.views.widget_view import pauses_view
from turngraph.scripted import Call, Say, ScriptedModel
from turngraph.state.events import ChargeCreated, PluginSelected, TurnWarning
from turngraph.state.result import Charge, ToolRun

pytestmark = pytest.mark.filterwarnings("default")
AT_ONCE = 24
TOGETHER = 3
TEXTS = tuple(
    " ".join(PAYLOADS[start :: -(-len(PAYLOADS) // TOGETHER)])
    for start in range(-(-len(PAYLOADS) // TOGETHER))
)
"""Every payload, three in a text: what the browser has to draw is a third. The control shows that
such texts run where they are not escaped.
"""
WIDGETS_AT_ONCE = 8
"""The browser lays out the whole page again for each widget that is added to it."""


class HostileState(TypedDict, total=False):
    """A state of which every value, and one key inside, is hostile."""

    messages: list[AnyMessage]
    tool_runs: list[ToolRun]
    notes: dict[str, str]


@tool
def echo(text: str) -> str:
    """Returns its argument."""
    return text


@dataclass(frozen=True)
class Shown:
    """Everything that the views show of one payload."""

    widgets: tuple[dict[str, Any], ...]
    pages: tuple[str, ...]
    pictures: tuple[str, ...]


def hostile(payload: str) -> Shown:
    """Returns what all views show of two steppers, on a turn and on another graph."""
    with (
        ScriptedModel(script(payload)) as model,
        hostile_turn(payload, model) as turn,
        hostile_graph(payload) as graph,
    ):
        steppers = (turn, graph)
        widgets = [stepper.show() for stepper in steppers]
        pause = RetryPause(60.0, payload, time.monotonic() + 60)
        for widget in widgets:
            widget.pauses = pauses_view(widget.stepper, [pause])
        states = [json.loads(json.dumps(state_of(widget))) for widget in widgets]
        charts = [
            chart(stepper.timeline)
            for stepper in steppers
            for chart in (timeline_chart, tokens_chart, cost_chart)
        ]
        return Shown(
            tuple(states), tuple(map(page_of, steppers)), (*charts, hostile_picture(payload))
        )


def script(payload: str) -> list[Any]:
    """The model calls a known tool and an unknown one, then answers."""
    return [
        Call(("echo", {"text": payload}, payload), (payload, {payload: payload}, f"2{payload}")),
        Say(payload, reasoning=payload),
    ]


def hostile_turn(payload: str, model: ScriptedModel) -> TurnStepper:
    """Runs a turn to its end. The payload is in the prompt, the question, the tool's name, call id,
    arguments and result, and the answer.
    """
    stepper = TurnStepper(turn_on(model, tools=[echo], system=payload), ask(payload))
    stepper.run_until("dispatch_tools")
    stepper.fork(payload.replace("\0", ""))  # which no name has
    stepper.breakpoints.append(Breakpoint(tool=payload, iteration=99))
    stepper.run()
    return stepper


def hostile_graph(payload: str) -> TurnStepper:
    """Runs a graph that is no turn. The payload is in its messages, state keys, events and charges,
    in what parallel tasks are given, then in a question to a person, in an error or in the result
    of a tool that failed.
    """

    def speak(state: HostileState) -> HostileState:
        write = get_stream_writer()
        charge = Charge(
            id="1", kind="tool", attempt_id=payload, vendor=payload, model=payload, tool=payload
        )
        write(PluginSelected(turn_id=payload, plugin=payload, directive=payload, term=payload))
        write(TurnWarning(turn_id=payload, message=payload))
        write(ChargeCreated(turn_id=payload, charge=charge))
        calls = [{"name": payload, "args": {payload: payload}, "id": payload}]
        messages: list[AnyMessage] = [
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
        return {"messages": messages, "tool_runs": [run], "notes": {payload: payload}}

    def ask_or_fail(state: HostileState) -> HostileState:
        if len(payload) % 2:
            interrupt({"type": "tool_approval", payload: payload})
        raise type(payload.replace("\x00", ""), (RuntimeError,), {})(payload)

    def call(state: HostileState) -> HostileState:
        failed = ToolMessage(payload, tool_call_id=payload, name=payload, status="error")
        return {"messages": [failed]}

    def send(state: HostileState) -> list[Send]:
        return [Send(node, {"notes": {payload: payload}}) for node in ("call", "ask")]

    graph = StateGraph(HostileState).add_node("speak", speak).add_node("ask", ask_or_fail)
    graph.add_node("call", call).add_edge(START, "speak")
    graph.add_conditional_edges("speak", send, ["call", "ask"])
    stepper = TurnStepper(graph.compile(), {"notes": {}})
    stepper.step()
    stepper.step_into()
    if len(payload) % 3:
        stepper.step()
    return stepper


def hostile_picture(payload: str) -> str:
    """Draws a graph. The payload is in the names of its nodes, in an edge's label, in a note."""
    graph = Graph()
    source, target = (graph.add_node(echo, id=name) for name in (payload, f"2{payload}"))
    graph.add_edge(source, target, data=payload, conditional=True)
    return draw_svg(graph, notes={payload: payload}, marks={payload: "done"})


@pytest.fixture(
    scope="module", params=range(0, len(TEXTS), AT_ONCE), ids=lambda start: f"from {start}"
)
def batch(request: pytest.FixtureRequest) -> list[Shown]:
    """What is shown of some of the texts. Both tests of a batch run one after the other."""
    return [hostile(text) for text in TEXTS[request.param : request.param + AT_ONCE]]


@pytest.fixture
def watched(page: Any) -> Any:
    """A page that counts whatever runs: calls of the mark in any frame, dialogs, new windows."""
    ran: list[str] = []
    page.add_init_script("window.__xss = 0")

    def dismiss(dialog: Any) -> None:
        ran.append(f"dialog {dialog.message}")
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.on("popup", lambda window: ran.append(f"window {window.url}"))
    page.ran = ran
    page.goto("about:blank")
    return page


def count_runs(page: Any) -> int:
    """Returns how often something ran on the page, which must not have gone elsewhere."""
    page.wait_for_timeout(120)
    counts = [
        frame.evaluate("window.__xss || 0") for frame in page.frames if not frame.is_detached()
    ]
    assert page.url == "about:blank", f"the page went to {page.url}"
    return int(sum(counts)) + len(page.ran)


def trigger_everything(page: Any) -> None:
    """Opens every pane and triggers what a person would: focus and mouse events."""
    page.evaluate(
        """() => {
        document.querySelectorAll('details').forEach(each => each.open = true)
        const listening = 'body [onmouseover], body [onfocus], body pre'
        for (const each of document.querySelectorAll(listening)) {
            each.dispatchEvent(new MouseEvent('mouseover', { bubbles: true }))
            each.dispatchEvent(new FocusEvent('focus'))
        }}"""
    )


def test_the_counter_sees_what_is_not_escaped(watched: Any) -> None:
    """The control: the same texts as markup. With a blind counter all other tests would pass."""
    fired = 0
    for text in TEXTS:
        watched.evaluate("window.__xss = 0")
        before = len(watched.ran)
        watched.set_content(f"{EMPTY}<pre>{text}</pre>", wait_until="commit")
        watched.wait_for_timeout(25)
        trigger_everything(watched)
        counts = [
            frame.evaluate("window.__xss || 0")
            for frame in watched.frames
            if not frame.is_detached()
        ]
        fired += bool(sum(counts) + len(watched.ran) - before)
    assert len(PAYLOADS) >= 200
    assert fired > 0.8 * len(TEXTS), "of 262 payloads 145 run here, the others need another reader"


def test_no_payload_runs_in_the_widget(watched: Any, batch: list[Shown]) -> None:
    """Every pane contains it. Nothing runs, and no element is of a kind that could run anything."""
    widgets = [state for shown in batch for state in shown.widgets]
    panes = [pane for state in widgets for pane in state["view"]["panes"].items()]
    filled = {name for name, pane in panes if pane["text"] or pane["rows"]}
    assert filled == set(PANES) - {"charts"}
    for start in range(0, len(widgets), WIDGETS_AT_ONCE):
        drawn = widgets[start : start + WIDGETS_AT_ONCE]
        watched.set_content(EMPTY)
        draw(watched, drawn)
        assert watched.locator(".turnstepper").count() == len(drawn)
        trigger_everything(watched)
        assert count_runs(watched) == 0
        assert dangerous_parts(watched) == []


def test_no_payload_runs_in_the_page(watched: Any, batch: list[Shown]) -> None:
    """The page as the browser's own parser reads it, and every picture, inline and as an image."""
    pages = [page for shown in batch for page in shown.pages]
    pictures = [picture for shown in batch for picture in shown.pictures]
    images = "".join(
        f'<img src="data:image/svg+xml;utf8,{escape(picture)}">' for picture in pictures
    )
    watched.set_content(EMPTY.replace("</body>", "".join([*pages, *pictures, images, "</body>"])))
    assert watched.locator(".turnstepper").count() == len(pages)
    assert watched.locator("svg").count() >= len(pictures)
    trigger_everything(watched)
    assert count_runs(watched) == 0
    assert set(dangerous_parts(watched)) <= {"IMG"}


def test_a_notebook_is_given_no_other_kind_of_output() -> None:
    """A `_repr_…_` bundle contains text, a page and pictures, as tested above, and nothing else."""
    pytest.importorskip("anywidget", reason="needs the extra `notebook`")
    with hostile_graph(PAYLOADS[0]) as stepper, ScriptedModel() as model:
        data, _ = stepper.show()._repr_mimebundle_()
        assert set(data) == {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"}
        data, _ = turn_on(model)._repr_mimebundle_()
        assert set(data) == {"text/plain", "image/svg+xml", "image/png"}


def dangerous_parts(page: Any) -> list[str]:
    """Returns the elements that no view is made of, and the attributes that would run."""
    found: list[str] = page.evaluate(
        """() => [...document.body.querySelectorAll('*')].flatMap(each => [
            ...(each.matches('script,img,iframe,object,embed,video,audio,form,meta,link,base,a,math,animate,foreignObject')
                ? [each.tagName] : []),
            ...each.getAttributeNames().filter(name => name.startsWith('on')),
        ])"""
    )
    return found
