"""A call that waits before it is sent again is shown as waiting, with its reason, not as failed."""

import io
import sys
from collections.abc import Iterator

import pytest
from rich.console import Console

from tests.turns import ask, turn_on
from turngraph.interfaces.stepper import TurnStepper
from turngraph.interfaces.stepper.views.charts import timeline_chart
from turngraph.interfaces.stepper.views.status import turn_mark
from turngraph.interfaces.terminal.line_mode import LineMode
from turngraph.scripted import Fail, Say, ScriptedModel

BUSY = Fail(503, headers={"Retry-After": "0.1"})
SENTENCE = "waiting: the model is asked again in 0.1 s, because openai answered 503 ("


@pytest.fixture
def stepper() -> Iterator[TurnStepper]:
    """A turn whose model is busy when it is asked first."""
    with ScriptedModel([BUSY, Say("Late.")]) as model, TurnStepper(turn_on(model), ask("Hi")) as on:
        yield on


def test_the_widget_shows_a_pause_until_the_call_is_sent_again(stepper: TurnStepper) -> None:
    """It counts down from the seconds; nothing has failed when the answer is there."""
    pytest.importorskip("anywidget", reason="needs the extra `notebook`")
    widget, told = stepper.show(), []
    widget.observe(lambda change: told.append(change["new"]), "pauses")
    widget.act({"action": "run"})
    first = next(each for each in told if each["waits"])
    last = next(each for each in told[told.index(first) :] if not each["waits"])
    (wait,) = first["waits"]
    assert wait["text"].startswith(SENTENCE)
    assert 0 < wait["seconds"] <= 0.1
    assert 'data-mark="retrying"' in first["svg"]
    assert first["headline"].endswith("→ call_llm · $0")
    assert last["waits"] == []
    assert 'data-mark="running"' in last["svg"]
    assert turn_mark(stepper) == "done"


def test_the_timeline_says_how_often_the_call_was_sent_and_for_how_long_it_waited(
    stepper: TurnStepper,
) -> None:
    """In the list of the steps, and as a part of the call's bar in another color."""
    stepper.run()
    assert str(stepper.timeline[2]) == "2: call_llm (2 attempts) → bill"
    chart = timeline_chart(stepper.timeline)
    assert " waiting</text>" in chart
    assert chart.count("#d4a72c") == 1


def test_the_line_mode_says_it_as_it_happens(
    stepper: TurnStepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, before the step that it delays."""
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stdin", io.StringIO("s\ns\nq\n"))
    LineMode(stepper, Console(file=screen, width=200)).run()
    shown = screen.getvalue()
    assert shown.count(SENTENCE) == 1
    assert shown.index(SENTENCE) < shown.index("2: call_llm (2 attempts)")
    assert "problem" not in shown
