"""LangGraph's AsyncSqliteSaver, whose operations visit the thread of its connection once each.

An `aiosqlite` connection lives in a thread of its own. The saver visits it for every cursor,
statement, fetch and commit, up to seven times an operation, and each visit wakes that thread and
then the event loop. Here a whole operation runs there: that of LangGraph's own SqliteSaver, on the
same connection. It sends the same statements, in the same transactions.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

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

__all__ = ["IS_POSSIBLE", "SingleVisitSaver"]

IS_POSSIBLE = hasattr(aiosqlite.Connection, "_execute") and hasattr(aiosqlite.Connection, "_conn")
"""Whether this version of aiosqlite has the method that runs a function in the thread, and the
connection that the function is given. Neither is public.
"""

T = TypeVar("T")


class SingleVisitSaver(AsyncSqliteSaver):
    """The operations of a turn. Listing and deletion are LangGraph's."""

    _in_thread: SqliteSaver | None = None

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """LangGraph's `aget_tuple`."""
        return await self._visit(lambda saver: saver.get_tuple(config))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """LangGraph's `aput`."""
        return await self._visit(
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
        await self._visit(lambda saver: saver.put_writes(config, writes, task_id, task_path))

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, Any]:
        """LangGraph's `aget_delta_channel_history`."""
        return await self._visit(
            lambda saver: saver.get_delta_channel_history(config=config, channels=channels)
        )

    async def _visit(self, operation: Callable[[SqliteSaver], T]) -> T:
        await self.setup()
        async with self.lock:
            execute: Any = self.conn._execute
            result: T = await execute(operation, self._saver_in_thread())
            return result

    def _saver_in_thread(self) -> SqliteSaver:
        saver = self._in_thread
        # A copy of this saver has the attributes of the original, and may have another serializer.
        if saver is None or saver.serde is not self.serde:
            saver = SqliteSaver(self.conn._conn, serde=self.serde)
            saver.is_setup, saver._has_task_path = True, self._has_task_path
            self._in_thread = saver
        return saver
