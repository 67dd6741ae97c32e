"""Stepping through a long thread is fast. The tests count function calls, which are the same on a
busy machine.

`python -m benchmarks.stepping` measures the time, on 5000 messages a few tens of milliseconds each.
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
from turngraph.interfaces.stepper.views.widget_controller import WidgetController
from turngraph.scripted import Call, Say, ScriptedModel

ROUNDS = 12
SHORT, LONG = 500, 2000
CALLS_TO_LIST, CALLS_TO_READ, CALLS_TO_SHOW = 12, 50, 120
"""Function calls allowed per message: to list it and look at its type; to validate it or write its
JSON; to show everything of a step, its request once.
"""
LIMITS = {
    "open": CALLS_TO_READ,
    "step call_llm": CALLS_TO_READ,
    "view": CALLS_TO_SHOW,
    "view of two lines": 3 * CALLS_TO_SHOW,
    "view of two lines, a step later": CALLS_TO_SHOW,
}
"""By what is measured; anything else may only list the messages."""


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: rain"


def conversation(messages: int) -> list[BaseMessage]:
    """Returns a conversation of that many messages; the last one is a question."""
    earlier = [
        (HumanMessage if n % 2 == 0 else AIMessage)(f"message {n}", id=str(n))
        for n in range(messages - 1)
    ]
    return [*earlier, HumanMessage("Q", id="q")]


class CallCounter:
    """Counts function calls in this thread and in the threads that it starts."""

    def __init__(self) -> None:
        self.calls = 0

    def _count(self, frame: Any, event: str, arg: Any) -> None:
        self.calls += event in ("call", "c_call")

    def of(self, work: Callable[[], object]) -> int:
        """Returns the number of calls that `work` makes."""
        before, self.calls = sys.getprofile(), 0
        sys.setprofile(self._count)
        threading.setprofile(self._count)
        try:
            work()
        finally:
            sys.setprofile(before)
            threading.setprofile(None)
        return self.calls


class CountingSerializer(JsonPlusSerializer):
    """Counts the bytes that are decoded."""

    decoded = 0

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Decodes as usual and counts."""
        self.decoded += len(data[1])
        return super().loads_typed(data)


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    """Calls two tools a dozen times, then answers: 52 steps."""
    rounds = [Call(("weather", {"city": "Oslo"}), ("weather", {"city": "Rome"}))] * ROUNDS
    with ScriptedModel([Say("Hello."), *rounds, Say("Rain."), *rounds, Say("Rain.")]) as scripted:
        yield scripted


def test_each_move_costs_few_calls_per_message(model: ScriptedModel) -> None:
    """Opening, every stage, going back, reading the state, a fork: none of them decodes or rebuilds
    the conversation.
    """
    costs: dict[str, list[int]] = {}
    turn = turn_on(model, tools=[weather])
    for messages in (SHORT, LONG):
        given, count = {"messages": conversation(messages)}, CallCounter()
        with TurnStepper(turn, given) as warm:
            warm.run()
        opened: list[TurnStepper] = []
        spent = {"open": count.of(lambda: opened.append(TurnStepper(turn, given)))}  # noqa: B023
        stepper = opened[0]
        for _ in range(6):
            spent.setdefault(f"step {stepper.now.nodes[0]}", count.of(stepper.step))
        spent["back"] = count.of(lambda: stepper.back(2))  # noqa: B023
        spent["state"] = count.of(lambda: stepper.state)  # noqa: B023
        spent["fork"] = count.of(lambda: stepper.fork("other"))  # noqa: B023
        spent["undo"] = count.of(stepper.undo)
        controller = WidgetController(stepper, lambda: None)
        spent["view"] = count.of(controller.view)
        spent["view again"] = count.of(controller.view)
        # Both lines have sent the request: what they sent is compared once.
        stepper.run_until("call_llm")
        stepper.step()
        stepper.retry()
        assert len(stepper.forks) == 2
        spent["view of two lines"] = count.of(controller.view)
        spent["view of two lines again"] = count.of(controller.view)
        stepper.step()
        spent["view of two lines, a step later"] = count.of(controller.view)
        for name, calls in spent.items():
            costs.setdefault(name, []).append(calls)
        stepper.close()
    print({name: [round(calls) for calls in both] for name, both in costs.items()})
    for name, (short, long) in costs.items():
        limit = LIMITS.get(name, CALLS_TO_LIST)
        assert long - short < limit * (LONG - SHORT), name


def test_the_conversation_of_a_stored_turn_is_decoded_once(
    model: ScriptedModel, tmp_path: Path
) -> None:
    """It is decoded when the first state is looked at, and shared by all states that follow."""
    with SqliteSaver.from_conn_string(str(tmp_path / "threads.db")) as sqlite:
        serializer = CountingSerializer(allowed_msgpack_modules=None)
        sqlite.serde = serializer
        turn = turn_on(model, tools=[weather], checkpointer=sqlite)
        config: Any = {"configurable": {"thread_id": "t"}}
        turn.invoke({"messages": conversation(LONG)}, config)
        turn.invoke({"messages": [("user", "And now?")]}, config)
        size = len(serializer.dumps_typed(turn.get_state(config).values["messages"])[1])
        serializer.decoded = 0
        with TurnStepper.attach(turn, "t") as past:
            assert len(past.timeline) > 50
            decoded_to_attach = serializer.decoded
            assert decoded_to_attach < size, "attaching does not read the conversation"
            for step in past.timeline:
                assert len(past.state_at(step)["messages"]) > LONG
            assert serializer.decoded - decoded_to_attach < 2 * size, (
                "to see 50 states, the conversation is read once"
            )
