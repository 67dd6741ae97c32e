"""The widget alone in a real browser: buttons and fields, keyboard, screen readers, looks."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import tool

from tests.browser.pictures import keep_looks
from tests.browser.widget_page import EMPTY, open_widget, redraw, show_pauses
from tests.turns import ask, turn_on
from turngraph.interfaces.stepper import TurnStepper
from turngraph.interfaces.stepper.views.page import page as saved_page
from turngraph.scripted import Call, Fail, Say, ScriptedModel

pytestmark = pytest.mark.filterwarnings("default")
CONTRAST = Path(__file__).parent / "contrast.js"
QUESTION = "What is the weather in Oslo and in Rome?"


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: rain"


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    """Calls two tools, then answers; the second answer is for a fork."""
    calls = Call(("weather", {"city": "Oslo"}, "call-1"), ("weather", {"city": "Rome"}, "call-2"))
    with ScriptedModel([calls, Say("Rain in both."), Say("Rain in one.")]) as scripted:
        yield scripted


@pytest.fixture
def stepper(model: ScriptedModel) -> Iterator[TurnStepper]:
    """Stands before the first stage of a turn."""
    with TurnStepper(turn_on(model, tools=[weather]), ask(QUESTION)) as opened:
        yield opened


def press(page: Any, name: str) -> None:
    """Clicks the button labeled `name`."""
    page.get_by_role("button", name=name, exact=True).first.click()


def wait_for_headline(page: Any, text: str) -> None:
    """Waits until the line at the top contains `text`."""
    page.locator(".ts-headline", has_text=text).wait_for(timeout=60_000)


def open_pane(page: Any, name: str) -> Any:
    """Opens a pane and returns it."""
    pane = page.locator(f"details[data-pane={name}]")
    pane.evaluate("each => each.open = true")
    return pane


def test_run_until_a_node_and_an_event(
    page: Any, stepper: TurnStepper, model: ScriptedModel
) -> None:
    """The list names every node of the graph, then every type of event as they happen."""
    open_widget(page, stepper)
    until = page.get_by_role("combobox", name="Run until")
    nodes = until.locator("optgroup[label='stop before a node'] option").all_inner_texts()
    assert nodes == [node for node in stepper.graph.nodes if node != "__start__"]
    events = until.locator("optgroup[label='stop after an event'] option").all_inner_texts()
    assert events[:4] == ["prompt started", "plugin selected", "tool presented", "request sent"]
    assert events[-1] == "prompt finished"
    press(page, "Run until")
    wait_for_headline(page, "→ call_llm")
    assert not model.requests
    until.select_option("response_received")
    press(page, "Run until")
    wait_for_headline(page, "call_llm → bill")
    assert len(model.requests) == 1


def test_a_breakpoint_stops_a_run_until_it_is_removed(page: Any, stepper: TurnStepper) -> None:
    """By a tool's name. A wrong value is refused beside the field in which it was typed."""
    open_widget(page, stepper)
    breakpoints = open_pane(page, "breakpoints")
    breakpoints.get_by_role("combobox", name="Stop when").select_option("iteration")
    breakpoints.get_by_role("textbox").fill("often")
    breakpoints.get_by_role("button", name="Add").click()
    breakpoints.get_by_role("alert").get_by_text("`often` is no value for `iteration`").wait_for()
    breakpoints.get_by_role("combobox", name="Stop when").select_option("tool")
    breakpoints.get_by_role("textbox").fill("weather")
    page.keyboard.press("Enter")
    breakpoints.get_by_text("Breakpoint(tool='weather')").wait_for()
    press(page, "Run")
    wait_for_headline(page, "→ dispatch_tools")
    breakpoints.get_by_role("button", name="remove Breakpoint(tool='weather')").click()
    press(page, "Run")
    wait_for_headline(page, "finished")
    assert stepper.breakpoints == []


def test_pending_calls_are_given_other_arguments_or_a_result(
    page: Any, stepper: TurnStepper, model: ScriptedModel, picture: Callable[[Any, str], None]
) -> None:
    """The next request contains what was typed. The README shows the picture taken here."""
    page.set_viewport_size({"width": 1060, "height": 1000})
    widget = open_widget(page, stepper)
    stepper.run_until("dispatch_tools")
    redraw(page, widget)
    tools = open_pane(page, "tools")
    for name in ("request", "response"):
        open_pane(page, name).evaluate("each => each.open = false")
    picture(page, "stepper-tools")
    tools.get_by_label("arguments", exact=True).first.fill('{"city": "Bergen"}')
    press(page, "Change the arguments")
    wait_for_headline(page, "edited the arguments of weather 1")
    tools.get_by_label("or a result, without running it").last.fill("sunshine")
    tools.get_by_role("button", name="Use this result, do not run it").last.click()
    wait_for_headline(page, "answered for weather 2")
    press(page, "Step")
    wait_for_headline(page, "→ prep_second_request")
    result = tools.locator("details", has_text="edit the result: weather 2")
    assert "sunshine" in tools.inner_text()
    result.evaluate("each => each.open = true")
    result.get_by_label("result").fill("hail")
    press_in(result, "Change the result")
    wait_for_headline(page, "edited the result of weather 2")
    press(page, "Run")
    wait_for_headline(page, "finished")
    results = [
        message["content"]
        for message in model.requests[1].body["messages"]
        if message["role"] == "tool"
    ]
    assert results == ["Bergen: rain", "hail"]


def open_before_the_request(page: Any, stepper: TurnStepper) -> Any:
    """Shows the widget, and runs up to the call of the model."""
    widget = open_widget(page, stepper)
    press(page, "Run until")
    wait_for_headline(page, "→ call_llm")
    return widget


def press_in(part: Any, name: str) -> None:
    """Clicks a button inside a part of the page."""
    part.get_by_role("button", name=name).click()


def test_wrong_json_is_refused_beside_the_field_and_stays_in_it(
    page: Any, stepper: TurnStepper, model: ScriptedModel
) -> None:
    """A person corrects a comma and need not type the request again."""
    open_before_the_request(page, stepper)
    area = page.get_by_label("The pending request")
    typed = area.input_value().rstrip("}\n ")
    area.fill(typed)
    press(page, "Change this request only")
    page.get_by_role("alert").get_by_text("The request is not valid JSON").wait_for()
    assert area.input_value() == typed
    assert area.get_attribute("aria-invalid") == "true"
    assert (
        "The request is not valid JSON"
        in page.locator(f"[id='{area.get_attribute('aria-describedby')}']").inner_text()
    )
    body = json.loads(typed + "}")
    area.fill(json.dumps({**body, "temperature": 0.25}))
    press(page, "Change this request only")
    wait_for_headline(page, "edited the request")
    press(page, "Step")
    wait_for_headline(page, "→ bill")
    assert model.requests[0].body == {**body, "temperature": 0.25}


def test_the_timeline_is_dragged_and_moved_by_keys(
    page: Any, stepper: TurnStepper, model: ScriptedModel
) -> None:
    """To any step and back; nothing is sent for it."""
    open_widget(page, stepper)
    press(page, "Run")
    wait_for_headline(page, "finished")
    slider = page.get_by_role("slider", name="Timeline")
    box = slider.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 8, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 8, box["y"] + box["height"] / 2, steps=12)
    wait_for_headline(page, "step 0")
    page.mouse.up()
    page.keyboard.press("ArrowRight")
    wait_for_headline(page, "step 1")
    assert slider.get_attribute("aria-valuetext") == "1: prep_first_request → call_llm"
    page.keyboard.press("End")
    wait_for_headline(page, "finished")
    open_pane(page, "timeline").get_by_role("button", name="3: ").click()
    wait_for_headline(page, "step 3")
    assert len(model.requests) == 2


def test_forks_are_named_switched_and_compared(
    page: Any, stepper: TurnStepper, model: ScriptedModel
) -> None:
    """Each line keeps its own position."""
    open_widget(page, stepper)
    stepper.run_until("prep_second_request")
    press(page, "Step")
    page.get_by_role("textbox", name="Name of a fork").fill("warmer")
    press(page, "Fork")
    wait_for_headline(page, "warmer · ")
    press(page, "Run")
    wait_for_headline(page, "finished")
    page.get_by_role("textbox", name="Name of a fork").fill("warmer")
    press(page, "Fork")
    page.get_by_role("alert").get_by_text("There is a line `warmer` already").wait_for()
    lines = page.get_by_role("group", name="Lines")
    lines.get_by_role("button", name="main").click()
    wait_for_headline(page, "main · ")
    assert lines.get_by_role("button", name="main").get_attribute("aria-pressed") == "true"
    press(page, "Run")
    wait_for_headline(page, "finished")
    compared = open_pane(page, "compare").inner_text()
    keep_looks(page, "stepper-compare")
    assert "Rain in both." in compared
    assert "Rain in one." in compared
    assert len(model.requests) == 3


def test_the_panes_show_what_changed_and_what_was_charged(page: Any, stepper: TurnStepper) -> None:
    """The difference to the previous step; each charge with its tokens."""
    open_widget(page, stepper)
    press(page, "Run")
    wait_for_headline(page, "finished")
    assert "Rain in both." in open_pane(page, "diff").inner_text()
    assert open_pane(page, "charges").locator("tbody tr").count() == 2
    assert open_pane(page, "charts").locator("svg").count() == 3
    assert "curl http" in open_pane(page, "curl").inner_text()


def test_a_person_is_asked_and_answers(page: Any, model: ScriptedModel) -> None:
    """By a button, or by an answer in JSON."""
    with TurnStepper(turn_on(model, tools=[weather], approve=True), ask(QUESTION)) as stepper:
        open_widget(page, stepper)
        press(page, "Run")
        wait_for_headline(page, "waiting for an answer")
        keep_looks(page, "stepper-approval")
        page.get_by_label("or with other arguments").last.fill("{")
        page.get_by_role("button", name="Answer", exact=True).last.click()
        page.get_by_role("alert").get_by_text("The answer is not valid JSON").wait_for()
        press(page, "approve")
        page.wait_for_function("document.querySelectorAll('[data-action=reject]').length === 1")
        press(page, "reject")
        page.wait_for_function("document.querySelectorAll('[data-action=reject]').length === 0")
        press(page, "Run")
        wait_for_headline(page, "finished")
        assert [run.status for run in stepper.state["result"].tool_runs] == ["ok", "rejected"]


def test_keys_alone_are_enough(page: Any, stepper: TurnStepper) -> None:
    """Each button names its key; in a text field the same key types a letter."""
    open_widget(page, stepper)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "region"
    for key, text in (
        ("s", "→ call_llm"),
        ("i", "→ bill"),
        ("b", "→ call_llm"),
        ("s", "→ bill"),
        ("u", "dispatch"),
    ):
        if key == "u":
            page.get_by_role("combobox", name="Run until").select_option("dispatch_tools")
            page.locator(".turnstepper").focus()
        page.keyboard.press(key)
        wait_for_headline(page, text)
    page.get_by_role("textbox", name="Name of a fork").focus()
    page.keyboard.type("sbr")
    assert page.get_by_role("textbox", name="Name of a fork").input_value() == "sbr"
    page.keyboard.press("Enter")
    wait_for_headline(page, "sbr · ")
    shortcuts = page.locator("[aria-keyshortcuts]").evaluate_all(
        "all => all.map(each => each.ariaKeyShortcuts)"
    )
    assert sorted(shortcuts) == sorted("bsiortufzyS")


def test_a_failed_turn_is_red_and_step_is_off(page: Any) -> None:
    """In the first line, the graph, the timeline and the answer's place. The page says why there is
    no next step, and its keys do not step either.
    """
    with ScriptedModel([Fail(401)]) as model, TurnStepper(turn_on(model), ask("Hi")) as stepper:
        open_widget(page, stepper)
        press(page, "Run")
        wait_for_headline(page, "✗ main · step 4: finalize → failed")
        assert page.locator(".ts-graph [data-mark=failed]").count() == 2
        timeline = open_pane(page, "timeline")
        assert timeline.locator("[data-mark=failed]").all_inner_texts() == [
            "✗ 2: call_llm → bill",
            "✗ 4: finalize → failed",
        ]
        answer = open_pane(page, "answer").locator("pre")
        assert "401" in answer.inner_text()
        red = page.locator(".ts-headline").evaluate("each => getComputedStyle(each).color")
        assert answer.evaluate("each => getComputedStyle(each).color") == red
        step = page.get_by_role("toolbar").get_by_role("button", name="Step", exact=True)
        assert step.is_disabled()
        assert "nothing is left to run" in page.locator(".ts-next").inner_text()
        keep_looks(page, "stepper-failed")
        page.keyboard.press("s")
        page.keyboard.press("b")
        wait_for_headline(page, "✗ main · step 3")
        assert step.is_enabled()
        assert len(model.requests) == 1


def run_until_stopped(widget: Any) -> None:
    """Presses Run; the test stops the move."""
    with suppress(CancelledError):
        widget.act({"action": "run"})


def test_a_pause_before_another_attempt_has_a_look_of_its_own(page: Any) -> None:
    """It counts down, and is no problem."""
    busy = [Fail(503, headers={"Retry-After": "60"})]
    with ScriptedModel(busy) as model, TurnStepper(turn_on(model), ask("Hi")) as stepper:
        widget, told = open_widget(page, stepper), threading.Event()
        widget.observe(lambda change: told.set(), "pauses")
        page.evaluate("models[0].send = () => {}")  # this thread shows the page meanwhile
        press(page, "Run")
        move = threading.Thread(target=run_until_stopped, args=[widget])
        move.start()
        try:
            assert told.wait(60)
            show_pauses(page, widget)
            pause = page.locator(".ts-pauses")
            pause.get_by_text("asked again in 60 s, because openai answered 503").wait_for()
            pause.get_by_text(re.compile("[0-9]+ s left")).wait_for()
            page.locator(".ts-graph [data-mark=retrying]", has_text="call_llm").wait_for()
            assert page.locator(".ts-headline").inner_text().startswith("◷ main · step 1")
            assert page.locator("details[data-pane=problem]").is_hidden()
            keep_looks(page, "stepper-pause")
        finally:
            stepper.stop()
            move.join(60)
        assert len(model.requests) == 1


def test_a_failed_tool_is_red_and_the_turn_is_not(page: Any) -> None:
    """The model was told of the failure and has answered: that is no failed turn."""

    def dive(depth: int) -> str:
        """Dives to a depth in meters."""
        raise RuntimeError(f"it sank at {depth} m")

    script = [Call(("dive", {"depth": 3}), ("dive", {"depth": 5})), Say("I am sorry.")]
    with (
        ScriptedModel(script) as model,
        TurnStepper(turn_on(model, tools=[dive]), ask("Dive.")) as stepper,
    ):
        open_widget(page, stepper)
        press(page, "Run")
        wait_for_headline(page, "✓ main")
        assert open_pane(page, "tools").locator("tr[data-mark=failed]").count() == 2
        assert "2 of 2 failed" in page.locator(".ts-graph").inner_text()
        open_pane(page, "timeline")
        keep_looks(page, "stepper-failed-tool")


def test_moves_are_undone_saved_and_opened(
    page: Any, stepper: TurnStepper, model: ScriptedModel, tmp_path: Path
) -> None:
    """An edit in the past makes a line; undo takes it back and redo makes it again."""
    open_widget(page, stepper)
    press(page, "Run")
    wait_for_headline(page, "finished")
    open_pane(page, "timeline").get_by_role("button", name="1: ").click()
    wait_for_headline(page, "step 1")
    area = page.get_by_label("The request that was sent after this step")
    area.fill(area.input_value().replace("gpt-4o-mini", "gpt-4o"))
    press(page, "Change this request only")
    wait_for_headline(page, "what ran before: line `main`")
    lines = page.get_by_role("group", name="Lines")
    assert lines.inner_text().split("\n") == ["lines:", "main", "fork 1"]
    undo = page.locator("[data-action=undo]")
    assert undo.evaluate("each => each.firstChild.textContent") == "Undo edit"
    undo.click()
    wait_for_headline(page, "step 1: prep_first_request → call_llm")
    assert lines.count() == 0
    page.keyboard.press("y")
    wait_for_headline(page, "what ran before: line `main`")
    page.get_by_role("textbox", name="File of the run").fill(str(tmp_path / "run.json"))
    press(page, "Save")
    press(page, "Look back")
    wait_for_headline(page, "step 1: prep_first_request → call_llm")
    press(page, "Open")
    wait_for_headline(page, "what ran before: line `main`")
    assert undo.is_disabled()
    assert len(model.requests) == 2


def test_what_holds_for_the_rest_of_the_turn(
    page: Any, stepper: TurnStepper, model: ScriptedModel
) -> None:
    """System message, question, tools and sampling go into both requests of the turn."""
    widget = open_widget(page, stepper)
    stepper.run_until("call_llm")
    redraw(page, widget)
    rest = page.locator("details[data-key=turn]")
    rest.evaluate("each => each.open = true")
    for label, text in (
        ("system message", "Be brief."),
        ("user message", "Is it raining?"),
        ("sampling, as JSON", '{"model": "gpt-4o-mini", "temperature": 0.5}'),
    ):
        rest.get_by_label(label).fill(text)
        at = rest.locator(f"div:has(> label:has-text('{label}'))").last
        at.get_by_role("button", name="for the rest of the turn").click()
        wait_for_headline(page, "edited")
        page.wait_for_function("document.querySelector('.ts-headline').ariaBusy === 'false'")
    press(page, "Step")
    wait_for_headline(page, "→ bill")
    press(page, "Run until")
    wait_for_headline(page, "prep_second_request → call_llm")
    rest.evaluate("each => each.open = true")
    rest.get_by_role("checkbox", name="weather").uncheck()
    press_in(rest, "Offer these for the rest of the turn")
    wait_for_headline(page, "edited the request")
    press(page, "Run")
    wait_for_headline(page, "finished")
    first, second = (request.body for request in model.requests)
    for body in (first, second):
        assert [message["content"] for message in body["messages"][:2]] == [
            "Be brief.",
            "Is it raining?",
        ]
        assert body["temperature"] == 0.5
    assert ("tools" in first, "tools" in second) == (True, False)


def the_next(page: Any) -> tuple[str, str]:
    """Returns the label of the one button that is the next to press, and the sentence about it."""
    buttons = page.locator(".ts-primary")
    assert buttons.count() == 1
    label = buttons.evaluate("each => each.firstChild.textContent")
    return label, page.locator(".ts-next").inner_text()


def test_one_button_is_the_next_at_every_moment(page: Any, model: ScriptedModel) -> None:
    """Whoever presses it, and answers what is asked, comes to the end by way of the request."""
    with TurnStepper(turn_on(model, tools=[weather], approve=True), ask(QUESTION)) as stepper:
        open_widget(page, stepper)
        seen = []
        while (now := the_next(page))[0] != "Look back":
            seen.append(now[0])
            handled = page.evaluate("models[0].get('view').handled")
            page.locator(".ts-primary").click()
            page.wait_for_function(f"models[0].get('view').handled > {handled}")
        assert seen[:2] == ["Run until", "Step"]
        assert seen.count("approve") == 2
        assert "nothing is left to run" in now[1]
        page.locator(".ts-primary").click()
        wait_for_headline(page, "→ finalize")
        assert the_next(page) == ("Step", stepper_says(page))
        assert "earlier step" in stepper_says(page)
    assert len(model.requests) == 2


def stepper_says(page: Any) -> str:
    return str(page.locator(".ts-next").inner_text())


def test_a_changed_text_makes_its_button_the_next(page: Any, stepper: TurnStepper) -> None:
    """Until it is used, or as it was."""
    open_before_the_request(page, stepper)
    assert the_next(page)[0] == "Step"
    area = page.get_by_label("The pending request")
    before = area.input_value()
    area.fill(before.replace("Oslo", "Bergen"))
    assert the_next(page)[0] == "Change this request only"
    assert 'Press "Change this request only"' in stepper_says(page)
    area.fill(before)
    assert the_next(page)[0] == "Step"


def test_each_pane_says_which_call_it_shows_and_offers_the_others(
    page: Any, stepper: TurnStepper, model: ScriptedModel
) -> None:
    """After a run the last call is shown; the edited one is found by its name."""
    open_before_the_request(page, stepper)
    area = page.get_by_label("The pending request")
    area.fill(area.input_value().replace("Oslo", "Bergen"))
    press(page, "Change this request only")
    wait_for_headline(page, "edited the request")
    press(page, "Run")
    wait_for_headline(page, "finished")
    request, response = open_pane(page, "request"), open_pane(page, "response")
    assert request.locator("summary").inner_text().split("\n") == ["request call 2 of 2, sent"]
    choice = page.get_by_role("combobox", name="Call shown in request")
    assert choice.locator("option").all_inner_texts() == ["call 1 (edited)", "call 2"]
    choice.select_option("call 1 (edited)")
    request.get_by_text("call 1 of 2, sent, edited").wait_for()
    sent = json.loads(request.locator("pre").inner_text().partition("\n{")[2].join(("{", "")))
    assert sent == model.requests[0].body
    assert "Bergen" in json.dumps(sent)
    response.get_by_text("call 1 of 2, tool_calls").wait_for()
    press(page, "Look back")
    wait_for_headline(page, "→ finalize")
    assert "call 2 of 2" in request.locator("summary").inner_text()


def test_a_change_that_no_button_has_taken_is_not_lost_without_a_word(
    page: Any, stepper: TurnStepper, model: ScriptedModel
) -> None:
    """The first press of a move says so, and names the button. The second one goes on without."""
    open_before_the_request(page, stepper)
    area = page.get_by_label("The pending request")
    body = json.loads(area.input_value())
    area.fill(json.dumps({**body, "temperature": 0.7}))
    for move in ("Step", "Run"):
        press(page, move)
        said = page.get_by_role("alert").get_by_text("not used yet")
        said.wait_for()
        assert 'Press "Change this request only"' in said.inner_text()
        assert not model.requests
        area.fill(json.dumps({**body, "temperature": 0.8}))
    press(page, "Change this request only")
    wait_for_headline(page, "edited the request")
    press(page, "Step")
    wait_for_headline(page, "call_llm (edited) → ")
    assert [request.body["temperature"] for request in model.requests] == [0.8]
    press(page, "Run until")
    wait_for_headline(page, "→ call_llm")
    area.fill("nothing")
    press(page, "Step")
    said.wait_for()
    press(page, "Step")
    wait_for_headline(page, "call_llm → ")
    assert len(model.requests) == 2


def test_focus_and_open_panes_survive_a_step(page: Any, stepper: TurnStepper) -> None:
    """Redrawing the page loses neither the focus nor a half-typed request."""
    widget = open_before_the_request(page, stepper)
    open_pane(page, "events")
    area = page.get_by_label("The pending request")
    area.focus()
    page.keyboard.type("x")
    redraw(page, widget)
    assert page.evaluate("document.activeElement.dataset.key") == "request"
    assert (
        area.input_value().count("x") == area.evaluate("each => each.defaultValue").count("x") + 1
    )
    open_pane(page, "timeline").get_by_role("button", name="1: ").focus()
    page.keyboard.press("b")
    wait_for_headline(page, "step 0")
    assert page.evaluate("document.activeElement.dataset.key") == "step 1"
    assert page.locator("details[data-pane=events]").get_attribute("open") is not None


def test_a_screen_reader_gets_the_step_the_refusals_and_the_names(
    page: Any, stepper: TurnStepper
) -> None:
    """Roles and names, as the browser gives them to a screen reader."""
    open_before_the_request(page, stepper)
    snapshot = page.locator(".turnstepper").aria_snapshot()
    for wanted in (
        'status: "▶ main · step 1: prep_first_request → call_llm · $0"',
        'toolbar "Moves"',
        'slider "Timeline"',
        'textbox "The pending request',
        'combobox "Run until"',
        'rowheader "1 user"',
    ):
        assert wanted in snapshot
    assert page.get_by_role("region", name="Turn stepper").count() == 1
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('button, select, input, textarea')]
            .filter(each => !(each.ariaLabel || each.textContent.trim() || each.labels?.length))
            .length"""
    )
    assert unnamed == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("theme", ["", "true", "false"])
def test_every_text_has_enough_contrast(
    page: Any, stepper: TurnStepper, picture: Callable[[Any, str], None], scheme: str, theme: str
) -> None:
    """At least 4.5, as WCAG 2.1 (1.4.3) asks, in the notebook's theme or else in the system's.

    https://www.w3.org/TR/WCAG21/#contrast-minimum
    """
    page.emulate_media(color_scheme=scheme)
    open_widget(page, stepper)
    press(page, "Run")
    wait_for_headline(page, "finished")
    if theme:
        page.evaluate(f"document.body.dataset.jpThemeLight = {theme!r}")
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    dark = theme == "false" or (not theme and scheme == "dark")
    background = page.locator(".turnstepper").evaluate(
        "each => getComputedStyle(each).backgroundColor"
    )
    assert (sum(map(int, background[4:-1].split(","))) < 200) == dark
    too_faint = page.evaluate(CONTRAST.read_text("utf-8"))
    assert too_faint == []
    picture(page, f"stepper-{scheme}-{theme or 'system'}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_at_any_stage(
    page: Any, problems_for_readers: Callable[..., list[str]], scheme: str
) -> None:
    """Names, roles, contrast, order: before the call, at the tools, with a failure, at the end. So
    it is with the page that a saved notebook shows.
    """
    calls = Call(("weather", {"city": "Oslo"}), ("wether", {"city": "Rome"}))
    page.emulate_media(color_scheme=scheme)
    saved: list[str] = []
    with (
        ScriptedModel([calls, Fail(401)]) as model,
        TurnStepper(turn_on(model, tools=[weather]), ask(QUESTION)) as stepper,
    ):
        widget = open_widget(page, stepper)
        stepper.fork()
        for reached in ("call_llm", "dispatch_tools", "prep_second_request", "failed"):
            stepper.run_until(reached) if reached != "failed" else stepper.run()
            redraw(page, widget)
            wait_for_headline(page, reached)
            page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
            assert problems_for_readers(page, ".turnstepper") == []
            saved.append(saved_page(stepper))
    for each in saved:
        page.set_content(EMPTY.replace("<body>", f"<body>{each}"))
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert problems_for_readers(page, ".turnstepper") == []


@pytest.mark.parametrize("width", [380, 700, 1360])
def test_it_fits_any_width(
    page: Any, stepper: TurnStepper, picture: Callable[[Any, str], None], width: int
) -> None:
    """Not even a long text without a space overflows. On a narrow page the graph is on top."""
    long = "x" * 4000
    calls = Call((f"tool_{long[:60]}", {"text": long}, long[:40]))
    with (
        ScriptedModel([calls, Say(long)]) as model,
        TurnStepper(turn_on(model), ask(long)) as stepper,
    ):
        stepper.run()
        page.set_viewport_size({"width": width, "height": 1000})
        open_widget(page, stepper)
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        graph, panes = (page.locator(f".ts-{part}").bounding_box() for part in ("graph", "panes"))
        assert (graph["y"] + graph["height"] <= panes["y"] + 1) == (width < 620)
        picture(page, f"stepper-{width}")
