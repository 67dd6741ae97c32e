"""What a turn stores in its thread, and what a process that goes on with the thread reads again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver

from tests.turns import ask, result_of, turn_on
from turngraph.graphs import TurnGraph
from turngraph.graphs.serializers import TurnSerializer
from turngraph.scripted import ScriptedModel
from turngraph.state.stored import Stored

THREAD: Any = {"configurable": {"thread_id": "t"}}


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as model:
        yield model


def calculating(model: ScriptedModel, saver: Any, **options: Any) -> TurnGraph:
    """A turn whose model calls one tool."""
    return turn_on(model, functions=["calculator"], checkpointer=saver, **options)


def size_of(saver: SqliteSaver) -> int:
    """The bytes of all checkpoints, their metadata and writes."""
    [size] = saver.conn.execute(
        "SELECT (SELECT sum(length(checkpoint) + length(metadata)) FROM checkpoints)"
        " + (SELECT coalesce(sum(length(value)), 0) FROM writes)"
    ).fetchone()
    return int(size)


@pytest.mark.parametrize(("steps", "most"), [("one", 10_000), ("each", 48_000)])
def test_a_turn_stores_as_much_in_a_long_thread_as_in_a_short_one(
    steps: str, most: int, model: ScriptedModel
) -> None:
    """What was sent is stored about once, and the conversation only as it grows."""
    with SqliteSaver.from_conn_string(":memory:") as saver:
        turn, sizes = calculating(model, saver, steps=steps), [0]
        for n in range(40):
            turn.invoke(ask(f"What is {n} * 2?"), THREAD)
            sizes.append(size_of(saver))
    early, late = (sizes[20] - sizes[10]) / 10, (sizes[40] - sizes[30]) / 10
    assert early < most
    assert late < most


def test_what_was_sent_is_stored_once_however_long_it_is(model: ScriptedModel) -> None:
    """It stands in the request, in each attempt and in the result."""
    sizes = []
    for system in ("Be brief.", " ".join(f"Rule {n}: {n * n % 89}." for n in range(500))):
        with SqliteSaver.from_conn_string(":memory:") as saver:
            turn = calculating(model, saver, steps="one", system=system)
            out = turn.invoke(ask("What is 6 * 2?"), THREAD)
            assert len(result_of(dict(out)).attempts) == 2
            assert turn.get_state(THREAD).values["result"] == result_of(dict(out))
            sizes.append(size_of(saver))
    assert sizes[1] - sizes[0] < 2 * len(system)


def test_a_thread_is_decoded_once_in_a_process(model: ScriptedModel, tmp_path: Path) -> None:
    """A turn that goes on with it pays for what is new. An edit, a fork and another worker's turn
    are other bytes, and seen.
    """
    path = str(tmp_path / "t.db")
    with SqliteSaver.from_conn_string(path) as mine, SqliteSaver.from_conn_string(path) as other:
        turn, elsewhere = calculating(model, mine), calculating(model, other)
        for n in range(8):
            turn.invoke(ask(f"What is {n} * 2?"), THREAD)
        first = turn.get_state(THREAD).values["messages"]
        second = elsewhere.get_state(THREAD).values["messages"]
        assert sum(one is another for one, another in zip(first, second, strict=True)) == 32
        text, first[3].content = first[3].content, "edited in place"
        assert turn.get_state(THREAD).values["messages"][3].content == text
        elsewhere.invoke(ask("What is 9 * 2?"), THREAD)
        assert len(turn.get_state(THREAD).values["messages"]) == 36
        edited = HumanMessage("What was it?", id=first[0].id)
        turn.update_state(THREAD, {"messages": [edited]})
        assert elsewhere.get_state(THREAD).values["messages"][0].text == "What was it?"
        past = next(
            each
            for each in turn.get_state_history(THREAD)
            if len(each.values["messages"]) == 20 and not each.next
        )
        fork = turn.update_state(past.config, {"messages": [("user", "Elsewhere?")]})
        assert [m.text for m in turn.get_state(fork).values["messages"]][19:] == [
            past.values["messages"][-1].text,
            "Elsewhere?",
        ]


def test_a_plain_checkpointer_can_read_what_is_stored(model: ScriptedModel) -> None:
    """LangGraph's own serializer gives a `Stored`, which can be decoded."""
    saver = InMemorySaver()
    turn = calculating(model, saver, steps="one")
    out = turn.invoke(ask("What is 6 * 2?"), THREAD)
    saver.serde = JsonPlusSerializer(allowed_msgpack_modules=[Stored])
    stored = saver.get_tuple(THREAD)
    assert stored is not None
    form = stored.checkpoint["channel_values"]["result"].value
    assert isinstance(form, Stored)
    assert form.value == out["result"]


def test_the_serializer_brings_every_value_back(model: ScriptedModel) -> None:
    """As a write, as a full copy and inside a checkpoint."""
    turn = calculating(model, InMemorySaver())
    turn.invoke(ask("What is 6 * 2?"), THREAD)
    serializer = TurnSerializer()
    for name, value in turn.get_state(THREAD).values.items():
        assert serializer.loads_typed(serializer.dumps_typed(value)) == value, name
