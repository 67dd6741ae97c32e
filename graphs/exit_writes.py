"""Keeps what a run has written until its checkpoint is stored, so that both are stored at once.

With `durability="exit"` LangGraph gives a saver the writes of the whole run, and then the
checkpoint that makes them visible. Nobody reads the writes before the checkpoint is there, so a
saver may store all of it in one transaction, and a worker that lost its lease stores none of it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from langchain_core.runnables import RunnableConfig

__all__ = ["ExitWrites", "exit_writes_of", "with_exit_writes"]

_KEY: Final = "turn_exit_writes"

Write = tuple[RunnableConfig, Sequence[tuple[str, Any]], str, str]
"""The arguments of a saver's `put_writes`."""


class ExitWrites:
    """The writes of one run, until its checkpoint is stored. Later ones are not kept: they are what
    an interrupt leaves beside that checkpoint.
    """

    def __init__(self, thread: object) -> None:
        self._thread, self._kept, self._is_open = thread, list[Write](), True

    def keep(self, write: Write) -> bool:
        """Keeps `write`, and returns True, unless it must be stored now."""
        configurable = write[0]["configurable"]
        # A graph within a tool may have been given this run's configuration.
        is_own = configurable["thread_id"] == self._thread and not configurable["checkpoint_ns"]
        if self._is_open and is_own:
            self._kept.append(write)
            return True
        return False

    @contextmanager
    def stored(self) -> Iterator[list[Write]]:
        """Yields the writes to be stored with a checkpoint; forgets them if nothing is raised."""
        self._is_open = False
        yield self._kept
        self._kept = []


def exit_writes_of(config: RunnableConfig) -> ExitWrites | None:
    """Returns the kept writes of the run with `config`; None where it is stored as it goes."""
    return config["configurable"].get(_KEY)


def with_exit_writes(config: RunnableConfig | None, *, at_exit: bool) -> RunnableConfig | None:
    """Returns `config` for a run that is stored at its end, or as it goes."""
    configurable = (config or {}).get("configurable", {})
    if not at_exit and _KEY not in configurable:
        return config
    kept = ExitWrites(configurable.get("thread_id")) if at_exit else None
    return {**(config or {}), "configurable": {**configurable, _KEY: kept}}
