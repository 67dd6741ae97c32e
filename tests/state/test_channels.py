"""How much of a growing list is stored, and that all of it can be read again."""

import sqlite3
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.errors import InvalidUpdateError
from langgraph.graph import START, StateGraph

from turngraph.state.channels import GrowingList, LatestValue
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


class Replacing(TypedDict, total=False):
    large: Annotated[dict[str, str], LatestValue()]
    listed: Annotated[list[str], LatestValue()]
    question: str


def replacing_on(saver: Any) -> Any:
    """A graph whose first node writes the large value, and two more that do not."""
    graph = StateGraph(Replacing)
    graph.add_node("write", lambda state: {"large": {"text": f"{MARK}: {state['question']}"}})
    graph.add_node("think", lambda state: {})
    graph.add_node("end", lambda state: {"question": state["large"]["text"]})
    graph.add_edge(START, "write")
    graph.add_edge("write", "think")
    graph.add_edge("think", "end")
    return graph.compile(saver)


def test_a_large_value_stands_in_the_checkpoint_that_wrote_it(saver: SqliteSaver) -> None:
    """And is read everywhere: at the end, at every earlier step, and after an edit."""
    graph = replacing_on(saver)
    for question in ("one", "two"):
        assert graph.invoke({"question": question}, THREAD)["large"]["text"].endswith(question)
    rows = saver.conn.execute("SELECT checkpoint FROM checkpoints ORDER BY checkpoint_id")
    held = [b"large value" in row[0] and b'"large"' not in row[0] for row in rows]
    assert len(held) == 10
    history = list(graph.get_state_history(THREAD))
    texts = [each.values["large"] and each.values["large"]["text"][-3:] for each in history]
    assert texts == ["two", "two", "two", "one", "one", "one", "one", "one", None, None]
    graph.update_state(THREAD, {"large": {"text": "edited"}})
    assert graph.get_state(THREAD).values["large"] == {"text": "edited"}


def test_a_large_value_that_was_never_written_is_empty(saver: SqliteSaver) -> None:
    """Also in a thread whose first task died after it wrote: LangGraph then stores a copy of the
    value that nobody has read.
    """
    graph = replacing_on(saver)
    graph.invoke({"question": "one"}, THREAD, interrupt_before=["write"])
    assert graph.get_state(THREAD).values["large"] is None
    assert graph.get_state(THREAD).values["listed"] == []
    config = graph.get_state(THREAD).config
    saver.put_writes(config, [("large", {"text": "unread"})], "a dead task")
    assert graph.invoke({"question": "two"}, THREAD)["large"] == {"text": f"{MARK}: two"}


def test_two_tasks_may_not_write_a_large_value(saver: SqliteSaver) -> None:
    """Nobody could say which one counts."""
    graph = StateGraph(Replacing)
    for name in ("one", "other"):
        graph.add_node(name, lambda state: {"large": {}})
        graph.add_edge(START, name)
    with pytest.raises(InvalidUpdateError, match="2 tasks"):
        graph.compile(saver).invoke({"question": "x"}, THREAD)


@pytest.mark.parametrize(("typ", "empty"), [(int | None, None), (list, [])])
def test_none_in_a_checkpoint_is_no_value(typ: Any, empty: Any) -> None:
    """Threads of earlier versions have it, and newer LangGraphs make an empty value of it."""
    assert LatestValue(typ=typ).from_checkpoint(None).get() == empty
