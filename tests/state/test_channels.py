"""What is stored of a value that is written once, and of a list that grows, and that all of it can be read again."""

import sqlite3
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Overwrite

from turngraph.state.channels import GrowingList, StoredOnce
from turngraph.state.turn import append_all

MARK = "a large value"


class Plain(TypedDict, total=False):
    large: str
    step: int


class Once(TypedDict, total=False):
    large: Annotated[str, StoredOnce()]
    step: int


class Growing(TypedDict, total=False):
    items: Annotated[list[str], GrowingList(append_all, snapshot_frequency=8)]
    asked: str


def five_steps(schema: type[Any], saver: SqliteSaver) -> Any:
    """Five nodes, of which the second writes the large value."""
    graph = StateGraph(schema)
    names = [f"node{n}" for n in range(5)]
    for n, name in enumerate(names):
        graph.add_node(name, lambda state, n=n: {"step": n, **({"large": MARK} if n == 1 else {})})
    for before, after in zip([START, *names], [*names, END], strict=True):
        graph.add_edge(before, after)
    return graph.compile(saver)


@pytest.fixture
def saver() -> Any:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    yield SqliteSaver(connection)
    connection.close()


def rows_with(saver: SqliteSaver, table: str, column: str) -> int:
    rows = saver.conn.execute(f"SELECT {column} FROM {table}").fetchall()
    return sum(MARK.encode() in row[0] for row in rows)


THREAD: Any = {"configurable": {"thread_id": "t"}}


def test_a_value_is_stored_at_the_step_that_wrote_it_and_no_other(saver: SqliteSaver) -> None:
    """Ten checkpoints a turn would else hold ten copies of its request."""
    five_steps(Once, saver).invoke({"step": -1}, THREAD, durability="sync")
    assert rows_with(saver, "checkpoints", "checkpoint") == 1
    assert rows_with(saver, "writes", "value") == 1


def test_every_step_reads_the_value_it_had(saver: SqliteSaver) -> None:
    """Where a value is stored is nobody's business who reads a thread, its past, or a fork of it."""
    histories = []
    for schema, name in ((Plain, "plain"), (Once, "once")):
        graph, thread = five_steps(schema, saver), {"configurable": {"thread_id": name}}
        graph.invoke({"step": -1}, thread, durability="sync")
        before = next(state for state in graph.get_state_history(thread) if state.next == ("node3",))
        forked = graph.update_state(before.config, {"large": "another"})
        graph.invoke(None, forked)
        histories.append([(state.next, state.values) for state in graph.get_state_history(thread)])
    assert histories[0] == histories[1]
    assert histories[1][0][1]["large"] == "another"


def test_a_value_that_was_never_written_is_absent(saver: SqliteSaver) -> None:
    """LangGraph would make an empty one of its type, which a model with required fields does not allow."""
    graph = five_steps(Once, saver)
    first = next(graph.stream({"step": -1}, THREAD, stream_mode="values"))
    assert "large" not in first


def test_a_value_is_replaced_by_what_is_written_next(saver: SqliteSaver) -> None:
    """Also by `None`, and by an Overwrite."""
    channel = StoredOnce(typ=str)
    for written, kept in ((["one"], "one"), (["two"], "two"), ([None], None), ([Overwrite("three")], "three")):
        assert channel.update(written)
        assert channel.get() == kept
    assert not channel.update([])


def test_a_long_list_is_copied_now_and_then_and_read_whole(saver: SqliteSaver) -> None:
    """Both what is stored and how far one must walk back to read it grow with what is added, not with the list."""
    graph = StateGraph(Growing)
    graph.add_node("add", lambda state: {"items": [f"{MARK} {len(state['items'])}"]})
    graph.add_edge(START, "add")
    turn = graph.compile(saver)
    for _ in range(200):
        turn.invoke({"asked": "more"}, THREAD)
    items = turn.get_state(THREAD).values["items"]
    assert items == [f"{MARK} {n}" for n in range(200)]
    blobs = [row[0] for row in saver.conn.execute("SELECT checkpoint FROM checkpoints ORDER BY checkpoint_id")]
    copied = [blob.count(MARK.encode()) for blob in blobs]
    assert sum(copied) <= 5 * len(items)
    last = max(n for n, count in enumerate(copied) if count)
    assert len(copied) - last <= 3 * (len(items) // 4 + 1)
