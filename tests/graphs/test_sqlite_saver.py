"""A turn's own savers on SQLite do what LangGraph's do, in fewer transactions, and in one call into
the thread in which an aiosqlite connection lives.
"""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from langchain_core.tools import tool
from langgraph._internal._constants import PULL, PUSH
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.pregel._algo import task_path_str
from langgraph.types import Command, interrupt

from tests.turns import ask, turn_on
from turngraph.graphs import TurnGraph, run_writes, serializers, with_strict_serde
from turngraph.graphs.readable_savers import readable
from turngraph.scripted import Call, Say, ScriptedModel
from turngraph.state.result import TurnResult
from turngraph.state.stored import stored_form

THREAD: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}


@asynccontextmanager
async def counted(path: Path) -> AsyncIterator[tuple[AsyncSqliteSaver, list[object]]]:
    """A saver whose tables are made, and the calls into its connection's thread since."""
    async with aiosqlite.connect(path) as conn:
        saver, calls = AsyncSqliteSaver(conn), list[object]()
        await saver.setup()
        execute = conn._execute

        async def noted(function: Callable[..., Any], *args: Any) -> Any:
            calls.append(function)
            return await execute(function, *args)  # type: ignore[no-untyped-call]

        vars(conn)["_execute"] = noted
        yield saver, calls


async def test_each_operation_is_one_call_into_the_thread(tmp_path: Path) -> None:
    """A test fails here when aiosqlite no longer lets a function run in its thread."""
    async with counted(tmp_path / "t.db") as (saver, calls):
        own, checkpoint = readable(saver), empty_checkpoint()
        history = own.aget_delta_channel_history
        at: Any = await own.aput(THREAD, checkpoint, {"step": 0}, {})
        await own.aput_writes(at, [("messages", ["Hi"])], "task")
        later: Any = await own.aput(at, {**checkpoint, "id": "~"}, {"step": 1}, {})
        assert len(calls) == 3
        reads: list[Callable[[], Awaitable[Any]]] = [
            lambda: own.aget_tuple(THREAD),
            lambda: history(config=later, channels=["messages"]),
        ]
        for read in reads:
            calls.clear()
            await read()
            assert len(calls) == 1
        assert await own.aget_tuple(at) == await saver.aget_tuple(at)
        assert await history(config=later, channels=["messages"]) == (
            await saver.aget_delta_channel_history(config=later, channels=["messages"])
        )


async def test_a_thread_is_shared_with_a_saver_of_langgraph(tmp_path: Path) -> None:
    """On one connection, at the same time, and whatever the saver was copied for."""
    async with counted(tmp_path / "t.db") as (saver, _):
        with ScriptedModel() as model:
            turn = turn_on(model, checkpointer=saver)
            await turn.ainvoke(ask("1"), THREAD)
            listed = [each async for each in saver.alist(THREAD)]
            again = turn_on(model, checkpointer=saver)
            assert len((await again.ainvoke(ask("2"), THREAD))["messages"]) == 4
        assert len(listed) < len([each async for each in saver.alist(THREAD)])
        await saver.adelete_thread("t")
        assert await readable(saver).aget_tuple(THREAD) is None


async def test_an_error_of_the_database_is_raised_as_before(tmp_path: Path) -> None:
    async with counted(tmp_path / "t.db") as (saver, _):
        own = readable(saver)
        await saver.conn.execute("drop table writes")
        with pytest.raises(aiosqlite.OperationalError, match="no such table: writes"):
            await own.aput_writes(
                {"configurable": {**THREAD["configurable"], "checkpoint_id": "1"}}, [("a", 1)], "t"
            )


class TurnedAround(AsyncSqliteSaver):
    """A saver of somebody's own."""

    async def aget_tuple(self, config: Any) -> Any:
        raise AssertionError("called")


async def test_a_saver_of_somebodys_own_stays_as_it_is(tmp_path: Path) -> None:
    async with aiosqlite.connect(tmp_path / "t.db") as conn:
        with pytest.raises(AssertionError, match="called"):
            await readable(TurnedAround(conn)).aget_tuple(THREAD)


QUESTIONS = 4
"""Turns after which a conversation is no longer written whole."""


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as model:
        yield model


@pytest.fixture
def conn() -> Iterator[sqlite3.Connection]:
    conn = sqlite3.connect(":memory:", check_same_thread=False)
    yield conn
    conn.close()


def threaded(thread: object) -> Any:
    return {"configurable": {"thread_id": thread}}


def long_thread(turn: TurnGraph, config: Any = THREAD) -> None:
    for number in range(QUESTIONS):
        turn.invoke(ask(f"What is {number} * 2?"), config)


def in_one_step(model: ScriptedModel, conn: sqlite3.Connection, **options: Any) -> TurnGraph:
    return turn_on(
        model, functions=["calculator"], checkpointer=SqliteSaver(conn), steps="one", **options
    )


@pytest.mark.parametrize("thread", ["t", 7])
def test_a_run_that_is_stored_at_its_end_is_one_transaction(
    thread: object, model: ScriptedModel, conn: sqlite3.Connection
) -> None:
    turn, seen, config = in_one_step(model, conn), list[str](), threaded(thread)
    long_thread(turn, config)
    conn.set_trace_callback(seen.append)
    out = turn.invoke(ask("What is 6 * 7?"), config)
    conn.set_trace_callback(None)
    assert seen.count("COMMIT") == 1
    assert len(out["messages"]) == 4 * (QUESTIONS + 1)
    # A saver of LangGraph's own, as another process has it.
    other = turn_on(model, checkpointer=SqliteSaver(conn), functions=["calculator"])
    assert other.get_state(config).values["messages"] == out["messages"]


async def test_it_is_one_call_into_the_thread_of_an_async_connection(
    tmp_path: Path, model: ScriptedModel
) -> None:
    async with counted(tmp_path / "t.db") as (saver, calls):
        turn = turn_on(model, functions=["calculator"], checkpointer=saver, steps="one")
        for number in range(QUESTIONS):
            await turn.ainvoke(ask(f"What is {number} * 2?"), THREAD)
        calls.clear()
        out = await turn.ainvoke(ask("What is 6 * 7?"), THREAD)
        assert len(calls) == 3  # the newest checkpoint, what led to it, and the new one
        assert (await turn.aget_state(THREAD)).values["messages"] == out["messages"]


def test_a_checkpoint_that_cannot_be_stored_leaves_nothing_behind(
    model: ScriptedModel, conn: sqlite3.Connection
) -> None:
    """So it is for a worker that lost its lease, too: its checkpoint is refused."""
    turn = in_one_step(model, conn)
    long_thread(turn)
    before = turn.get_state(THREAD).values["messages"]
    rows = "select (select count(*) from writes), (select count(*) from checkpoints)"
    stored = conn.execute(rows).fetchone()
    conn.execute(
        "create trigger full before insert on checkpoints begin select raise(abort, 'full'); end"
    )
    with pytest.raises(sqlite3.IntegrityError, match="full"):
        turn.invoke(ask("What is 6 * 7?"), THREAD)
    assert conn.execute(rows).fetchone() == stored
    conn.execute("drop trigger full")
    assert turn.get_state(THREAD).values["messages"] == before
    assert len(turn.invoke(ask("What is 6 * 7?"), THREAD)["messages"]) == len(before) + 4


async def test_a_stage_is_stored_with_the_checkpoint_of_its_step(
    tmp_path: Path, model: ScriptedModel
) -> None:
    """Ten checkpoints, one reading, and what a tool call leaves."""
    async with counted(tmp_path / "t.db") as (saver, calls):
        turn = turn_on(model, functions=["calculator"], checkpointer=saver)
        out = await turn.ainvoke(ask("What is 6 * 7?"), THREAD)
        assert len(calls) == 12
        assert (await turn.aget_state(THREAD)).values["messages"] == out["messages"]
        # LangGraph's own saver finds the writes of every stage beside its checkpoint.
        steps = [each async for each in saver.alist(THREAD)]
        assert sum(bool(each.pending_writes) for each in steps) == len(steps) - 1 == 9


async def test_a_value_is_encoded_once_for_its_write_and_for_the_checkpoint(
    tmp_path: Path, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = list[object]()

    def noted(value: object) -> Any:
        encoded.append(value)
        return stored_form(value)

    monkeypatch.setattr(serializers, "stored_form", noted)
    async with counted(tmp_path / "t.db") as (saver, _):
        turn = turn_on(model, functions=["calculator"], checkpointer=saver)
        out = await turn.ainvoke(ask("What is 6 * 7?"), THREAD)
        assert [value for value in encoded if isinstance(value, TurnResult)] == [out["result"]]
        # The writes and the checkpoints have it, each for itself.
        other = with_strict_serde(saver)
        newest, before, *_ = [each async for each in other.alist(THREAD)]
        assert newest.checkpoint["channel_values"]["result"] == out["result"]
        assert ("result", out["result"]) in [write[1:] for write in before.pending_writes or ()]


async def test_a_stage_whose_update_is_read_is_stored_before_its_checkpoint(
    tmp_path: Path, model: ScriptedModel
) -> None:
    """Whoever reads the updates may stop between two steps, for as long as they like."""
    async with counted(tmp_path / "t.db") as (saver, calls):
        turn = turn_on(model, functions=["calculator"], checkpointer=saver)
        [_ async for _ in turn.astream(ask("What is 6 * 7?"), THREAD, stream_mode="updates")]
        assert len(calls) == 20  # also one for each of the eight stages that are alone


def test_the_path_of_a_task_begins_as_it_did() -> None:
    """A test of LangGraph's: a task that an edge led to, and a task that was sent."""
    assert task_path_str((PULL, "bill")).startswith(run_writes._ALONE)
    assert not task_path_str((PUSH, 0)).startswith(run_writes._ALONE)


async def test_an_interrupt_of_a_stage_is_stored_at_once(
    tmp_path: Path, model: ScriptedModel
) -> None:
    """No checkpoint follows it."""

    def ask_first(state: Any) -> Any:
        return {"messages": [("user", interrupt("Anything else?"))]}

    async with counted(tmp_path / "t.db") as (saver, _):
        turn = turn_on(model, checkpointer=saver, before_model=[ask_first])
        await turn.ainvoke(ask("Hi"), THREAD)
        assert (await turn.aget_state(THREAD)).interrupts
        out = await turn.ainvoke(Command(resume="No"), THREAD)
        assert "No" in [message.text for message in out["messages"]]


def test_a_question_to_a_person_is_stored_at_the_end_too(
    model: ScriptedModel, conn: sqlite3.Connection
) -> None:
    turn = in_one_step(model, conn, approve=["calculator"])
    out = turn.invoke(ask("What is 6 * 7?"), THREAD)
    assert out["__interrupt__"]
    again = in_one_step(model, conn, approve=["calculator"])
    assert again.get_state(THREAD).interrupts
    out = again.invoke(Command(resume="approve"), THREAD, durability="exit")
    assert again.get_state(THREAD).values["messages"] == out["messages"]
    assert "42" in out["messages"][-1].text


def test_a_turn_within_a_tool_stores_its_own_thread(conn: sqlite3.Connection) -> None:
    """It is given the configuration of the turn around it."""
    with ScriptedModel([Call(("ask_expert", {})), Say("inner"), Say("outer")]) as model:
        saver = SqliteSaver(conn)
        expert = turn_on(model, checkpointer=saver)

        @tool
        def ask_expert() -> str:
            """Asks the expert."""
            out = expert.invoke(ask("?"), {"configurable": {"thread_id": "inner"}})
            kept = expert.get_state({"configurable": {"thread_id": "inner"}}).values["messages"]
            assert kept == out["messages"]
            return "asked"

        turn = turn_on(model, tools=[ask_expert], checkpointer=saver, steps="one")
        out = turn.invoke(ask("Hi"), THREAD)
    assert [message.text for message in out["messages"][-2:]] == ["asked", "outer"]
    assert turn.get_state(THREAD).values["messages"] == out["messages"]
