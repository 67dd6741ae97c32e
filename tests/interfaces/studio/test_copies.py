"""What is taken along of a run whose turns are nodes of another graph, or that has none."""

from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import START, MessagesState, StateGraph

from tests.turns import ask, turn_on
from turngraph import TurnInvocationError, TurnStepper
from turngraph.interfaces.studio.copies import copy_of
from turngraph.scripted import Say, ScriptedModel


def run_copied(stepper: TurnStepper, folder: Path) -> None:
    """Runs the test that was copied."""
    names: dict[str, Any] = {}
    exec(compile(copy_of(stepper, "test"), "test_turn.py", "exec"), names)
    names["test_the_turn_runs_as_it_was_recorded"](folder)


def test_the_last_turn_of_a_graph_that_keeps_no_result_becomes_a_test(tmp_path: Path) -> None:
    """The graph around keeps messages alone, and two turns have run: one of them is copied."""
    with ScriptedModel([Say("One."), Say("Two.")]) as model:
        graph = StateGraph(MessagesState)
        graph.add_node("first", turn_on(model)).add_node("second", turn_on(model))
        graph.add_edge(START, "first").add_edge("first", "second")
        with TurnStepper(graph.compile(), ask("Who are you?")) as stepper:
            stepper.run_until("second/call_llm")
            stepper.step()
            with pytest.raises(TurnInvocationError, match="whole turn"):
                copy_of(stepper, "test")
            stepper.run()
            assert len(copy_of(stepper, "recording").splitlines()) == 1
            assert "Two." in copy_of(stepper, "recording")
            run_copied(stepper, tmp_path)


def test_a_graph_without_a_turn_has_nothing_to_copy_and_says_why() -> None:
    """It would be no help to be told to run it to its end."""
    graph = StateGraph(MessagesState).add_node("quiet", lambda state: {}).add_edge(START, "quiet")
    with TurnStepper(graph.compile(), ask("Hello")) as stepper:
        stepper.run()
        for form in ("curl", "python", "recording", "test"):
            with pytest.raises(TurnInvocationError, match="known to its own nodes alone"):
                copy_of(stepper, form)
