"""`python -m benchmarks.stepping`: what a stepper costs on a thread of 5000 messages and a turn of
50 steps, in CPU.
"""

import gc
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from cyclopts import App
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite import SqliteSaver
from rich.console import Console
from rich.table import Table

from turngraph.graphs import TurnGraph, chat_turn
from turngraph.interfaces.stepper import TurnStepper
from turngraph.interfaces.stepper.views.widget_controller import WidgetController
from turngraph.providers.config import ProviderConfig
from turngraph.providers.openai_provider import OpenAIProvider
from turngraph.scripted import Call, Say, ScriptedModel

ROUNDS: Final = 12
"""Of two tools each, and an answer: 52 steps."""
THREAD: Final[Any] = {"configurable": {"thread_id": "t"}}

app = App(name="stepping", help=__doc__)


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: rain"


def conversation(messages: int) -> list[BaseMessage]:
    """A thread as long as `messages`, a question last."""
    said = [
        (HumanMessage if n % 2 == 0 else AIMessage)(f"message {n} " + "x" * 90, id=str(n))
        for n in range(messages)
    ]
    return [*said, HumanMessage("Q", id="q")]


@contextmanager
def long_turn() -> Iterator[TurnGraph]:
    """A turn of 52 steps, its threads kept in a file, on the scripted model."""
    rounds = [Call(("weather", {"city": "Oslo"}), ("weather", {"city": "Rome"}))] * ROUNDS
    with (
        tempfile.TemporaryDirectory() as folder,
        SqliteSaver.from_conn_string(str(Path(folder) / "threads.db")) as saver,
        ScriptedModel([*rounds, Say("Rain."), Say("Hello."), *rounds, Say("Rain.")]) as model,
    ):
        config = ProviderConfig(
            vendor="openai", model="gpt-4o-mini", base_url=model.base_url, api_key="scripted"
        )
        yield chat_turn(OpenAIProvider(config), tools=[weather], checkpointer=saver)


@app.default
def main(*, messages: int = 5000, rounds: int = 7) -> None:
    """Measure and show.

    Parameters
    ----------
    messages
        Length of the thread.
    rounds
        Measurements of each.
    """
    rows: dict[str, list[float]] = {}
    with long_turn() as turn:
        given = {"messages": conversation(messages)}
        rows["open, the conversation given"] = _cpu(
            lambda: TurnStepper(turn, given).close(), rounds
        )
        with TurnStepper(turn, given) as stepper:
            rows |= _steps(stepper)
            rows |= _looks(stepper, rounds)
            rows |= _saved(stepper, rounds)
        with TurnStepper(turn, given) as stepper:
            rows |= _widget(stepper)
        turn.invoke(given, THREAD)
        turn.invoke({"messages": [("user", "And now?")]}, THREAD)
        rows["open a stored thread, a new question"] = _cpu(
            lambda: TurnStepper(turn, {"messages": [("user", "?")]}, "t").close(), rounds
        )
        rows["attach to its last turn"] = _cpu(
            lambda: TurnStepper.attach(turn, "t").close(), rounds
        )
        rows["attach, go back, see its state"] = _cpu(lambda: _attach_and_look(turn), rounds)
        # As `turngraph studio` and `turngraph step` do once their graph is loaded: a full
        # collection of garbage then does not look at every object of every import.
        gc.collect()
        gc.freeze()
        rows["the same, in studio and terminal"] = _cpu(lambda: _attach_and_look(turn), rounds)
        with TurnStepper.attach(turn, "t") as past:
            rows |= {f"past: {what}": spent for what, spent in _looks(past, rounds).items()}
    _show(rows, f"{messages} messages, {ROUNDS * 4 + 4} steps: CPU of this process, ms")


def _cpu(work: Callable[[], object], rounds: int) -> list[float]:
    spent = []
    for _ in range(rounds):
        before = time.process_time()
        work()
        spent.append((time.process_time() - before) * 1000)
    return spent


def _steps(stepper: TurnStepper) -> dict[str, list[float]]:
    """A whole turn, step by step."""
    rows: dict[str, list[float]] = {}
    while not stepper.now.finished:
        rows.setdefault(f"step: {stepper.now.nodes[0]}", []).extend(_cpu(stepper.step, 1))
    return rows


def _looks(stepper: TurnStepper, rounds: int) -> dict[str, list[float]]:
    """Back by one at a time, to the beginning; every state looked at for the first time."""
    spent: dict[str, list[float]] = {
        "back, and the state": [],
        "the request": [],
        "what differs": [],
    }
    while stepper.now.number:
        spent["back, and the state"] += _cpu(lambda: (stepper.back(), stepper.state), 1)
    for _ in range(rounds):
        stepper.run_until("call_llm")
        spent["the request"] += _cpu(lambda: stepper.request, 1)
        spent["what differs"] += _cpu(lambda: stepper.diff(stepper.now.number - 1), 1)
    return spent


def _widget(stepper: TurnStepper) -> dict[str, list[float]]:
    """Every move as a button of the widget makes it, with the view that the browser is sent."""
    rows: dict[str, list[float]] = {}
    controller = WidgetController(stepper, lambda: None)

    def press(action: str, name: str, **message: object) -> None:
        move = {"action": action, **message}
        rows.setdefault(f"widget: {name}", []).extend(_cpu(lambda: draw(move), 1))

    def draw(message: Mapping[str, object]) -> None:
        controller.act(message)
        json.dumps(controller.view())

    press("step", "step")
    assert stepper.request is not None, "the first stage prepares a request"
    # The body that is pending already would be refused.
    body = json.dumps({**stepper.request.body, "seed": 7})
    press("edit_request", "edit the request", body=body)
    while not stepper.now.finished:
        press("step", f"step {stepper.now.nodes[0]}")
    for action in ("back", "undo", "redo", "jump", "fork", "retry", "undo"):
        press(action, action, step=3)
    return rows


def _saved(stepper: TurnStepper, rounds: int) -> dict[str, list[float]]:
    """A walk of 52 steps, saved and opened."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "walk.json"
        saved = _cpu(lambda: stepper.save(file), rounds)
        opened = _cpu(lambda: TurnStepper.open(file, stepper.graph).close(), rounds)
        print(f"a saved walk: {file.stat().st_size / 1e6:.1f} MB")
    return {"save the walk": saved, "open a saved walk": opened}


def _attach_and_look(turn: TurnGraph) -> None:
    with TurnStepper.attach(turn, "t") as past:
        past.back()
        assert past.state["messages"]


def _show(rows: dict[str, list[float]], title: str) -> None:
    table = Table("what", "best", "median", "worst", "n", title=title)
    for what, spent in rows.items():
        figures = (min(spent), statistics.median(spent), max(spent))
        table.add_row(what, *(f"{figure:.0f}" for figure in figures), str(len(spent)))
    Console().print(table)


if __name__ == "__main__":
    app()
