"""Threads that an earlier version has stored can be read, continued and resumed.

`tests/recordings/threads.db.gz` is the SQLite file of a version that wrote every value of a turn
into every checkpoint, uncompressed. Its threads, each begun with "What is 6 * 2?":

    staged       two turns, one step a stage
    fused        two turns, in one step each
    first stage  stopped before its first stage
    second turn  one turn, and a second one stopped before its first stage
    half way     stopped between `call_llm` and `bill`
    approval     waiting for a person to approve the tool call
"""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command

from tests.turns import ask, result_of
from turngraph import ProviderConfig, TurnStepper, chat_turn
from turngraph.graphs import TurnGraph
from turngraph.scripted import ScriptedModel
from turngraph.state.result import TurnResult

RECORDING = Path(__file__).parents[1] / "recordings" / "threads.db.gz"
THREADS = {
    "staged": (8, ()),
    "fused": (8, ()),
    "first stage": (1, ("prep_first_request",)),
    "second turn": (5, ("prep_first_request",)),
    "half way": (2, ("bill",)),
    "approval": (2, ("dispatch_tools",)),
}
"""How many messages each thread has, and what follows in it."""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A copy of the recorded file."""
    path = tmp_path / "threads.db"
    path.write_bytes(gzip.decompress(RECORDING.read_bytes()))
    return path


@pytest.fixture
def saver(database: Path) -> Iterator[SqliteSaver]:
    with SqliteSaver.from_conn_string(str(database)) as saver:
        yield saver


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as model:
        yield model


def turn_on(model: ScriptedModel, saver: Any, **options: Any) -> TurnGraph:
    """The turn that wrote the threads."""
    config = ProviderConfig(model="m", base_url=model.base_url)
    return chat_turn(config, functions=["calculator"], checkpointer=saver, **options)


def thread(name: str) -> Any:
    """The configuration of a thread."""
    return {"configurable": {"thread_id": name}}


@pytest.mark.parametrize("name", THREADS)
def test_an_old_thread_is_read(name: str, model: ScriptedModel, saver: SqliteSaver) -> None:
    """All that it held: the conversation, what follows, and every earlier state."""
    turn = turn_on(model, saver)
    state = turn.get_state(thread(name))
    assert (len(state.values["messages"]), state.next) == THREADS[name]
    if name in ("staged", "fused"):
        result = state.values["result"]
        assert isinstance(result, TurnResult)
        assert result.tool_runs[0].content == "14"
        assert state.values["charges"] == list(result.charges)
        assert state.values["request"] == result.requests[-1]
    history = list(turn.get_state_history(thread(name)))
    assert [len(each.values.get("messages", ())) for each in history] == sorted(
        (len(each.values.get("messages", ())) for each in history), reverse=True
    )


@pytest.mark.parametrize("steps", ["each", "one"])
@pytest.mark.parametrize("name", ["staged", "fused", "first stage", "second turn"])
def test_an_old_thread_goes_on(
    name: str, steps: str, model: ScriptedModel, saver: SqliteSaver
) -> None:
    """With a new turn, whichever way it is run. What stood there before is not lost."""
    turn = turn_on(model, saver, steps=steps)
    before = turn.get_state(thread(name)).values["messages"]
    out = turn.invoke(ask("What is 8 * 2?"), thread(name))
    assert result_of(dict(out)).tool_runs[0].content == "16"
    assert out["messages"][: len(before)] == before
    again = turn_on(model, saver).get_state(thread(name)).values
    assert again["messages"] == out["messages"]
    assert again["result"] == out["result"]


@pytest.mark.parametrize("name", ["first stage", "second turn", "half way", "approval"])
def test_an_old_unfinished_turn_is_finished(
    name: str, model: ScriptedModel, saver: SqliteSaver
) -> None:
    """From where it stood; the model is not asked again for what it has answered."""
    turn = turn_on(model, saver, approve=name == "approval")
    resume: Any = Command(resume={"decision": "approve"}) if name == "approval" else None
    out = turn.invoke(resume, thread(name))
    assert result_of(dict(out)).status == "completed"
    assert len(model.requests) == (1 if name in ("half way", "approval") else 2)
    assert len(result_of(dict(out)).attempts) == 2


async def test_an_old_thread_goes_on_in_the_async_checkpointer(
    database: Path, model: ScriptedModel
) -> None:
    """It reads the same file by code of its own."""
    async with AsyncSqliteSaver.from_conn_string(str(database)) as saver:
        turn = turn_on(model, saver)
        out = await turn.ainvoke(ask("What is 8 * 2?"), thread("staged"))
    assert len(out["messages"]) == 12


def test_an_old_turn_is_walked(model: ScriptedModel, saver: SqliteSaver) -> None:
    """The stepper reads checkpoints itself."""
    stepper = TurnStepper.attach(turn_on(model, saver), "staged", turn=0)
    assert stepper.state["result"].tool_runs[0].content == "12"
    assert len(stepper.timeline) > 8
    stepper.close()
