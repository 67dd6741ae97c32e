"""The SQLite file in which `chat` stores threads, and from which `step` reads them."""

import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turngraph.state.errors import TurnConfigurationError
from turngraph.state.private_files import create_private_file, create_private_folder

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.checkpoint.sqlite import SqliteSaver
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    from turngraph.interfaces.user_graphs.loading import Graph

__all__ = ["history_file", "open_async_history", "open_history", "with_history"]


def history_file(environ: Mapping[str, str]) -> Path:
    """Returns the default file for threads, below the user's data folder.

    Source: https://specifications.freedesktop.org/basedir-spec/latest/

    >>> history_file({"XDG_DATA_HOME": "/data"}).as_posix()
    '/data/turngraph/threads.sqlite'
    """
    data = environ.get("XDG_DATA_HOME")
    folder = Path(data) if data else Path.home() / ".local" / "share"
    return folder / "turngraph" / "threads.sqlite"


def with_history(graph: "Graph", saver: "BaseCheckpointSaver[Any]", owner: str = "") -> "Graph":
    """Returns `graph` with `saver` as its checkpointer, unless it has one of its own.

    The threads that it then writes are those of `owner`, if one is given: other graphs may share
    the saver.
    """
    from langgraph.checkpoint.base import BaseCheckpointSaver

    from turngraph.interfaces.user_graphs.owner import owned_by

    if isinstance(graph.checkpointer, BaseCheckpointSaver):
        return graph
    stored = graph.copy({"checkpointer": saver})
    return owned_by(stored, owner) if owner else stored


@asynccontextmanager
async def open_async_history(file: Path) -> "AsyncIterator[AsyncSqliteSaver]":
    """Opens the threads in `file`. Raises TurnConfigurationError if that is not possible."""
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    async with AsyncExitStack() as stack:
        with _translated_errors(file):
            saver = await stack.enter_async_context(AsyncSqliteSaver.from_conn_string(str(file)))
            await saver.setup()
        yield saver


@contextmanager
def open_history(file: Path) -> "Iterator[SqliteSaver]":
    """Sync version of `open_async_history`, for the stepper, which only reads."""
    from langgraph.checkpoint.sqlite import SqliteSaver

    with ExitStack() as stack:
        with _translated_errors(file):
            saver = stack.enter_context(SqliteSaver.from_conn_string(str(file)))
            saver.setup()
        yield saver


@contextmanager
def _translated_errors(file: Path) -> Iterator[None]:
    try:
        create_private_folder(file.parent)
        create_private_file(file)
        yield
    except (OSError, sqlite3.Error) as exc:
        raise TurnConfigurationError(
            f"The history `{file}` cannot be opened: {exc}. Name another file with --history."
        ) from exc
