"""A walk outlives its process: in a file of its own, or in a thread of the graph's checkpointer."""

import json
import operator
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from pydantic import BaseModel

from tests.interfaces.stepper.killed_worker import graph_around
from tests.interfaces.stepper.test_stepper import OSLO, ROME, weather
from tests.turns import KEY, ask, turn_on
from turngraph.interfaces.stepper import Breakpoint, TurnStepper
from turngraph.interfaces.stepper.views.page import pane_texts
from turngraph.scripted import Call, Fail, Say, ScriptedModel
from turngraph.state.errors import TurnInvocationError, TurnValueError


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    """Asks for the weather in two cities, then answers."""
    answers = [Call(OSLO, ROME), Say("Rain."), Say("Still rain."), Say("Again.")]
    with ScriptedModel(answers) as scripted:
        yield scripted


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in a parent"])
def test_a_walk_is_saved_and_goes_on_where_it_stood(
    model: ScriptedModel, tmp_path: Path, inside: bool
) -> None:
    """Between two parallel tool calls: the one that ran is not run again, and nobody is asked."""
    turn = turn_on(model, tools=[weather])
    graph = graph_around(turn, InMemorySaver()) if inside else turn
    with TurnStepper(graph, ask("Both?"), breakpoints=(Breakpoint(cost_above="9"),)) as stepper:
        stepper.run_until("dispatch_tools")
        stepper.step_into()
        stepper.edit(tool="weather", arguments={"city": "Paris"})
        stepper.fork("other").step()
        stepper.save(tmp_path / "walk.json")
        panes, position = pane_texts(stepper), stepper.now.number
    with TurnStepper.open(tmp_path / "walk.json", graph) as opened:
        assert list(opened.forks) == ["main", "other"]
        assert opened.now.number == position
        assert pane_texts(opened) == panes
        assert opened.breakpoints == [Breakpoint(cost_above="9")]
        assert opened.compare("main", "other").first_different_step == position + 1
        opened.run()
        results = [m.content for m in opened.state["messages"] if m.type == "tool"]
        assert sorted(results) == ["Oslo: rain", "Paris: rain"]
        opened.back(1)
        opened.step()
    assert len(model.requests) == 2
    written = (tmp_path / "walk.json").read_text()
    assert KEY not in written
    assert stat.S_IMODE((tmp_path / "walk.json").stat().st_mode) == 0o600


def test_a_walk_that_was_saved_before_edits_were_noted_is_opened(
    model: ScriptedModel, tmp_path: Path
) -> None:
    graph, file = turn_on(model, tools=[weather]), tmp_path / "walk.json"
    with TurnStepper(graph, ask("Both?")) as stepper:
        stepper.run_until("dispatch_tools")
        stepper.save(file)
    kept = json.loads(file.read_text(), object_hook=_without_edit_notes)
    file.write_text(json.dumps(kept, separators=(", ", ": ")))
    with TurnStepper.open(file, graph) as opened:
        opened.run()
        assert opened.state["status"] == "done"


def _without_edit_notes(value: dict[str, Any]) -> dict[str, Any]:
    return {name: member for name, member in value.items() if name != "before_edit"}


def test_failures_and_questions_are_saved(tmp_path: Path) -> None:
    """A failed call, an open question to a person, an error that a node raised."""
    with ScriptedModel([Fail(401)]) as model:
        turn = turn_on(model)
        with TurnStepper(turn, ask("Hi")) as stepper:
            stepper.run()
            stepper.save(tmp_path / "failed.json")
            shown = pane_texts(stepper)
        with TurnStepper.open(tmp_path / "failed.json", turn) as opened:
            assert pane_texts(opened) == shown
            assert "401" in shown["answer"]

    def ask_person(state: MessagesState) -> dict[str, Any]:
        if interrupt("How many?") > 3:
            raise LookupError("too many")
        return {}

    graph = StateGraph(MessagesState).add_node("ask", ask_person).add_edge(START, "ask").compile()
    with TurnStepper(graph, ask("Hi")) as stepper:
        stepper.step()
        stepper.save(tmp_path / "asked.json")
    with TurnStepper.open(tmp_path / "asked.json", graph) as opened:
        assert opened.now.waiting[0].interrupt.value == "How many?"
        opened.answer(4)
        opened.save(tmp_path / "raised.json")
    with TurnStepper.open(tmp_path / "raised.json", graph) as opened:
        assert pane_texts(opened)["answer"] == "LookupError: too many"


def test_what_was_undone_is_saved_as_a_line(model: ScriptedModel, tmp_path: Path) -> None:
    """The redo is not in the file; the run that it would bring back is."""
    turn = turn_on(model, tools=[weather])
    with TurnStepper(turn, ask("Both?")) as stepper:
        stepper.run_until("call_llm")
        stepper.edit(request={"temperature": 0.1})
        stepper.run()
        stepper.undo()
        stepper.undo()
        stepper.save(tmp_path / "walk.json")
        assert list(stepper.forks) == ["main"]
    with TurnStepper.open(tmp_path / "walk.json", turn) as opened:
        assert list(opened.forks) == ["main", "fork 1"]
        assert opened.forks["fork 1"].state["result"].answer == "Rain."


class Size(BaseModel):
    """A model of the user's own."""

    of: Decimal


@dataclass
class Place:
    """A dataclass of the user's own."""

    name: str


class House(TypedDict):
    """A state without messages."""

    sizes: Annotated[list[Size], operator.add]
    place: Place
    pair: tuple[int, str]
    open_file: Any


def test_a_state_of_any_kind_is_saved_or_refused(tmp_path: Path) -> None:
    """Models, dataclasses and tuples that the state names come back as they were; a value that
    could not is refused, and the older file stays.
    """
    path = tmp_path / "walk.json"

    def build(state: House) -> dict[str, Any]:
        return {"sizes": [Size(of=Decimal("1.50"))], "place": Place("Oslo"), "pair": (1, "a")}

    builder = StateGraph(House).add_node("build", build).add_edge(START, "build")
    builder.add_node("spoil", lambda _: {"open_file": path.open()}).add_edge("build", "spoil")
    graph = builder.compile()
    with TurnStepper(graph, {"sizes": []}) as stepper:
        stepper.step()
        stepper.save(path)
        state = dict(stepper.state)
        stepper.step()
        with pytest.raises(TurnValueError, match=r"class `_io\.TextIOWrapper` cannot be saved"):
            stepper.save(path)
        stepper.state["open_file"].close()
    with TurnStepper.open(path, graph) as opened:
        assert dict(opened.state) == state


def test_a_file_that_is_no_walk_is_refused(model: ScriptedModel, tmp_path: Path) -> None:
    """Damaged, of another program, of another version, of another graph, or not there."""
    turn, path = turn_on(model), tmp_path / "walk.json"
    with TurnStepper(turn, ask("Hi")) as stepper:
        stepper.run()
        stepper.save(path)
    text, content = path.read_text(), json.loads(path.read_text())
    pickled = [["pickle", "gASVAgAAAAAAAABdlC4="] for _ in content["objects"]]
    evil = {**content, "objects": pickled}
    damaged = ["", "[]", "{}", '"x"', text[: len(text) // 2], text.replace('"o"', '"x"')]
    keys = [key for key in content if key != "version"]
    damaged += [json.dumps({**content, key: None}) for key in keys] + [json.dumps(evil)]
    for each in damaged:
        path.write_text(each)
        with pytest.raises(TurnValueError, match="is no saved run"):
            TurnStepper.open(path, turn)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(TurnValueError, match="is no saved run"):
        TurnStepper.open(path, turn)
    path.write_text(json.dumps({**content, "version": 99}))
    with pytest.raises(TurnValueError, match="version 99"):
        TurnStepper.open(path, turn)
    path.write_text(text)
    other = StateGraph(MessagesState).add_node("a", lambda _: {}).add_edge(START, "a").compile()
    with pytest.raises(TurnValueError, match="`prep_first_request`, which this graph does not"):
        TurnStepper.open(path, other)
    for wrong in (tmp_path / "nothing.json", tmp_path):
        with pytest.raises(TurnValueError, match="cannot be read"):
            TurnStepper.open(wrong, turn)


@pytest.fixture(params=["memory", "sqlite"])
def saver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Both checkpointers that need no server."""
    if request.param == "memory":
        yield InMemorySaver()
    else:
        with SqliteSaver.from_conn_string(str(tmp_path / "threads.db")) as sqlite:
            yield sqlite


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in a parent"])
def test_a_walk_is_written_into_a_new_thread(
    model: ScriptedModel, saver: Any, inside: bool
) -> None:
    """The graph goes on from there, and the stored thread shows the same steps."""
    turn = turn_on(model, tools=[weather], checkpointer=None if inside else saver)
    graph = graph_around(turn, saver) if inside else turn
    config: Any = {"configurable": {"thread_id": "new"}}
    with TurnStepper(graph, ask("Both?")) as stepper:
        stepper.run_until("dispatch_tools")
        stepper.edit(tool="weather", result="Oslo: snow")
        stepper.run()
        assert graph.get_state(config).values.get("messages", []) == []
        stepper.write_to("new")
        assert dict(graph.get_state(config).values) == stepper.state
        with TurnStepper.attach(graph, "new") as past:
            assert [step.reply.text for step in past.timeline if step.reply] == ["", "Rain."]
            assert past.cost == stepper.cost
    out = graph.invoke(ask("And now?"), config)
    assert [message.text for message in out["messages"]] == [
        *("Both?", "", "Oslo: snow", "Rome: rain", "Rain.", "And now?", "Still rain.")
    ]


def test_a_walk_goes_back_into_the_thread_that_it_began_with(
    model: ScriptedModel, saver: Any, tmp_path: Path
) -> None:
    """If the thread stands as it stood; what others wrote meanwhile is never replaced."""
    turn = turn_on(model, tools=[weather], checkpointer=saver)
    config: Any = {"configurable": {"thread_id": "t"}}
    turn.invoke(ask("Both?"), config)
    with TurnStepper(turn, ask("And now?"), "t") as stepper:
        stepper.run()
        stepper.save(tmp_path / "walk.json")
        stepper.write_to()
        assert turn.get_state(config).values["messages"][-1].text == "Still rain."
        turn.invoke(ask("Thanks."), config)
        stepper.retry()
        with pytest.raises(TurnInvocationError, match="`t` holds a conversation that this run"):
            stepper.write_to()
        stepper.write_to("elsewhere")
    older = TurnStepper.open(tmp_path / "walk.json", turn)
    with older, pytest.raises(TurnInvocationError, match="has gone on since"):
        older.write_to()
    unrelated = TurnStepper(turn, {"messages": [HumanMessage("Hi")]})
    with unrelated, pytest.raises(TurnInvocationError, match="a thread with a new id"):
        unrelated.write_to("t")
    assert turn.get_state(config).values["messages"][-2].text == "Thanks."


def test_without_a_checkpointer_there_is_no_thread_to_write_to(model: ScriptedModel) -> None:
    """The error says what to give."""
    stepper = TurnStepper(turn_on(model), ask("Hi"))
    with stepper, pytest.raises(TurnInvocationError, match="no checkpointer"):
        stepper.write_to("t")
