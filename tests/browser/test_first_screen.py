"""What a person needs is in sight: on a phone, beside a long request, and after a click on what is
gone then.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.widget_page import open_widget, redraw
from tests.turns import ask, turn_on
from turngraph.interfaces.stepper import TurnStepper
from turngraph.scripted import Say, ScriptedModel

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    """Answers a few times."""
    with ScriptedModel([Say("One."), Say("Two."), Say("Three.")]) as scripted:
        yield scripted


@pytest.fixture
def stepper(model: ScriptedModel) -> Iterator[TurnStepper]:
    """Stands before the request of a turn with a long question."""
    question = "\n".join(f"line {n} of the question" for n in range(200))
    with TurnStepper(turn_on(model), ask(question)) as opened:
        opened.run_until("call_llm")
        yield opened


def is_in_sight(box: Any) -> bool:
    """Whether the whole of an element is inside the window, and nothing lies on it."""
    return bool(
        box.evaluate(
            """each => {
            const { left, top, right, bottom } = each.getBoundingClientRect();
            const at = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
            return top >= 0 && bottom <= innerHeight && right <= innerWidth && each.contains(at);
        }"""
        )
    )


def test_on_a_phone_the_first_screen_has_buttons_sentence_and_panes(
    page: Any, stepper: TurnStepper
) -> None:
    """The graph is folded away there. It opens when it is wanted, and is back on a wide screen."""
    page.set_viewport_size({"width": 390, "height": 844})
    open_widget(page, stepper)
    graph = page.locator(".ts-graph")
    graph.locator("svg").wait_for(state="hidden")
    for each in (
        page.get_by_role("toolbar"),
        page.locator(".ts-next"),
        page.locator("[data-pane=messages] > summary"),
    ):
        assert is_in_sight(each)
    graph.locator("summary").click()
    assert graph.locator("svg").is_visible()
    page.set_viewport_size({"width": 1200, "height": 844})
    graph.locator("summary").wait_for(state="hidden")
    assert graph.locator("svg").is_visible()


@pytest.mark.parametrize("width", [390, 1440])
def test_the_buttons_and_the_confirmation_of_a_long_request_stay_in_sight(
    page: Any, stepper: TurnStepper, width: int
) -> None:
    """At the beginning of the text, and where its end is read."""
    page.set_viewport_size({"width": width, "height": 844})
    open_widget(page, stepper)
    area = page.get_by_label("The pending request")
    use = page.get_by_role("button", name="Change this request only")
    page.locator("details[data-pane=request] > summary").evaluate("each => each.scrollIntoView()")
    page.evaluate("scrollBy(0, -200)")  # the toolbar sticks to the top
    assert is_in_sight(use)
    area.fill(area.input_value().replace("line 7 of", "line seven of"))
    use.click()
    done = page.locator(".ts-confirmed", has_text="Edited, for this request only")
    done.wait_for()
    assert is_in_sight(done)
    area.evaluate("each => scrollBy(0, each.getBoundingClientRect().bottom - innerHeight + 8)")
    assert is_in_sight(use)
    assert is_in_sight(done)


def test_a_change_for_the_rest_of_the_turn_is_confirmed_beside_the_request(
    page: Any, stepper: TurnStepper
) -> None:
    """In words of its own: it is not for this request alone. The pane `messages` says it too."""
    open_widget(page, stepper)
    rest = page.locator("details[data-key=turn]")
    rest.evaluate("each => each.open = true")
    rest.get_by_label("system message").fill("Be brief.")
    rest.get_by_role("button", name="Use this system message").click()
    done = page.locator(".ts-confirmed")
    done.wait_for()
    assert "It stays for the rest of the turn." in done.inner_text()
    assert "for the rest of the turn" in page.locator(".ts-next").inner_text()
    note = page.locator("[data-pane=messages] > summary")
    assert "edited" not in note.inner_text()
    area = page.get_by_label("The pending request")
    area.fill(area.input_value().replace("line 7 of", "line seven of"))
    page.get_by_role("button", name="Change this request only").click()
    done.filter(has_text="for this request only").wait_for()
    assert "the pane request shows what was edited for this call only" in note.inner_text()


def test_the_keys_work_after_a_click_on_what_is_gone_then(page: Any, stepper: TurnStepper) -> None:
    """A line's button, which is drawn anew, and a field in a pane that has nothing to show then."""
    widget = open_widget(page, stepper)
    stepper.fork("other")
    redraw(page, widget)
    page.locator("[data-line=other]").click()
    page.locator("[data-line=other][aria-pressed=true]").wait_for()
    assert page.evaluate("document.activeElement.dataset.line") == "other"
    page.keyboard.press("s")
    page.locator(".ts-headline", has_text="call_llm → bill").wait_for()
    page.locator("[data-line=main]").click()
    page.locator("[data-line=main][aria-pressed=true]").wait_for()
    page.locator("[data-key='compare content']").evaluate(
        "each => each.closest('details').open = true"
    )
    page.locator("[data-pane=compare] > summary").focus()
    page.keyboard.press("z")
    page.keyboard.press("z")
    page.locator("[data-pane=compare]").wait_for(state="hidden")
    page.keyboard.press("s")
    page.locator(".ts-headline", has_text="main · step 2: call_llm → bill").wait_for()
