"""What a stage knows of its surroundings, with and without LangGraph."""

import logging

import pytest

from tests.nodes.stages import NOW, Flag, Recorder, context_for
from turngraph.nodes import StageContext
from turngraph.state.events import TurnEvent, TurnWarning

WARNING = TurnWarning(turn_id="turn", message="`seed` was left out.")


def test_an_event_reaches_every_subscriber_and_the_stream() -> None:
    """They all see the same object."""
    first, second, stream = Recorder(), Recorder(), list[TurnEvent]()
    deps = context_for(subscribers=(first, second)).deps
    StageContext(deps, task_id="task", writer=stream.append).emit(WARNING)
    assert first.events == second.events == stream == [WARNING]


def test_a_subscriber_that_fails_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Watching a turn must never change it; the failure is in the log."""

    def fail(event: TurnEvent) -> None:
        raise RuntimeError("full disk")

    recorder = Recorder()
    with caplog.at_level(logging.ERROR, "turngraph"):
        context_for(subscribers=(fail, recorder)).emit(WARNING)
    assert recorder.events == [WARNING]
    assert "A subscriber failed on TurnWarning" in caplog.text


def test_a_turn_without_a_flag_cannot_be_cancelled() -> None:
    """Then no wait is cut into slices."""
    assert not context_for().cancellable
    assert not context_for().cancelled


def test_a_flag_is_looked_at_every_time() -> None:
    """The caller sets it while the stage runs."""
    context = context_for(cancel=Flag(looks_left=1))
    assert (context.cancellable, context.cancelled, context.cancelled) == (True, False, True)


def test_time_is_the_clock_of_the_dependencies() -> None:
    """So that a test, or a replay, decides what time it is."""
    assert context_for().seconds_since(NOW - 2.5) == 2.5
