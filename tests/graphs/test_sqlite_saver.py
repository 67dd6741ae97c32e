"""A turn's own AsyncSqliteSaver does what LangGraph's does, in one visit of the thread in which the
connection lives.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from tests.turns import ask, turn_on
from turngraph.graphs.readable_savers import readable
from turngraph.scripted import ScriptedModel

THREAD: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}


@asynccontextmanager
async def counted(path: Path) -> AsyncIterator[tuple[AsyncSqliteSaver, list[object]]]:
    """A saver whose tables are made, and the visits of its connection's thread since."""
    async with aiosqlite.connect(path) as conn:
        saver, visits = AsyncSqliteSaver(conn), list[object]()
        await saver.setup()
        visit = conn._execute

        async def noted(function: Callable[..., Any], *args: Any) -> Any:
            visits.append(function)
            return await visit(function, *args)  # type: ignore[no-untyped-call]

        vars(conn)["_execute"] = noted
        yield saver, visits


async def test_each_operation_is_one_visit(tmp_path: Path) -> None:
    """A test fails here when aiosqlite no longer lets a function run in its thread."""
    async with counted(tmp_path / "t.db") as (saver, visits):
        own, checkpoint = readable(saver), empty_checkpoint()
        history = own.aget_delta_channel_history
        at: Any = await own.aput(THREAD, checkpoint, {"step": 0}, {})
        await own.aput_writes(at, [("messages", ["Hi"])], "task")
        later: Any = await own.aput(at, {**checkpoint, "id": "~"}, {"step": 1}, {})
        assert len(visits) == 3
        reads: list[Callable[[], Awaitable[Any]]] = [
            lambda: own.aget_tuple(THREAD),
            lambda: history(config=later, channels=["messages"]),
        ]
        for read in reads:
            visits.clear()
            await read()
            assert len(visits) == 1
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
