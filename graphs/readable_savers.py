"""Checkpointers that say which thread cannot be read, where a stored row is damaged or the
connection is closed.

LangGraph's own raise whatever decoding makes go wrong (`UnicodeDecodeError`, `TypeError`, …), each
in the middle of a run.
"""

import re
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping
from contextlib import aclosing, closing, contextmanager
from copy import copy
from functools import cache
from typing import Any, Final, TypeVar, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple

from turngraph.state.errors import StoredThreadError
from turngraph.state.stored import DAMAGE

__all__ = ["readable"]

AnySaver = TypeVar("AnySaver", bound=BaseCheckpointSaver[Any])

CLOSED: Final = re.compile(
    r"no active connection|closed database|connection (is |already )?closed|pool .*closed", re.I
)
"""How aiosqlite, sqlite3, psycopg and its pool report that their connection was closed."""
_MAPPINGS: Final = ("channel_values", "channel_versions", "versions_seen")


def readable(checkpointer: AnySaver) -> AnySaver:
    """Returns a copy of `checkpointer`, on the same storage, which raises StoredThreadError for a
    row that it cannot read.
    """
    copied, kind = copy(checkpointer), cast("Any", type(checkpointer))
    copied.__class__ = _readable_class(kind)
    return copied


class _Readable(BaseCheckpointSaver[Any]):
    """The methods that read, for a class that also inherits from a checkpointer's own."""

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        with _damage_named(config):
            return _checked(super().get_tuple(config))

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        with _damage_named(config):
            return _checked(await super().aget_tuple(config))

    def list(self, config: RunnableConfig | None, **options: Any) -> Iterator[CheckpointTuple]:
        # Closed at once: SQLite's checkpointer holds a lock until then.
        with closing(_each(super().list(config, **options))) as found:
            while True:
                with _damage_named(config):
                    each = _checked(next(found, None))
                if each is None:
                    return
                yield each

    async def alist(
        self, config: RunnableConfig | None, **options: Any
    ) -> AsyncIterator[CheckpointTuple]:
        async with aclosing(_aeach(super().alist(config, **options))) as found:
            while True:
                with _damage_named(config):
                    each = _checked(await anext(found, None))
                if each is None:
                    return
                yield each

    def get_delta_channel_history(self, **named: Any) -> Mapping[str, Any]:
        with _damage_named(named.get("config")):
            return super().get_delta_channel_history(**named)

    async def aget_delta_channel_history(self, **named: Any) -> Mapping[str, Any]:
        with _damage_named(named.get("config")):
            return await super().aget_delta_channel_history(**named)


@cache
def _readable_class(kind: Any) -> Any:
    names = {"__module__": kind.__module__}
    return type(kind.__name__, (_Readable, _faster_class(kind)), names)


def _faster_class(kind: Any) -> Any:
    """Returns the class that does the same at a lower cost, where there is one."""
    if not kind.__module__.startswith("langgraph.checkpoint.sqlite"):
        return kind
    from turngraph.graphs.sqlite_saver import FASTER

    return FASTER.get(kind, kind)


def _each(found: Iterator[CheckpointTuple]) -> Generator[CheckpointTuple, None, None]:
    yield from found


async def _aeach(found: AsyncIterator[CheckpointTuple]) -> AsyncGenerator[CheckpointTuple, None]:
    async for each in found:
        yield each


def _checked(stored: CheckpointTuple | None) -> CheckpointTuple | None:
    """Returns `stored`. Raises TypeError or KeyError unless it has what LangGraph looks for."""
    if stored is not None:
        checkpoint: Any = stored.checkpoint
        _ = stored.metadata["step"]
        if not all(isinstance(checkpoint[name], Mapping) for name in _MAPPINGS):
            raise TypeError("a checkpoint without channels")
    return stored


@contextmanager
def _damage_named(config: RunnableConfig | None) -> Iterator[None]:
    thread = (config or {}).get("configurable", {}).get("thread_id")
    try:
        yield
    except Exception as exc:
        # Drivers have no class of their own for a closed connection: aiosqlite raises ValueError.
        if CLOSED.search(str(exc)):
            raise StoredThreadError(thread, exc, closed=True) from exc
        # SQLite's own for a file that is damaged, or no database; not its subclasses.
        if type(exc) is not sqlite3.DatabaseError:
            called_wrongly = thread is None or isinstance(exc, NotImplementedError)
            if called_wrongly or not isinstance(exc, DAMAGE):
                raise
        raise StoredThreadError(thread, exc) from exc
