"""Every move is undone and made again, and no run is lost that was not discarded."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.graph import START, MessagesState, StateGraph

from tests.interfaces.stepper.test_stepper import OSLO, ROME, weather
from tests.turns import ask, turn_on
from turngraph.interfaces.stepper import TurnStepper
from turngraph.scripted import Call, Say, ScriptedModel
from turngraph.state.errors import TurnInvocationError


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    """Asks for the weather in two cities, then answers; two more answers are for new lineages."""
    answers = [Call(OSLO, ROME), Say("Rain."), Say("Still rain."), Say("Again.")]
    with ScriptedModel(answers) as scripted:
        yield scripted


@pytest.fixture
def stepper(model: ScriptedModel) -> Iterator[TurnStepper]:
    """Stands before the first stage of a turn with two tool calls."""
    with TurnStepper(turn_on(model, tools=[weather]), ask("Oslo and Rome?")) as opened:
        yield opened


def lines(stepper: TurnStepper) -> dict[str, Any]:
    """Returns where every line stands, and all its steps."""
    return {name: (line.now, line.timeline) for name, line in stepper.forks.items()}


def places(stepper: TurnStepper) -> dict[str, Any]:
    """Returns where every line stands. Steps that ran may stay ahead when they are undone."""
    return {name: line.now for name, line in stepper.forks.items()}


MOVES: dict[str, Callable[[TurnStepper], object]] = {
    "step": lambda stepper: stepper.step(),
    "step_into": lambda stepper: stepper.step_into(),
    "step_over": lambda stepper: stepper.step_over(),
    "run": lambda stepper: stepper.run(),
    "run_until": lambda stepper: stepper.run_until("finalize"),
    "back": lambda stepper: stepper.back(2),
    "jump": lambda stepper: stepper.jump(1),
    "edit": lambda stepper: stepper.edit(messages=[HumanMessage("And Bergen?")]),
    "retry": lambda stepper: stepper.retry(),
    "fork": lambda stepper: stepper.fork(),
}


@pytest.mark.parametrize("name", MOVES)
def test_a_move_is_undone_and_made_again(
    name: str, model: ScriptedModel, stepper: TurnStepper
) -> None:
    """Both send nothing. What ran stays ahead or comes back."""
    stepper.run_until("prep_second_request")
    before, now = lines(stepper), stepper.now
    MOVES[name](stepper)
    after, sent = lines(stepper), len(model.requests)
    assert stepper.to_undo == name
    assert stepper.undo() is stepper
    assert (stepper.now, list(stepper.forks)) == (now, list(before))
    assert stepper.to_redo == name
    assert stepper.redo() is stepper.forks.get("fork 1", stepper)
    assert lines(stepper) == after
    assert len(model.requests) == sent


def test_all_moves_of_all_lines_are_undone_one_by_one(stepper: TurnStepper) -> None:
    """In the order in which they were made, whichever line they were made on."""
    seen = [places(stepper)]
    stepper.run_until("dispatch_tools")
    seen.append(places(stepper))
    fork = stepper.fork("paris")
    seen.append(places(stepper))
    fork.edit(tool="weather", arguments={"city": "Paris"})
    seen.append(places(stepper))
    stepper.step()
    seen.append(places(stepper))
    end = lines(stepper)
    for before in reversed(seen[:-1]):
        fork.undo()
        assert places(stepper) == before
    with pytest.raises(TurnInvocationError, match="nothing to undo"):
        stepper.undo()
    for after in seen[1:]:
        stepper.redo()
        assert places(stepper) == after
    assert lines(stepper) == end
    with pytest.raises(TurnInvocationError, match="nothing to redo"):
        stepper.redo()


def test_an_undone_step_is_replayed_and_not_paid_again(
    model: ScriptedModel, stepper: TurnStepper
) -> None:
    """Who undoes a step and presses Step again gets the same answer."""
    stepper.run_until("call_llm")
    stepper.step()
    answered = stepper.now
    stepper.undo()
    assert stepper.step() is answered
    assert len(model.requests) == 1


def test_what_ran_after_an_undone_edit_becomes_a_line(
    model: ScriptedModel, stepper: TurnStepper
) -> None:
    """A new move ends the redo. The run that it would have brought back was paid for."""
    stepper.run_until("call_llm")
    stepper.edit(request={"temperature": 0.1})
    stepper.run()
    edited = stepper.timeline
    stepper.undo()
    stepper.undo()
    assert stepper.now.nodes == ("call_llm",)
    assert stepper.now.label == ""
    stepper.step()
    assert list(stepper.forks) == ["main", "fork 1"]
    assert stepper.forks["fork 1"].timeline == edited
    assert stepper.to_redo == ""
    stepper.undo()
    assert list(stepper.forks) == ["main"], "the line came with the step"
    stepper.redo()
    assert stepper.forks["fork 1"].timeline == edited


def test_a_line_that_is_edited_in_its_past_keeps_its_name_and_the_edited_one_is_a_fork(
    stepper: TurnStepper,
) -> None:
    """`undo` gives the name back, `redo` takes it again; a kept line is edited like any other."""
    stepper.run_until("call_llm")
    stepper.run()
    finished = stepper.timeline
    stepper.jump(1)
    stepper.edit(request={"temperature": 0.1})
    assert (stepper.name, list(stepper.forks)) == ("fork 1", ["main", "fork 1"])
    assert stepper.forks["main"].timeline == finished
    assert stepper.undo() is stepper
    assert (stepper.name, stepper.forks) == ("main", {"main": stepper})
    assert stepper.timeline == finished
    assert stepper.redo() is stepper
    assert (stepper.name, list(stepper.forks)) == ("fork 1", ["main", "fork 1"])
    main = stepper.forks["main"]
    main.jump(1)
    main.edit(request={"temperature": 0.2})
    assert (main.name, list(stepper.forks)) == ("fork 2", ["main", "fork 1", "fork 2"])
    assert stepper.forks["main"].timeline == finished


def test_looking_at_other_steps_is_one_move(stepper: TurnStepper) -> None:
    """However many were looked at; and none where it ends at the step where it began."""
    stepper.run_until("prep_second_request")
    now = stepper.now
    stepper.back(2)
    stepper.jump(0)
    stepper.step()
    assert stepper.undo().now is now
    assert stepper.redo().now is stepper.timeline[1]
    stepper.jump(len(stepper.timeline) - 1)
    assert stepper.to_undo == "run_until"


def test_an_undone_fork_comes_back_with_its_runs(
    model: ScriptedModel, stepper: TurnStepper
) -> None:
    """It cannot be moved while it is undone; a new move brings it back, as it had run."""
    stepper.run_until("call_llm")
    fork = stepper.fork("other")
    fork.step()
    answer = fork.now
    stepper.undo()
    stepper.undo()
    with pytest.raises(TurnInvocationError, match="line `other` was undone"):
        fork.step()
    stepper.step()
    assert stepper.forks["other"] is fork
    assert fork.now is answer
    assert len(model.requests) == 2


def test_a_move_that_changes_nothing_is_none(stepper: TurnStepper) -> None:
    """A step at the end, no step back, a refused edit."""
    stepper.run()
    stepper.step()
    stepper.back(0)
    with pytest.raises(TurnInvocationError):
        stepper.edit(body={})
    assert stepper.to_undo == "run"
    stepper.undo()
    assert stepper.to_undo == ""


def test_forks_have_short_names(stepper: TurnStepper) -> None:
    """Also forks of forks, and what an edit keeps of a line that was kept."""
    first = stepper.fork()
    first.fork()
    stepper.step()
    stepper.jump(0)
    stepper.edit(messages=[HumanMessage("Oslo?")])
    kept = stepper.forks["main"]
    kept.jump(0)
    kept.edit(messages=[HumanMessage("Rome?")])
    assert list(stepper.forks) == ["main", "fork 1", "fork 2", "fork 3", "fork 4"]


def router(word: str, *nodes: str) -> Any:
    """A graph that goes from `route` to the node that the last message names."""
    builder = StateGraph(MessagesState)
    builder.add_node("route", lambda state: {})
    for node in nodes:
        builder.add_node(node, lambda state, node=node: {"messages": [("ai", word + node)]})
    builder.add_edge(START, "route")
    builder.add_conditional_edges("route", lambda state: state["messages"][-1].text, list(nodes))
    return builder.compile()


def test_undo_and_redo_reach_behind_a_new_version_of_the_graph() -> None:
    """What runs from there is the new code."""
    with TurnStepper(router("old ", "one", "two"), ask("one")) as stepper:
        stepper.step()
        stepper.edit(messages=[HumanMessage("two", id=stepper.state["messages"][0].id)])
        stepper.undo()
        stepper.reload(router("new ", "one", "two", "three"))
        assert (stepper.to_undo, stepper.to_redo) == ("step", "edit")
        stepper.redo()
        stepper.run()
        assert stepper.state["messages"][-1].text == "new two"
        stepper.undo()
        stepper.undo()
        assert stepper.now.nodes == ("one",)
        stepper.run()
        assert stepper.state["messages"][-1].text == "new one"


def test_moves_that_lead_to_a_node_that_is_gone_are_forgotten() -> None:
    """Nobody can stand there any more; the line itself goes on."""
    with TurnStepper(router("old ", "one", "two"), ask("one")) as stepper:
        stepper.step()
        stepper.edit(messages=[HumanMessage("two", id=stepper.state["messages"][0].id)])
        stepper.undo()
        stepper.reload(router("new ", "one"))
        assert (stepper.to_undo, stepper.to_redo) == ("", "")
        stepper.run()
        assert stepper.state["messages"][-1].text == "new one"
