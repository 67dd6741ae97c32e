"""A long thread is walked quickly. What is counted are calls of functions: they are the same on a
busy machine.

`python -m benchmarks.stepping` measures the time: on 5000 messages a few tens of milliseconds for
each of these.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver

from tests.turns import turn_on
from turngraph.interfaces.stepper import TurnStepper
from turngraph.scripted import Call, Say, ScriptedModel

ROUNDS = 12
SHORT, LONG = 500, 2000
A_LOOK, A_READING = 12, 50
"""Calls for each message: to put it into a list, to look at its type; to check it or to write its
JSON.
"""


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: rain"


def conversation(messages: int) -> list[BaseMessage]:
    """A thread as long as `messages`, a question last."""
    said = [
        (HumanMessage if n % 2 == 0 else AIMessage)(f"message {n}", id=str(n))
        for n in range(messages - 1)
    ]
    return [*said, HumanMessage("Q", id="q")]


class Counted:
    """Counts the calls of functions in this thread and in those that it starts."""

    def __init__(self) -> None:
        self.calls = 0

    def _called(self, frame: Any, event: str, arg: Any) -> None:
        self.calls += event in ("call", "c_call")

    def of(self, work: Callable[[], object]) -> int:
        """How many calls `work` makes."""
        before, self.calls = sys.getprofile(), 0
        sys.setprofile(self._called)
        threading.setprofile(self._called)
        try:
            work()
        finally:
            sys.setprofile(before)
            threading.setprofile(None)
        return self.calls


class Reading(JsonPlusSerializer):
    """Counts what is decoded."""

    decoded = 0

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """As it is, counted."""
        self.decoded += len(data[1])
        return super().loads_typed(data)


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    """Two tools, a dozen times, then an answer: 52 steps."""
    rounds = [Call(("weather", {"city": "Oslo"}), ("weather", {"city": "Rome"}))] * ROUNDS
    with ScriptedModel([Say("Hello."), *rounds, Say("Rain."), *rounds, Say("Rain.")]) as scripted:
        yield scripted


def test_each_move_of_a_long_walk_costs_little_for_a_message(model: ScriptedModel) -> None:
    """Opening, every stage, going back, seeing the state, a fork: none decodes or rebuilds the
    conversation.
    """
    costs: dict[str, list[int]] = {}
    turn = turn_on(model, tools=[weather])
    for messages in (SHORT, LONG):
        given, count = {"messages": conversation(messages)}, Counted()
        with TurnStepper(turn, given) as warm:
            warm.run()
        stepper: list[TurnStepper] = []
        spent = {"open": count.of(lambda: stepper.append(TurnStepper(turn, given)))}  # noqa: B023
        walk = stepper[0]
        for _ in range(6):
            spent.setdefault(f"step {walk.now.nodes[0]}", count.of(walk.step))
        spent["back"] = count.of(lambda: walk.back(2))  # noqa: B023
        spent["state"] = count.of(lambda: walk.state)  # noqa: B023
        spent["fork"] = count.of(lambda: walk.fork("other"))  # noqa: B023
        for name, calls in spent.items():
            costs.setdefault(name, []).append(calls)
        walk.close()
    print({name: [round(calls) for calls in both] for name, both in costs.items()})
    for name, (short, long) in costs.items():
        limit = A_READING if name in ("open", "step call_llm") else A_LOOK
        assert long - short < limit * (LONG - SHORT), name


def test_a_stored_turn_is_walked_without_decoding_its_conversation_at_each_step(
    model: ScriptedModel, tmp_path: Path
) -> None:
    """The conversation is decoded once, when the first state is looked at, and shared by all that
    follow.
    """
    with SqliteSaver.from_conn_string(str(tmp_path / "threads.db")) as sqlite:
        reading = Reading(allowed_msgpack_modules=None)
        sqlite.serde = reading
        turn = turn_on(model, tools=[weather], checkpointer=sqlite)
        config: Any = {"configurable": {"thread_id": "t"}}
        turn.invoke({"messages": conversation(LONG)}, config)
        turn.invoke({"messages": [("user", "And now?")]}, config)
        size = len(reading.dumps_typed(turn.get_state(config).values["messages"])[1])
        reading.decoded = 0
        with TurnStepper.attach(turn, "t") as past:
            assert len(past.timeline) > 50
            opened = reading.decoded
            assert opened < size, "to attach, the conversation is not read"
            for step in past.timeline:
                assert len(past.state_at(step)["messages"]) > LONG
            assert reading.decoded - opened < 2 * size, "to see 50 states, it is read once"
