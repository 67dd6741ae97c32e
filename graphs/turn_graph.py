"""A compiled turn: a LangGraph graph like any other, that lets nothing into its state it could not
read again.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

from langchain_core.runnables import RunnableConfig
from langgraph.cache.base import BaseCache
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.graph.state import CompiledStateGraph, StateGraph
from langgraph.store.base import BaseStore
from langgraph.types import All, Checkpointer, Command, StateSnapshot, StateUpdate

from turngraph.graphs.resubmission import is_end, not_found, parts_of, thread_of
from turngraph.graphs.strict_serde import strictly
from turngraph.state.checks import check_input, check_update
from turngraph.state.turn import Turn, TurnInput, TurnOutput

if TYPE_CHECKING:
    from turngraph.billing.ledger import Ledger
    from turngraph.graphs.admission import AdmissionRequest

__all__ = ["TurnBuilder", "TurnGraph"]

_OURS = ("message_chars", "ledger", "wait_s")


class TurnGraph(CompiledStateGraph[Turn, None, TurnInput, TurnOutput]):
    """What `chat_turn` returns: `invoke`, `stream`, `get_state_history` and the rest as LangGraph
    documents them.

    Three things are added. What comes in from outside is checked before LangGraph stores it,
    because one wrong value in a checkpoint makes the whole thread unreadable. With a checkpointer a
    run is durable at every step (`durability="sync"`) unless the caller says otherwise. And with a
    ledger a turn is admitted before its graph starts, so that no two workers run one thread;
    submitted again by its `turn_id`, however late, it is not run again, and what it came to is
    told.
    """

    message_chars: int = 2_000_000
    ledger: "Ledger | None" = None
    wait_s: float = 0.0
    """How long a turn waits for another worker that has its thread, before it is refused."""

    def stream(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Any]:
        """LangGraph's `stream`, on a checked input. Raises TurnValueError for what is no turn's
        input.

        With a ledger it raises TurnConflictError where another worker has the turn or its thread.
        """
        given, config = self._checked(_own(input, config)), _recognised(input, config)
        if self.ledger is None:
            if (
                isinstance(self.checkpointer, BaseCheckpointSaver)
                and config
                and _resumes(given, config)
            ):
                config = _named_as(self.checkpointer.get_tuple(config), config)
            return super().stream(given, config, **self._durable(kwargs))
        return self._stream_admitted(given, config, self._durable(kwargs))

    def astream(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        """`stream`, on the running event loop."""
        given, config = self._checked(_own(input, config)), _recognised(input, config)
        if self.ledger is None:
            if (
                isinstance(self.checkpointer, BaseCheckpointSaver)
                and config
                and _resumes(given, config)
            ):
                return self._astream_resumed(
                    self.checkpointer, given, config, self._durable(kwargs)
                )
            return super().astream(given, config, **self._durable(kwargs))
        return self._astream_admitted(given, config, self._durable(kwargs))

    def bulk_update_state(
        self, config: RunnableConfig, supersteps: Sequence[Sequence[StateUpdate]]
    ) -> RunnableConfig:
        """LangGraph's `bulk_update_state` (and so `update_state`), on checked values."""
        return super().bulk_update_state(config, _checked_updates(supersteps))

    async def abulk_update_state(
        self, config: RunnableConfig, supersteps: Sequence[Sequence[StateUpdate]]
    ) -> RunnableConfig:
        """LangGraph's `abulk_update_state` (and so `aupdate_state`), on checked values."""
        return await super().abulk_update_state(config, _checked_updates(supersteps))

    def copy(self, update: dict[str, Any] | None = None) -> Self:
        """LangGraph's `copy` (and so `with_config`), which forgets what its constructor does not
        take.
        """
        copied = super().copy(update)
        copied._serde_allowlist = self._serde_allowlist
        for name in _OURS:
            setattr(copied, name, getattr(self, name))
        return copied

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """The graph for a notebook: a picture made here, and Mermaid text. LangGraph's own goes to
        a web service.
        """
        from turngraph.drawing.svg import draw_svg
        from turngraph.graphs.stage_notes import stage_notes

        graph = self.get_graph()
        text = graph.draw_mermaid()
        svg = draw_svg(graph, notes=stage_notes())
        return {"text/plain": text, "text/vnd.mermaid": text, "image/svg+xml": svg}

    async def _astream_resumed(
        self,
        saver: BaseCheckpointSaver[Any],
        input: Any,
        config: RunnableConfig,
        named: dict[str, Any],
    ) -> AsyncIterator[Any]:
        async for part in super().astream(
            input, _named_as(await saver.aget_tuple(config), config), **named
        ):
            yield part

    def _stream_admitted(
        self, input: Any, config: RunnableConfig | None, named: dict[str, Any]
    ) -> Iterator[Any]:
        from turngraph.graphs.admission import admission_request_for, admitted

        request = admission_request_for(input, config, keeps=bool(self.checkpointer))
        saved = self.get_state(request.config).values if request.asks_the_thread else {}
        with admitted(self._ledger, request.known(saved), self.wait_s) as run:
            given, over = run.input, run.over
            if over is not None:
                past = self._past(over, request)
                if is_end(past):
                    yield from parts_of(
                        past.values, self.stream_channels_asis, named, self.stream_mode
                    )
                    return
                given = None
            yield from super().stream(given, run.config, **named)

    def _past(self, turn_id: str, request: "AdmissionRequest") -> StateSnapshot:
        """What the thread says of a turn that was finished. Raises TurnConflictError where it says
        nothing.
        """
        if request.thread is not None:
            place = thread_of(request.config)
            last = self.get_state(place)
            if last.values.get("turn_id") == turn_id:
                return last  # perhaps not its end: a worker may die between the ledger and the checkpoint
            for past in self.get_state_history(place, filter={"run_id": turn_id}):
                if past.values.get("turn_id") == turn_id and is_end(past):
                    return past
        raise not_found(turn_id)

    async def _astream_admitted(
        self, input: Any, config: RunnableConfig | None, named: dict[str, Any]
    ) -> AsyncIterator[Any]:
        from turngraph.graphs.admission import admission_request_for, admitted_async

        request = admission_request_for(input, config, keeps=bool(self.checkpointer))
        saved = (await self.aget_state(request.config)).values if request.asks_the_thread else {}
        async with admitted_async(self._ledger, request.known(saved), self.wait_s) as run:
            given, over = run.input, run.over
            if over is not None:
                past = await self._apast(over, request)
                if is_end(past):
                    for part in parts_of(
                        past.values, self.stream_channels_asis, named, self.stream_mode
                    ):
                        yield part
                    return
                given = None
            async for part in super().astream(given, run.config, **named):
                yield part

    async def _apast(self, turn_id: str, request: "AdmissionRequest") -> StateSnapshot:
        """`_past`, on the running event loop."""
        if request.thread is not None:
            place = thread_of(request.config)
            last = await self.aget_state(place)
            if last.values.get("turn_id") == turn_id:
                return last
            async for past in self.aget_state_history(place, filter={"run_id": turn_id}):
                if past.values.get("turn_id") == turn_id and is_end(past):
                    return past
        raise not_found(turn_id)

    @property
    def _ledger(self) -> "Ledger":
        assert self.ledger is not None, "only a turn with a ledger is admitted"
        return self.ledger

    def _checked(self, input: Any) -> Any:
        if input is None:
            return None  # resume
        if isinstance(input, Command):
            return input if not input.update else _with_update(input)
        return check_input(input, message_chars=self.message_chars)

    def _durable(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        return (
            {**kwargs, "durability": kwargs.get("durability") or "sync"}
            if self.checkpointer
            else dict(kwargs)
        )


_INPUT: Final = TurnInput.__annotations__.keys()
_IN_A_PARENT: Final = "__pregel_task_id"
"""What LangGraph puts into the configuration of a graph that runs as another one's node; a test
pins that.
"""


def _own(input: Any, config: RunnableConfig | None) -> Any:
    """Of a parent's state what a turn reads: a parent hands over all it has. A caller's wrong key
    is told.
    """
    if not isinstance(input, Mapping) or _IN_A_PARENT not in (config or {}).get("configurable", {}):
        return input
    return {key: value for key, value in input.items() if key in _INPUT}


def _recognised(input: Any, config: RunnableConfig | None) -> RunnableConfig | None:
    """With a `turn_id`, the same input given twice resumes the turn, or returns what it came to; it
    is not run twice.

    LangGraph compares `metadata.run_id` with the one on the thread's latest checkpoint; a test pins
    that.
    """
    turn_id = input.get("turn_id") if isinstance(input, Mapping) else None
    if not turn_id:
        return config
    config = config or {}
    return {**config, "metadata": {**config.get("metadata", {}), "run_id": turn_id}}


def _resumes(input: Any, config: RunnableConfig) -> bool:
    """Whether a run goes on with a thread, and so does not say which turn it is."""
    return (input is None or isinstance(input, Command)) and "thread_id" in config.get(
        "configurable", {}
    )


def _named_as(stored: CheckpointTuple | None, config: RunnableConfig) -> RunnableConfig:
    """`config` under the name that the thread's turn has, so that its later checkpoints are found
    by it too.
    """
    name = None if stored is None else stored.metadata.get("run_id")
    return (
        config
        if name is None
        else {**config, "metadata": {**config.get("metadata", {}), "run_id": name}}
    )


def _with_update(command: Command[Any]) -> Command[Any]:
    update = check_update(command.update) if isinstance(command.update, Mapping) else command.update
    return Command(graph=command.graph, update=update, resume=command.resume, goto=command.goto)


def _checked_updates(supersteps: Sequence[Sequence[StateUpdate]]) -> list[list[StateUpdate]]:
    return [
        [
            update if update.values is None else update._replace(values=check_update(update.values))
            for update in updates
        ]
        for updates in supersteps
    ]


class TurnBuilder(StateGraph[Turn, None, TurnInput, TurnOutput]):
    """The uncompiled graph of a turn. Its `compile` makes a `TurnGraph`."""

    def compile(
        self,
        checkpointer: Checkpointer = None,
        *,
        cache: BaseCache[Any] | None = None,
        store: BaseStore | None = None,
        interrupt_before: All | list[str] | None = None,
        interrupt_after: All | list[str] | None = None,
        debug: bool = False,
        name: str | None = None,
        transformers: Sequence[Any] | None = None,
    ) -> TurnGraph:
        """Compile as LangGraph does, into a `TurnGraph`."""
        compiled = super().compile(
            strictly(checkpointer),
            cache=cache,
            store=store,
            interrupt_before=interrupt_before,
            interrupt_after=interrupt_after,
            debug=debug,
            name=name,
            transformers=transformers,
        )
        # LangGraph's compile() names its class, and its constructor does not take all that
        # compile() sets.
        turn = TurnGraph.__new__(TurnGraph)
        vars(turn).update(vars(compiled))
        return turn
