"""LangGraph's savers on SQLite, with fewer transactions and fewer switches between threads.

A checkpoint and what led to it are one transaction: see `turngraph.graphs.run_writes`.

An `aiosqlite` connection has a thread of its own. LangGraph's AsyncSqliteSaver calls into it
for every cursor, statement, fetch and commit, up to seven times an operation, and each call wakes
that thread and then the event loop. Here a whole operation is one call: the SqliteSaver's own, on
the same connection.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any, Final, TypeVar

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from turngraph.graphs.run_writes import run_writes_of
from turngraph.graphs.serializers import TurnSerializer

__all__ = ["FASTER", "OneTransactionSaver", "SingleCallSaver"]

T = TypeVar("T")


class OneTransactionSaver(SqliteSaver):
    """A SqliteSaver that stores the writes of a run in the transaction of its checkpoint."""

    _cursor: sqlite3.Cursor | None = None
    """That of the transaction in which a copy of the saver works."""

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """LangGraph's `put_writes`."""
        kept = run_writes_of(config)
        # The threads in which LangGraph calls this come in any order: the checkpoint of a step may
        # be stored before what led to it.
        waits = kept is not None and kept.at_exit
        if kept is None or not waits or not kept.keep((config, writes, task_id, task_path)):
            super().put_writes(config, writes, task_id, task_path)

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """LangGraph's `put`."""
        kept = run_writes_of(config)
        if kept is None:
            return super().put(config, checkpoint, metadata, new_versions)
        with kept.stored() as run_writes, self.cursor() as cursor:
            inner = copy(self)
            inner._cursor = cursor
            if isinstance(self.serde, TurnSerializer):
                inner.serde = self.serde.of_one_transaction()
            try:
                for write in run_writes:
                    super(OneTransactionSaver, inner).put_writes(*write)
                return super(OneTransactionSaver, inner).put(
                    config, checkpoint, metadata, new_versions
                )
            except BaseException:
                self.conn.rollback()
                raise

    @contextmanager
    def cursor(self, transaction: bool = True) -> Iterator[sqlite3.Cursor]:
        """LangGraph's `cursor`, within the open transaction where there is one."""
        if self._cursor is not None:
            yield self._cursor
            return
        with super().cursor(transaction) as cursor:
            yield cursor


class SingleCallSaver(AsyncSqliteSaver):
    """An AsyncSqliteSaver whose operations are one call into the connection's thread each. Listing
    and deletion are LangGraph's.
    """

    _in_thread: OneTransactionSaver | None = None

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """LangGraph's `aget_tuple`."""
        return await self._call_in_thread(lambda saver: saver.get_tuple(config))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """LangGraph's `aput`."""
        return await self._call_in_thread(
            lambda saver: saver.put(config, checkpoint, metadata, new_versions)
        )

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """LangGraph's `aput_writes`."""
        kept = run_writes_of(config)
        if kept is not None and kept.keep((config, writes, task_id, task_path)):
            return
        await self._call_in_thread(
            lambda saver: SqliteSaver.put_writes(saver, config, writes, task_id, task_path)
        )

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, Any]:
        """LangGraph's `aget_delta_channel_history`."""
        return await self._call_in_thread(
            lambda saver: saver.get_delta_channel_history(config=config, channels=channels)
        )

    async def _call_in_thread(self, operation: Callable[[SqliteSaver], T]) -> T:
        await self.setup()
        async with self.lock:
            execute: Any = self.conn._execute
            result: T = await execute(operation, self._saver_in_thread())
            return result

    def _saver_in_thread(self) -> OneTransactionSaver:
        saver = self._in_thread
        # A copy of this saver has the attributes of the original, and may have another serializer.
        if saver is None or saver.serde is not self.serde:
            saver = OneTransactionSaver(self.conn._conn, serde=self.serde)
            saver.is_setup, saver._has_task_path = True, self._has_task_path
            self._in_thread = saver
        return saver


FASTER: Final[dict[type, type]] = {SqliteSaver: OneTransactionSaver}
"""The classes that are used in place of LangGraph's."""

# Neither is public: the method that runs a function in the thread, and what the function is given.
if hasattr(aiosqlite.Connection, "_execute") and hasattr(aiosqlite.Connection, "_conn"):
    FASTER[AsyncSqliteSaver] = SingleCallSaver
