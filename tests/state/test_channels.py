"""How much of a growing list is stored, and that all of it can be read again."""

import sqlite3
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, StateGraph

from turngraph.state.channels import GrowingList
from turngraph.state.turn import append_all

MARK = "a large value"


class Growing(TypedDict, total=False):
    items: Annotated[list[str], GrowingList(append_all, snapshot_frequency=8)]
    question: str


@pytest.fixture
def saver() -> Any:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    yield SqliteSaver(connection)
    connection.close()


THREAD: Any = {"configurable": {"thread_id": "t"}}


def test_a_long_list_is_copied_now_and_then_and_read_whole(saver: SqliteSaver) -> None:
    """Both what is stored and how far one must walk back to read it grow with what is added, not
    with the list.
    """
    graph = StateGraph(Growing)
    graph.add_node("add", lambda state: {"items": [f"{MARK} {len(state['items'])}"]})
    graph.add_edge(START, "add")
    turn = graph.compile(saver)
    for _ in range(200):
        turn.invoke({"question": "more"}, THREAD)
    items = turn.get_state(THREAD).values["items"]
    assert items == [f"{MARK} {n}" for n in range(200)]
    blobs = [
        row[0]
        for row in saver.conn.execute("SELECT checkpoint FROM checkpoints ORDER BY checkpoint_id")
    ]
    copied = [blob.count(MARK.encode()) for blob in blobs]
    assert sum(copied) <= 9 * len(items)
    last = max(n for n, count in enumerate(copied) if count)
    assert len(copied) - last <= 3 * (len(items) // 8 + 1)
