"""Keeps what a run has written until its checkpoint is stored, so that both are stored at once.

LangGraph gives a saver the writes of a task, and then the checkpoint that has them in it, each in a
transaction of its own. Nobody needs the writes before that checkpoint

- with `durability="exit"`, where the writes of the whole run come at its end;
- with `durability="sync"`, where a task is the only one of its step. Of tasks side by side one may
  end long before the others, and tool calls are such tasks.

So a saver on SQLite stores them in the checkpoint's transaction, and a worker that lost its lease
stores none of them. What an interrupt or an error leaves is stored at once: no checkpoint follows.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import WRITES_IDX_MAP

__all__ = ["RunWrites", "run_writes_of", "with_run_writes"]

_KEY: Final = "turn_run_writes"
_ALONE: Final = "~__pregel_pull, "
"""How the path of a task begins that an edge has led to. A test pins it."""

Write = tuple[RunnableConfig, Sequence[tuple[str, Any]], str, str]
"""The arguments of a saver's `put_writes`."""


class RunWrites:
    """The writes of one run that wait for its next checkpoint.

    thread: the run's own. A graph within a tool may be given this run's configuration.
    at_exit: whether the run is stored at its end, and not after every step.
    """

    def __init__(self, thread: object, *, at_exit: bool) -> None:
        self._thread, self.at_exit = str(thread), at_exit
        self._kept, self._is_over = list[Write](), False

    def keep(self, write: Write) -> bool:
        """Keeps `write`, and returns True, unless it must be stored now."""
        config, writes, _, path = write
        configurable = config["configurable"]
        # The saver's own configuration has the thread as text, whatever its caller gave.
        if str(configurable["thread_id"]) != self._thread or configurable["checkpoint_ns"]:
            return False
        waits = (
            not self._is_over
            if self.at_exit
            else path.startswith(_ALONE) and all(name not in WRITES_IDX_MAP for name, _ in writes)
        )
        if waits:
            self._kept.append(write)
        return waits

    @contextmanager
    def stored(self) -> Iterator[list[Write]]:
        """Yields the writes to be stored with a checkpoint. They are forgotten, also where they
        could not be stored: then their run fails.
        """
        # Beside the checkpoint of a run's end stands what an interrupt left.
        self._is_over = True
        kept, self._kept = self._kept, []
        yield kept


def run_writes_of(config: RunnableConfig) -> RunWrites | None:
    """Returns the kept writes of the run with `config`; None where all are stored at once."""
    return config["configurable"].get(_KEY)


def with_run_writes(
    config: RunnableConfig | None, *, at_exit: bool, at_steps: bool
) -> RunnableConfig | None:
    """Returns `config` for a run whose writes wait for the checkpoint of its end, for that of their
    step, or for none.
    """
    configurable = (config or {}).get("configurable", {})
    if not (at_exit or at_steps or _KEY in configurable):
        return config
    thread = configurable.get("thread_id")
    kept = RunWrites(thread, at_exit=at_exit) if at_exit or at_steps else None
    return {**(config or {}), "configurable": {**configurable, _KEY: kept}}
