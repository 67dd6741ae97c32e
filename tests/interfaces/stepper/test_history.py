"""Stored threads in the stepper: what is stored is shown, and no answered request is sent again."""

import asyncio
import operator
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Send
from sqlalchemy import text

from tests.interfaces.stepper.killed_worker import THREAD, graph_around
from tests.turns import ask, turn_on
from turngraph.billing import Ledger
from turngraph.interfaces.stepper import TurnStepper
from turngraph.scripted import Call, Say, ScriptedModel
from turngraph.state.errors import TurnInvocationError
from turngraph.state.result import Charge

OSLO, ROME = ("weather", {"city": "Oslo"}), ("weather", {"city": "Rome"})


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: rain"


class Fan(MessagesState):
    """A parent that asks several things at once."""

    charges: Annotated[list[Charge], operator.add]


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    """Asks for the weather in two cities, then answers; two more answers are for forks."""
    with ScriptedModel(
        [Call(OSLO, ROME), Say("Rain."), Say("Still rain."), Say("Again.")]
    ) as scripted:
        yield scripted


@pytest.fixture(params=["memory", "sqlite"])
def saver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Both checkpointers that need no server."""
    if request.param == "memory":
        yield InMemorySaver()
    else:
        with SqliteSaver.from_conn_string(str(tmp_path / "threads.db")) as sqlite:
            yield sqlite


def names(stepper: TurnStepper) -> list[tuple[str, ...]]:
    """Returns what runs next at each step; the order of parallel nodes does not matter."""
    return [tuple(sorted(step.nodes)) for step in stepper.timeline]


def test_a_stored_turn_in_a_parent_has_the_steps_it_had_when_it_ran(
    model: ScriptedModel, saver: Any
) -> None:
    """The same steps, in its subgraph too: requests, answers, tool calls, events and cost."""
    graph = graph_around(turn_on(model, tools=[weather]), saver)
    graph.invoke(ask("Both?"), THREAD)
    sent = [request.body for request in model.requests]
    past = TurnStepper.attach(graph, "t")
    with ScriptedModel([Call(OSLO, ROME), Say("Rain.")]) as other:
        live = TurnStepper(graph_around(turn_on(other, tools=[weather]), saver), ask("Both?"))
        live.run()
    assert names(past) == names(live)
    assert [step.ran for step in past.timeline] == [step.ran for step in live.timeline]
    assert past.cost == live.cost > Decimal(0)
    assert [charge.kind for charge in past.charges] == [charge.kind for charge in live.charges]
    kinds = [event.type for event in live.events if event.type not in ("token", "prompt_started")]
    assert sorted(event.type for event in past.events) == sorted(kinds)
    shown = []
    for step in past.timeline:
        past.jump(step.number)
        if step.nodes == ("chat/call_llm",):
            assert past.request is not None
            shown.append(past.request.body)
    assert shown == sent
    assert [step.reply.text for step in past.timeline if step.reply is not None] == ["", "Rain."]
    past.jump(4)
    assert past.state["status"] == "running", "the state of the turn, not of the graph around it"
    assert "status" not in past.state_at(4, "")
    assert len(model.requests) == 2, "nobody was called"
    live.close()
    past.close()
    assert past.state_at(0)["messages"][0].text == "Both?", "also after the stepper is closed"


def test_turns_that_ran_in_parallel_are_shown_in_parallel(saver: Any) -> None:
    """Each step belongs to one of them, while the others stand still."""
    graph = StateGraph(Fan)
    with ScriptedModel() as plain:
        graph.add_node("chat", turn_on(plain))
        graph.add_conditional_edges(
            START,
            lambda s: [
                Send("chat", {"messages": [HumanMessage(q, id=q)]}) for q in ("red", "green")
            ],
            ["chat"],
        )
        compiled = graph.compile(checkpointer=saver)
        compiled.invoke({"messages": [HumanMessage("Both.")], "charges": []}, THREAD)
        past = TurnStepper.attach(compiled, "t")
        assert past.timeline[0].nodes == ("chat", "chat")
        assert past.now.finished
        assert sum(step.reply is not None for step in past.timeline) == 2
        assert len(past.charges) == 2
        fork_at = next(step.number for step in past.timeline if "chat/bill" in step.nodes)
        past.jump(fork_at)
        fork = past.fork("again")
        fork.run()
        assert fork.now.finished, repr(fork.now.error)
        assert fork.state["messages"][0].text == "Both."
        past.close()


@pytest.mark.parametrize("steps", ["each", "one"])
def test_any_turn_of_a_thread_is_found_by_its_place_or_id(
    model: ScriptedModel, saver: Any, steps: str
) -> None:
    """The last one by default. For an unknown turn the error lists the known ones. Of turns in one
    step only the end is stored.
    """
    turn = turn_on(model, tools=[weather], checkpointer=saver, steps=steps)
    for number, question in enumerate(("Both?", "And now?", "And then?")):
        turn.invoke(ask(question, turn_id=f"turn-{number}"), THREAD)
    for asked, answer in (
        (-1, "Again."),
        (0, "Rain."),
        (1, "Still rain."),
        ("turn-1", "Still rain."),
        (-3, "Rain."),
    ):
        stepper = TurnStepper.attach(turn, "t", turn=asked)
        assert stepper.state["result"].answer == answer
        assert len(stepper.state["messages"]) == {"Rain.": 5, "Still rain.": 7, "Again.": 9}[answer]
        stepper.close()
    for wrong in (3, -4):
        with pytest.raises(TurnInvocationError, match=f"no turn {wrong}"):
            TurnStepper.attach(turn, "t", turn=wrong)
    with pytest.raises(TurnInvocationError, match="`turn-2`, `turn-1`, `turn-0`"):
        TurnStepper.attach(turn, "t", turn="turn-9")
    for opened in (TurnStepper.attach, lambda graph, name: TurnStepper(graph, None, name)):
        with pytest.raises(
            TurnInvocationError, match=r"no thread `nobody` in this database\..*`t`"
        ):
            opened(turn, "nobody")


def test_after_time_travel_the_runs_of_a_thread_are_apart(model: ScriptedModel, saver: Any) -> None:
    """The latest run shows each call once, and says where it went back; the other one is opened by
    the checkpoint with which it ends.
    """
    turn = turn_on(model, tools=[weather], checkpointer=saver)
    turn.invoke(ask("Both?"), THREAD)
    past = list(turn.get_state_history(THREAD))
    end = past[0].config
    at = {state.next[0]: state.config for state in reversed(past) if state.next}
    turn.invoke(None, at["prep_second_request"])
    with TurnStepper.attach(turn, "t") as latest:
        assert [step.reply.text for step in latest.timeline if step.reply] == ["", "Still rain."]
        assert "went back to here" in [step.label for step in latest.timeline]
    edited = turn.update_state(at["bill"], {"messages": [HumanMessage("And Paris?")]})
    with TurnStepper.attach(turn, edited) as half:
        assert str(half.now) == "7: edited the state → bill"
        assert [step.reply.text for step in half.timeline if step.reply] == ["", "Rain."]
    with TurnStepper.attach(turn, end) as first:
        assert [step.reply.text for step in first.timeline if step.reply] == ["", "Rain."]
    known = end["configurable"]["checkpoint_id"]
    with pytest.raises(TurnInvocationError, match=known):
        TurnStepper.attach(turn, "t", turn=5)
    with pytest.raises(TurnInvocationError, match=known):
        TurnStepper.attach(turn, {"configurable": {"thread_id": "t", "checkpoint_id": "1f0"}})


@pytest.mark.parametrize("where", ["alone", "inside"])
def test_the_thread_of_a_killed_worker_goes_on_where_it_stopped(
    model: ScriptedModel, tmp_path: Path, where: str
) -> None:
    """No answered request is sent again, and of two tools only the unfinished one runs."""
    database, ran = str(tmp_path / "threads.db"), list[str]()
    killed = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.interfaces.stepper.killed_worker",
            database,
            model.base_url,
            where,
        ],
        timeout=60,
        check=False,
    )
    assert killed.returncode == 9

    @tool("weather")
    def again(city: str) -> str:
        """The weather in a city."""
        ran.append(city)
        return f"{city}: sun"

    with SqliteSaver.from_conn_string(database) as saver:
        inside = where == "inside"
        turn = turn_on(model, tools=[again], checkpointer=None if inside else saver)
        graph = graph_around(turn, saver) if inside else turn
        stored = saver.get_tuple(THREAD)
        with TurnStepper(graph, None, "t") as stepper:
            assert [task.call.arguments for task in stepper.now.pending if task.call] == [
                '{"city": "Rome"}'
            ]
            assert stepper.state["messages"][-1].content == "Oslo: rain"
            assert len(stepper.charges) == 1, "the charge from before the crash"
            fork = stepper.fork("paris")
            fork.edit(tool="weather", arguments={"city": "Paris"})
            for line, city in ((stepper, "Rome"), (fork, "Paris")):
                line.run()
                assert line.now.finished, repr(line.now.error)
                results = [
                    message.content for message in line.state["messages"] if message.type == "tool"
                ]
                assert results == ["Oslo: rain", f"{city}: sun"]
                assert len(line.charges) == 2
        assert saver.get_tuple(THREAD) == stored, "the thread is only read"
    assert ran == ["Rome", "Paris"]
    assert len(model.requests) == 3


def test_the_state_of_a_half_finished_thread_is_edited_where_it_stands(
    model: ScriptedModel, saver: Any
) -> None:
    """The stepper goes on from there, not from the beginning."""
    turn = turn_on(model, tools=[weather], checkpointer=saver)
    turn.invoke(ask("Both?"), THREAD, interrupt_before=["prep_second_request"])
    with TurnStepper(turn, None, "t") as stepper:
        assert stepper.now.nodes == ("prep_second_request",)
        question = stepper.state["messages"][0]
        stepper.edit(messages=[HumanMessage("And Paris?", id=question.id)])
        assert stepper.now.nodes == ("prep_second_request",)
        stepper.run()
    assert len(model.requests) == 2
    assert [m["content"] for m in model.requests[1].body["messages"] if m["role"] == "user"] == [
        "And Paris?"
    ]


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in a parent"])
def test_a_thread_that_waits_for_a_person_is_answered(
    model: ScriptedModel, saver: Any, inside: bool
) -> None:
    """The question is open as soon as the thread is opened; nothing runs for it."""
    turn = turn_on(model, tools=[weather], approve=True, checkpointer=None if inside else saver)
    graph = graph_around(turn, saver) if inside else turn
    graph.invoke(ask("Both?"), THREAD)
    with TurnStepper(graph, None, "t") as stepper:
        first, _ = stepper.now.waiting
        with pytest.raises(TurnInvocationError, match="answer"):
            stepper.step()
        stepper.answer({"decision": "reject", "reason": "no"}, first.interrupt.id)
        stepper.answer({"decision": "approve"})
        stepper.run()
        assert stepper.now.finished, repr(stepper.now.error)
        assert {run.status for run in stepper.state["result"].tool_runs} == {"rejected", "ok"}
    assert len(model.requests) == 2


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in a parent"])
def test_a_continued_turn_keeps_its_lineage_and_a_fork_is_billed_anew(
    model: ScriptedModel, saver: Any, tmp_path: Path, inside: bool
) -> None:
    """Going on is the same lineage, and looking back costs nothing; a fork pays for its calls."""
    with Ledger(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        turn = turn_on(
            model,
            tools=[weather],
            approve=True,
            ledger=ledger,
            checkpointer=None if inside else saver,
        )
        graph = graph_around(turn, saver) if inside else turn
        graph.invoke(ask("Both?"), THREAD)

        def attempt_states() -> list[str]:
            with ledger.store.engine.connect() as conn:
                return [
                    row[0]
                    for row in conn.execute(
                        text("SELECT state FROM attempt WHERE kind = 'completion'")
                    )
                ]

        with TurnStepper(graph, None, "t") as stepper:
            stepper.answer({"decision": "approve"})
            stepper.run()
            assert stepper.now.finished, repr(stepper.now.error)
            assert attempt_states() == ["settled"] * 2
            assert len(stepper.charges) == 2
        past = TurnStepper.attach(graph, "t")
        for step in past.timeline:
            past.jump(step.number)
            assert past.state
        assert len(model.requests) == len(attempt_states()) == 2
        past.jump(
            next(
                step.number
                for step in past.timeline
                if step.nodes and step.nodes[0].endswith("call_llm")
            )
        )
        fork = past.fork("again")
        fork.step()
        fork.step()
        assert len(model.requests) == 3
        assert attempt_states() == ["settled"] * 3
        assert ledger.verify() == []
        past.close()


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in a parent"])
def test_a_stored_turn_is_edited_in_a_fork(model: ScriptedModel, saver: Any, inside: bool) -> None:
    """A tool's arguments, its result, the request: what follows is sent anew, in a new lineage."""
    turn = turn_on(model, tools=[weather], checkpointer=None if inside else saver)
    graph = graph_around(turn, saver) if inside else turn
    graph.invoke(ask("Both?"), THREAD)
    past = TurnStepper.attach(graph, "t")
    at = {
        step.nodes[0].rpartition("/")[2]: step.number
        for step in reversed(past.timeline)
        if step.nodes
    }
    past.jump(at["dispatch_tools"])
    paris = past.fork("paris")
    first = paris.now.pending[0]
    assert first.call is not None
    paris.edit(tool=first.call.id, arguments={"city": "Paris"})
    paris.run()
    past.jump(at["prep_second_request"])
    snow = past.fork("snow")
    snow.edit(tool="weather", result="Rome: snow")
    snow.run()
    results = [
        [m["content"] for m in request.body["messages"] if m["role"] == "tool"]
        for request in model.requests[2:]
    ]
    assert results == [["Paris: rain", "Rome: rain"], ["Oslo: rain", "Rome: snow"]]
    past.jump(at["call_llm"])
    cold = past.fork("cold")
    cold.edit(request={"temperature": 0.0})
    cold.step()
    assert model.requests[-1].body["temperature"] == 0.0
    assert [step.label for step in past.forks["paris"].timeline if step.label][:1] == ["fork paris"]
    attempts = [
        attempt.id
        for line in past.forks.values()
        for step in line.timeline
        for attempt in step.attempts
    ]
    assert len(set(attempts)) == 5
    past.close()


async def test_a_saver_of_this_event_loop_is_read_from_another_thread(
    model: ScriptedModel, tmp_path: Path
) -> None:
    """In a notebook the checkpointer's loop is the one that runs the cell; waiting for it there
    would never end.
    """
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "threads.db")) as saver:
        turn = turn_on(model, tools=[weather], checkpointer=saver)
        await turn.ainvoke(ask("Both?"), THREAD)
        ways: list[Callable[[], TurnStepper]] = [
            lambda: TurnStepper.attach(turn, "t"),
            lambda: TurnStepper(turn, ask("And now?"), "t"),
        ]
        for opened in ways:
            with pytest.raises(TurnInvocationError, match=r"asyncio\.to_thread"):
                opened()
            with await asyncio.to_thread(opened) as stepper:
                assert stepper.state["messages"][0].text == "Both?"
                await stepper.arun()
                stepper.back()
                fork = await stepper.afork("again")
                await fork.arun()
                assert fork.now.finished
