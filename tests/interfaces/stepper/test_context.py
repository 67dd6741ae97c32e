"""A graph's context, as its nodes read it from `runtime.context`, on every line of a walk."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime

from turngraph import TurnValueError
from turngraph.interfaces.stepper import TurnStepper


@dataclass
class Person:
    """Whom the graph serves."""

    name: str
    times: int = 1


class Greeting(TypedDict, total=False):
    """What the graph says."""

    text: str


def greet(state: Greeting, runtime: Runtime[Person]) -> Greeting:
    """Reads the context."""
    return {"text": f"Hello, {runtime.context.name}!" * runtime.context.times}


def greeter() -> Any:
    """A graph that reads its context in a subgraph."""
    inner = StateGraph(Greeting, Person).add_node("greet", greet).add_edge(START, "greet").compile()
    return StateGraph(Greeting, Person).add_node("in", inner).add_edge(START, "in").compile()


def test_every_line_has_the_context(tmp_path: Path) -> None:
    """Forks, and a graph that was loaded again; a saved walk is given it anew."""
    with TurnStepper(greeter(), {}, context={"name": "Ada"}) as stepper:
        stepper.step()
        stepper.save(tmp_path / "walk.json")
        assert "Ada" not in (tmp_path / "walk.json").read_text()
        fork = stepper.fork()
        fork.run()
        stepper.reload(greeter())
        stepper.run()
        assert stepper.state == fork.state == {"text": "Hello, Ada!"}
    with TurnStepper.open(tmp_path / "walk.json", greeter(), context=Person("Bob", 2)) as opened:
        opened.run()
        assert opened.state == {"text": "Hello, Bob!Hello, Bob!"}


@pytest.mark.parametrize(
    ("context", "sentence"),
    [
        ({}, "`name`: Field required"),
        ({"name": "x", "times": "y"}, "`times`: Input should be"),
        ({"name": "x", "self": 1}, "has no field `self`. It has: `name`, `times`"),
    ],
)
def test_a_context_that_does_not_fit_is_refused(context: dict[str, Any], sentence: str) -> None:
    """By the name of its field, before anything runs."""
    with pytest.raises(TurnValueError, match=sentence):
        TurnStepper(greeter(), {}, context=context)
