"""Where a stage stands while it runs: which task it is, who listens, whether the caller has given
up.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from langchain_core.messages import AIMessageChunk
from langchain_core.runnables import RunnableConfig
from langgraph.graph.message import push_message
from langgraph.runtime import get_runtime

from turngraph.state.events import TurnEvent

__all__ = [
    "FENCE",
    "LEASED_TURN",
    "REPLAY",
    "Replay",
    "StageContext",
    "Subscriber",
    "stage_context",
]

Subscriber = Callable[[TurnEvent], None]
"""Told every event of a turn, in the thread or on the loop that runs it. What it raises is logged,
not raised.
"""

Replay = Literal["call", "recorded"]
"""What becomes of a call that the ledger has an answer to, when a turn is walked again from an
earlier checkpoint: it is made again, and charged, or it gets the recorded answer, at no cost.
"""

REPLAY: Final = "turn_replay"
"""Where a run's configuration says so, over what the graph was built with."""

FENCE: Final = "turn_fence"
LEASED_TURN: Final = "turn_lease"
"""Where a run's configuration carries the fence of its lease, and the turn the lease is for."""

_log: Final = logging.getLogger("turngraph")


class _Flag(Protocol):
    def is_set(self) -> bool: ...


@dataclass(frozen=True)
class StageContext:
    """A stage's surroundings.

    `task_id` is LangGraph's: the same over retry and resume, new in every fork. `tokens_wanted`
    says whether anyone watches `stream_mode="messages"`.
    """

    task_id: str
    thread_id: str | None
    fence: int | None
    """The fence of the turn's lease, where a ledger keeps one."""
    replay: Replay | None
    """What the run's configuration says of recorded answers."""
    tokens_wanted: bool
    _subscribers: tuple[Subscriber, ...]
    _writer: Callable[[Any], None]
    _cancel: _Flag | None

    def emit(self, event: TurnEvent) -> None:
        """Tell `event` to the subscribers, LangGraph's `custom` stream and the log."""
        for subscriber in self._subscribers:
            try:
                subscriber(event)
            except Exception:  # noqa: BLE001  watching must never change what is sent or billed
                _log.exception("A subscriber failed on %s", type(event).__name__)
        self._writer(event)
        _log.debug("%r", event)

    def push(self, chunk: AIMessageChunk) -> None:
        """Give a piece of an answer to LangGraph's `messages` stream."""
        push_message(chunk, state_key=None)

    @property
    def cancellable(self) -> bool:
        """Whether the caller passed a `cancel` flag at all."""
        return self._cancel is not None

    @property
    def cancelled(self) -> bool:
        """Whether the caller set the `cancel` flag it passed in `configurable`."""
        return self._cancel is not None and self._cancel.is_set()


def stage_context(config: RunnableConfig, subscribers: tuple[Subscriber, ...]) -> StageContext:
    """The surroundings of the node that LangGraph is running with `config`."""
    runtime = get_runtime()
    info = runtime.execution_info
    assert info is not None, "LangGraph gives every node its execution info"
    configurable: Mapping[str, Any] = config.get("configurable", {})
    handlers = getattr(config.get("callbacks"), "handlers", ())
    return StageContext(
        task_id=info.task_id,
        thread_id=info.thread_id,
        fence=configurable.get(FENCE),
        replay=configurable.get(REPLAY),
        tokens_wanted=bool(handlers),
        _subscribers=subscribers,
        _writer=runtime.stream_writer,
        _cancel=configurable.get("cancel"),
    )
