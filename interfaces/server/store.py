"""What the server keeps: the ledger, and the checkpoints of conversations beside it."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from langgraph.checkpoint.base import BaseCheckpointSaver

from turngraph.billing.errors import LedgerUnavailableError
from turngraph.billing.ledger import Ledger
from turngraph.billing.store.urls import error_text, parse_url, shown_url
from turngraph.interfaces.server.config import StoreSettings
from turngraph.interfaces.server.unused_threads import note_deleted
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.private_files import create_private_file

__all__ = ["IN_MEMORY", "Store", "check_database", "open_store"]

IN_MEMORY: Final = "sqlite://"
_LOCK: Final = "SELECT pg_try_advisory_lock(hashtext('turngraph checkpoints')) AS locked"
_UNLOCK: Final = "SELECT pg_advisory_unlock(hashtext('turngraph checkpoints'))"
_PAUSE_S: Final = 0.05

_log: Final = logging.getLogger("turngraph.server")


@dataclass(frozen=True)
class Store:
    """The databases that all turns of a server share."""

    ledger: Ledger
    checkpointer: BaseCheckpointSaver[Any]

    async def delete_messages(self, threads: Sequence[str]) -> None:
        """Deletes the messages of threads that were noted as unused."""
        for thread in threads:
            await self.checkpointer.adelete_thread(thread)
            await self.ledger.store.arun(note_deleted, thread)


@asynccontextmanager
async def open_store(settings: StoreSettings) -> AsyncIterator[Store]:
    """Yields the databases that `settings` name, and closes them at the end.

    Raises TurnConfigurationError for a URL that is none, LedgerUnavailableError for one that cannot
    be opened.
    """
    url = settings.database or IN_MEMORY
    check_database(settings)
    async with AsyncExitStack() as stack:
        _warn_of_readers(url)
        try:
            checkpointer = await _open_checkpointer(url, stack)
        except Exception as exc:  # whatever the file system or a database's driver raises
            raise LedgerUnavailableError(
                f"The database `{shown_url(url)}` cannot be opened: {error_text(exc, url)}."
            ) from exc
        ledger = Ledger(url, lease_s=settings.lease_seconds)
        stack.push_async_callback(ledger.aclose)
        yield Store(ledger, checkpointer)


def check_database(settings: StoreSettings) -> None:
    """Raises TurnConfigurationError for a URL that names no database, or one of another kind. It is
    not opened.
    """
    parsed = parse_url(settings.database or IN_MEMORY)
    backend = parsed.get_backend_name()
    has_place = parsed.database or (settings.database or IN_MEMORY) == IN_MEMORY
    if backend == "postgresql" or (backend == "sqlite" and has_place):
        return
    raise TurnConfigurationError(
        f"`store.database` names `{backend}`; use SQLite or PostgreSQL, as in "
        "`sqlite:///turngraph.db`."
    )


def _warn_of_readers(url: str) -> None:
    """Says where others on this machine may read the ledger. Files that the server creates, they
    may not; those that exist keep the permissions that somebody has given them.
    """
    parsed = parse_url(url)
    file = Path(parsed.database or "")
    if os.name == "nt" or parsed.get_backend_name() != "sqlite" or not file.is_file():
        return
    mode = file.stat().st_mode & 0o777
    if mode & 0o077:
        _log.warning(
            "Other users of this machine may open the ledger %s (mode %03o): chmod 600 it, and the "
            "files beside it.",
            file,
            mode,
        )


async def _open_checkpointer(url: str, stack: AsyncExitStack) -> BaseCheckpointSaver[Any]:
    if url == IN_MEMORY:
        from langgraph.checkpoint.memory import InMemorySaver

        return InMemorySaver()
    parsed = parse_url(url)
    if parsed.get_backend_name() == "postgresql":
        return await _open_postgres(parsed.set(drivername="postgresql"), stack)
    assert parsed.database, "the URL was checked"
    return await _open_sqlite(Path(parsed.database), stack)


async def _open_sqlite(database: Path, stack: AsyncExitStack) -> BaseCheckpointSaver[Any]:
    """Opens a file beside `database`, so that charges do not wait for large checkpoints."""
    import aiosqlite
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    file = database.with_name(f"{database.stem}-threads{database.suffix or '.db'}")
    create_private_file(file)
    connection = await stack.enter_async_context(aiosqlite.connect(file, timeout=30.0))
    saver = AsyncSqliteSaver(connection)
    await saver.setup()
    return saver


async def _open_postgres(url: Any, stack: AsyncExitStack) -> BaseCheckpointSaver[Any]:
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    from psycopg.rows import dict_row
    from psycopg_pool import AsyncConnectionPool

    options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    address = url.render_as_string(hide_password=False)
    pool: Any = AsyncConnectionPool(address, min_size=1, max_size=8, open=False, kwargs=options)
    await stack.enter_async_context(pool)
    saver = AsyncPostgresSaver(pool)
    async with pool.connection() as connection:
        # Two processes that start on an empty database would create the same tables. Waiting for
        # the lock in the database would be an open transaction, for which LangGraph's `CREATE INDEX
        # CONCURRENTLY` waits in turn.
        while not (await (await connection.execute(_LOCK)).fetchone())["locked"]:  # noqa: ASYNC110
            await asyncio.sleep(_PAUSE_S)
        try:
            await saver.setup()
        finally:
            await connection.execute(_UNLOCK)
    return saver
