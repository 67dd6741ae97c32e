"""Stored rows that are damaged end in an error that names the thread."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from tests.turns import ask
from turngraph import chat_turn
from turngraph.state.errors import StoredThreadError

THREAD: Any = {"configurable": {"thread_id": "t"}}
DAMAGE = {
    "other bytes": "{0} = x'ff0067'",
    "the first half": "{0} = substr({0}, 1, length({0}) / 2)",
    "nothing": "{0} = x''",
    "no value": "{0} = null",
    "another kind": "type = 'bogus'",
}


def damaged(conn: sqlite3.Connection, column: str, how: str) -> None:
    table, _, name = column.partition(".")
    conn.execute(f"update {table} set {DAMAGE[how].format(name)}")
    conn.commit()


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("column", ["checkpoints.checkpoint", "checkpoints.metadata"])
def test_a_damaged_thread_is_named(column: str, how: str) -> None:
    """Whoever runs it, looks at it, or lists its history; other threads are read as before."""
    conn = sqlite3.connect(":memory:", check_same_thread=False)
    turn = chat_turn("scripted", checkpointer=SqliteSaver(conn))
    turn.invoke(ask("Hi"), THREAD)
    damaged(conn, column, how)
    reads: list[Callable[[], Any]] = [
        lambda: turn.invoke(ask("Again?"), THREAD),
        lambda: turn.get_state(THREAD),
        lambda: list(turn.get_state_history(THREAD)),
    ]
    for read in reads:
        with pytest.raises(StoredThreadError, match="The stored thread `t` cannot be read") as seen:
            read()
        assert seen.value.thread == "t"
    assert turn.run("Hi", thread="other").ok
    conn.close()


def test_a_damaged_thread_is_named_in_async_code_too(tmp_path: Path) -> None:
    async def run() -> None:
        async with AsyncSqliteSaver.from_conn_string(f"{tmp_path}/threads.db") as saver:
            turn = chat_turn("scripted", checkpointer=saver)
            await turn.ainvoke(ask("Hi"), THREAD)
            await saver.conn.execute("update checkpoints set checkpoint = x'ff0067'")
            with pytest.raises(StoredThreadError, match="`t`"):
                await turn.ainvoke(ask("Again?"), THREAD)
            with pytest.raises(StoredThreadError, match="`t`"):
                await turn.aget_state(THREAD)
            with pytest.raises(StoredThreadError, match="`t`"):
                _ = [each async for each in turn.aget_state_history(THREAD)]

    asyncio.run(run())


def test_a_saver_that_is_called_wrongly_says_so_itself() -> None:
    """A method that the saver does not have is no damage."""
    conn = sqlite3.connect(":memory:", check_same_thread=False)
    with pytest.raises(NotImplementedError):
        asyncio.run(chat_turn("scripted", checkpointer=SqliteSaver(conn)).aget_state(THREAD))
    conn.close()


def test_a_closed_connection_is_no_damage(tmp_path: Path) -> None:
    """Whoever reads "damaged" would restore a backup; all that is needed is an open connection."""
    closed = "`t` cannot be read: the checkpointer's connection is closed"
    conn = sqlite3.connect(tmp_path / "threads.db", check_same_thread=False)
    turn = chat_turn("scripted", checkpointer=SqliteSaver(conn))
    turn.invoke(ask("Hi"), THREAD)
    conn.close()
    with pytest.raises(StoredThreadError, match=closed):
        turn.invoke(ask("Again?"), THREAD)
    with pytest.raises(StoredThreadError, match=closed):
        turn.get_state(THREAD)

    async def run() -> None:
        async with AsyncSqliteSaver.from_conn_string(f"{tmp_path}/threads.db") as saver:
            turn = chat_turn("scripted", checkpointer=saver)
            await turn.ainvoke(ask("Again?"), THREAD)
        with pytest.raises(StoredThreadError, match=closed):
            await turn.ainvoke(ask("Again?"), THREAD)
        with pytest.raises(StoredThreadError, match=closed):
            await turn.aget_state(THREAD)

    asyncio.run(run())


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """The driver's own error does not say whose file it is."""
    (tmp_path / "threads.db").write_bytes(b"not a database" * 100)
    conn = sqlite3.connect(tmp_path / "threads.db", check_same_thread=False)
    turn = chat_turn("scripted", checkpointer=SqliteSaver(conn))
    with pytest.raises(StoredThreadError, match="The stored thread `t` cannot be read"):
        turn.invoke(ask("Hi"), THREAD)
    conn.close()
