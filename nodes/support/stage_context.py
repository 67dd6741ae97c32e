"""What a running stage knows beside the state: its dependencies, task, lease and listeners."""

import logging
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Final, Protocol

from langchain_core.callbacks import CallbackManager
from langchain_core.runnables import RunnableConfig
from langgraph.runtime import get_runtime

from turngraph.nodes.support.dependencies import Replay, TurnDependencies
from turngraph.nodes.support.model_run import tracers_in
from turngraph.nodes.support.next_call import NextCall
from turngraph.nodes.support.piece_streams import piece_writer
from turngraph.nodes.support.telemetry import TurnTrace
from turngraph.state.events import AnyEvent

__all__ = [
    "CANCEL",
    "FENCE",
    "IDENTITY",
    "LEASED_TURN",
    "LISTENER",
    "NEW_TURN",
    "OPENING",
    "REPLAY",
    "TRACE",
    "CancelFlag",
    "StageContext",
    "TurnOpening",
]

# Keys of a run's `configurable`.
CANCEL: Final = "cancel"
"""The caller's flag that cancels the turn."""
REPLAY: Final = "turn_replay"
"""What a replay does."""
FENCE: Final = "turn_fence"
"""The fence of the turn's lease."""
LEASED_TURN: Final = "turn_lease"
"""The id of the turn that the lease is for."""
IDENTITY: Final = "turn_identity"
"""What the ids of the turn's calls are made of."""
TRACE: Final = "turn_trace"
"""What follows the run from outside."""
OPENING: Final = "turn_opening"
"""The run's `TurnOpening`."""
NEW_TURN: Final = "turn_new"
"""The id of a turn that its caller has just made and told nobody. A turn inside of that one finds
the key too, but has another id.
"""
LISTENER: Final = "turn_listener"
"""What is called with each event of the run, also with those of a turn inside of it."""

_CALLS: Final = uuid.UUID("b6b7a1de-2f0e-5b07-8c51-8f2f5f6f3a10")

_log: Final = logging.getLogger("turngraph")


class CancelFlag(Protocol):
    """What a caller passes to be able to cancel a turn, such as a `threading.Event`."""

    def is_set(self) -> bool:
        """Returns whether the turn shall stop."""
        ...


@dataclass
class TurnOpening:
    """Whether a turn still has to be written in the ledger, together with its first call.

    Only a turn that nobody else can know of: no thread is kept, and its caller gave it no id, or a
    new one (`NEW_TURN`).
    """

    is_pending: bool = True


def _discard(event: AnyEvent) -> None:
    """Stands in for LangGraph's `custom` stream when a stage runs without LangGraph."""


@dataclass(frozen=True)
class StageContext:
    """The surroundings of a running stage. Every stage and helper gets it as its last argument.

    `StageContext.of_node` builds it inside a LangGraph node; anywhere else the constructor does:

        >>> from turngraph.providers import OpenAIProvider, ProviderConfig
        >>> from turngraph.state.request import ChatRequest
        >>> from turngraph.tools.toolbox import Toolbox
        >>> provider = OpenAIProvider(ProviderConfig(vendor="ollama", model="m"))
        >>> request = ChatRequest(vendor="ollama", api="chat", model="m")
        >>> deps = TurnDependencies(provider, Toolbox.of([]), request)
        >>> context = StageContext(deps, task_id="t1")
        >>> context.cancelled, context.tokens_wanted
        (False, False)
    """

    deps: TurnDependencies
    task_id: str
    """Identifies this run of the stage. It must be the same after a retry or a resume, and new in
    every fork: LangGraph's task id is.
    """
    identity: str | None = None
    """What the ids of the turn's calls are made of, so that they do not depend on checkpoints. None
    in a fork, whose calls are other ones: they get the id of their task.
    """
    thread_id: str | None = None
    fence: int | None = None
    """The fence of the turn's lease, if a ledger keeps one."""
    replay: Replay | None = None
    """What the run's configuration says about recorded answers. It has precedence over
    `deps.replay`.
    """
    tokens_wanted: bool = False
    """Whether anyone listens to LangGraph's `messages` stream."""
    writer: Callable[[AnyEvent], None] = _discard
    """Writes an event to LangGraph's `custom` stream."""
    listener: Callable[[AnyEvent], None] | None = None
    """What is called with each event of this run, without LangGraph's streams in between."""
    cancel: CancelFlag | None = None
    trace: TurnTrace | None = None
    """What follows this run from outside."""
    opening: TurnOpening | None = None
    """Given where the turn is admitted with its first call."""
    tracers: CallbackManager | None = None
    """LangChain's tracers of this run, such as LangSmith's."""
    next_call: NextCall | None = None
    """Where a stage that leads straight to `call_llm`, in the same step, leaves the started call
    for it.
    """

    @classmethod
    def of_node(cls, config: RunnableConfig, deps: TurnDependencies) -> "StageContext":
        """Returns the context of the node that LangGraph is running with `config`."""
        runtime = get_runtime()
        info = runtime.execution_info
        assert info is not None, "LangGraph gives every node its execution info"
        configurable: Mapping[str, Any] = config.get("configurable", {})
        # LangGraph registers a callback handler for `stream_mode="messages"`; without any handler
        # nobody gets tokens, and building their message chunks would be wasted time.
        handlers = getattr(config.get("callbacks"), "handlers", ())
        return cls(
            deps=deps,
            task_id=info.task_id,
            identity=configurable.get(IDENTITY),
            # LangGraph takes a number too, and its savers store it as text.
            thread_id=None if info.thread_id is None else str(info.thread_id),
            fence=configurable.get(FENCE),
            replay=configurable.get(REPLAY),
            tokens_wanted=bool(handlers),
            writer=runtime.stream_writer,
            listener=configurable.get(LISTENER),
            cancel=configurable.get(CANCEL),
            # A turn inside of a followed one finds the key too, and may have no telemetry itself.
            trace=None if deps.telemetry is None else configurable.get(TRACE),
            opening=configurable.get(OPENING),
            tracers=tracers_in(config.get("callbacks")) if handlers else None,
        )

    def with_identity(self) -> "StageContext":
        """Returns this context with an identity: that of its task, where it has none of its own."""
        return self if self.identity else self._replaced(identity=self.task_id)

    def of_stage(self, task_id: str, next_call: NextCall | None) -> "StageContext":
        """Returns the context of another stage of the same run in one step."""
        return self._replaced(task_id=task_id, next_call=next_call)

    def _replaced(self, **fields: object) -> "StageContext":
        # `dataclasses.replace` gives the fields of the run one by one, at ten times the price.
        context = object.__new__(StageContext)
        vars(context).update(vars(self), **fields)
        return context

    def call_id(self, kind: str, place: int) -> str:
        """Returns the id of the turn's call number `place` of a `kind`.

        Made from the turn and the place in it, it is the same when the turn is run again from its
        beginning: then the ledger finds every answer that was paid for, and no tool runs twice that
        must not. LangGraph's task id does not do, because it is made from the checkpoint: where a
        killed worker stored none, it is new.
        """
        if self.identity is None:
            return self.task_id
        return uuid.uuid5(_CALLS, f"{self.identity}:{kind}:{place}").hex

    def emit(self, event: AnyEvent) -> None:
        """Sends `event` to the subscribers, to LangGraph's `custom` stream and to the log."""
        trace = () if self.trace is None else (self.trace.on_event,)
        listener = () if self.listener is None else (self.listener,)
        for subscriber in (*trace, *self.deps.subscribers, *listener):
            try:
                subscriber(event)
            except Exception:  # noqa: BLE001  watching must never change what is sent or billed
                _log.exception("A subscriber failed on %s", type(event).__name__)
        self.writer(event)
        _log.debug("%r", event)

    def active(self) -> AbstractContextManager[object]:
        """Returns the block in which a stage runs, for what follows the turn from outside."""
        return nullcontext() if self.trace is None else self.trace.active()

    def of_answer(self) -> "StageContext":
        """Returns the context that the pieces of one answer are sent with."""
        return self._replaced(writer=piece_writer(self.writer))

    def seconds_since(self, started_at: float) -> float:
        """Returns the seconds since `started_at`, which is in seconds since the epoch."""
        return self.deps.clock() - started_at

    @property
    def replays_recorded(self) -> bool:
        """Whether a call that the ledger has an answer to gets that answer at no cost."""
        return self.deps.ledger is not None and (self.replay or self.deps.replay) == "recorded"

    @property
    def cancellable(self) -> bool:
        """Whether the caller passed a flag in `configurable["cancel"]`."""
        return self.cancel is not None

    @property
    def cancelled(self) -> bool:
        """Whether the caller has set that flag."""
        return self.cancel is not None and self.cancel.is_set()
