"""What a turn leaves behind in memory."""

import gc
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.tools import tool

from tests.turns import Run, ask, both_ways, streamed_or_not, turn_on
from turngraph.scripted import Call, Fail, Say, ScriptedModel


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: rain"


@pytest.fixture
def garbage() -> Iterator[list[Any]]:
    """What only the garbage collector can free, since the fixture began."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@both_ways
@streamed_or_not
@pytest.mark.parametrize("steps", ["one", "each"])
def test_a_turn_that_is_over_is_freed_at_once(
    run: Run, stream: bool, steps: str, garbage: list[Any]
) -> None:
    """Objects that refer to each other in a ring wait for the garbage collector. With many turns at
    once that is a good part of what they cost.
    """
    with ScriptedModel([Call(("weather", {"city": "Oslo"})), Fail(503), Say("Rain.")]) as model:
        turn = turn_on(model, tools=[weather], stream=stream, steps=steps)
        run(turn, ask("The weather in Oslo?"))
        gc.collect()
    names = (f"{type(one).__module__}.{type(one).__qualname__}" for one in garbage)
    left = Counter(name for name in names if name.startswith("turngraph."))
    assert not {name for name in left if ".scripted." not in name}
