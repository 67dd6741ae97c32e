"""What a turn leaves behind in memory."""

from typing import Any

import pytest
from langchain_core.tools import tool

from tests.garbage import uncollected
from tests.turns import Run, ask, both_ways, streamed_or_not, turn_on
from turngraph.scripted import Call, Fail, Say, ScriptedModel


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: rain"


@both_ways
@streamed_or_not
@pytest.mark.parametrize("steps", ["one", "each"])
def test_a_turn_that_is_over_is_freed_at_once(run: Run, stream: bool, steps: str) -> None:
    """Objects that refer to each other in a ring wait for the garbage collector. With many turns at
    once that is a good part of what they cost.
    """
    script: list[Any] = [Call(("weather", {"city": "Oslo"})), Fail(503), Say("Rain.")]
    for _ in range(3):  # a thread of another test may leave something at just this moment
        with ScriptedModel(script) as model, uncollected() as left:
            turn = turn_on(model, tools=[weather], stream=stream, steps=steps)
            run(turn, ask("The weather in Oslo?"))
        if not left:
            break
    assert not left
