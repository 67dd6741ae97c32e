"""The compiled turn: a LangGraph graph that checks what enters its state and admits its runs."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, Self, get_type_hints

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.errors import EmptyInputError
from langgraph.types import StateUpdate
from pydantic import BaseModel, create_model

from turngraph.graphs.admitted_runs import AdmittedRuns
from turngraph.graphs.durability import with_durability
from turngraph.graphs.result_runs import ResultRuns
from turngraph.graphs.run_config import check_run_arguments
from turngraph.graphs.run_input import (
    NOTHING_TO_RESUME,
    check_begins,
    checked_input,
    checked_updates,
    keys_of_turn,
    may_begin,
    offers_caller_tools,
    resumes,
    with_payer,
    with_run_id,
    with_run_id_of,
)
from turngraph.graphs.steps import Steps, check_can_stop, invoked, one_step_of, with_steps
from turngraph.graphs.stored_states import StoredStates
from turngraph.graphs.strict_serde import turn_checkpointer
from turngraph.graphs.traced_runs import atraced, traced
from turngraph.graphs.typed_runs import TypedRuns
from turngraph.state.errors import TurnConfigurationError, TurnInvocationError
from turngraph.state.limits import MESSAGE_CHARS
from turngraph.state.turn import TurnInput

if TYPE_CHECKING:
    from turngraph.nodes.support.telemetry import Telemetry

__all__ = ["TurnGraph"]

_ADDED_FIELDS = (
    "message_chars",
    "ledger",
    "wait_s",
    "steps",
    "asks_person",
    "stages_alone",
    "telemetry",
    "whole",
)


class TurnGraph(StoredStates, TypedRuns, AdmittedRuns, ResultRuns):
    """A compiled turn, as `chat_turn` returns it. `invoke`, `stream`, `get_state_history` and the
    rest work as LangGraph documents them.

    Three things are added:

    - Values from outside are checked before LangGraph stores them, because one wrong value in a
      checkpoint makes the whole thread unreadable.
    - With a checkpointer every step is stored before the next one runs (`durability="sync"`),
      unless the caller asks for another durability. A turn that runs in one step is stored once, at
      its end (`durability="exit"`). With a ledger its input is stored too, unless it has a
      `turn_id` of its caller's, by which it can be submitted again.
    - With a ledger a turn is admitted before its graph starts, so that no two workers run on one
      thread. A finished turn that is submitted again by its `turn_id` does not run again; its
      result is returned.

    Example:
        >>> from turngraph.graphs.chat import chat_turn
        >>> out = chat_turn("scripted").invoke({"messages": [("user", "Hello!")]})
        >>> out["result"].status, [message.type for message in out["messages"]]
        ('completed', ['human', 'ai'])
    """

    message_chars: int = MESSAGE_CHARS
    """The longest message that is accepted, in characters."""
    steps: Steps = "auto"
    """In how many steps of LangGraph the stages run: see `Steps`."""
    asks_person: bool = False
    """Whether a person may have to approve a tool call."""
    stages_alone: bool = False
    """Whether the graph has the nodes and edges of a turn and no others, so that every stage is the
    only task of its step, but for tool calls.
    """
    telemetry: "Telemetry | None" = None
    """What follows each run from outside."""

    def __copy__(self) -> Self:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # Its connections cannot be copied, and a run keeps nothing in the graph.
        return self.copy()

    def __reduce__(self) -> NoReturn:
        raise TurnConfigurationError(
            "A turn holds connections and functions, so it is not pickled: build it in the process "
            "that runs it."
        )

    def stream(
        self, input: object, config: RunnableConfig | None = None, **kwargs: object
    ) -> Iterator[Any]:
        """LangGraph's `stream`, on a checked input.

        Raises TurnValueError for an input that is not a turn's, and, with a ledger,
        TurnConflictError where another worker has the turn or its thread.
        Raises TurnConfigurationError where a person is to be asked and no checkpointer keeps the
        question.
        """
        given, config, arguments = self._prepared(input, config, kwargs)
        if self.telemetry is None:
            return self._stream(given, config, arguments)
        run = partial(self._stream, given, arguments=arguments)
        return traced(self.telemetry, self.name, config, run)

    def astream(
        self, input: object, config: RunnableConfig | None = None, **kwargs: object
    ) -> AsyncIterator[Any]:
        """Async version of `stream`."""
        given, config, arguments = self._prepared(input, config, kwargs)
        if self.telemetry is None:
            return self._astream(given, config, arguments)
        run = partial(self._astream, given, arguments=arguments)
        return atraced(self.telemetry, self.name, config, run)

    def _stream(
        self, given: Any, config: RunnableConfig | None, arguments: dict[str, Any]
    ) -> Iterator[Any]:
        if self.ledger is not None:
            return self._stream_admitted(given, config, arguments)
        saver = self.checkpointer
        if isinstance(saver, BaseCheckpointSaver) and config and resumes(given, config):
            config = with_run_id_of(saver.get_tuple(config), config)
        return super().stream(given, config, **arguments)

    def _astream(
        self, given: Any, config: RunnableConfig | None, arguments: dict[str, Any]
    ) -> AsyncIterator[Any]:
        if self.ledger is not None:
            return self._astream_admitted(given, config, arguments)
        saver = self.checkpointer
        if isinstance(saver, BaseCheckpointSaver) and config and resumes(given, config):
            return self._astream_resumed(saver, given, config, arguments)
        return super().astream(given, config, **arguments)

    def _prepared(
        self, input: object, config: RunnableConfig | None, arguments: Mapping[str, object]
    ) -> tuple[Any, RunnableConfig | None, dict[str, Any]]:
        """The checked input, the configuration and the arguments to stream with."""
        self._check_config(config)
        check_run_arguments(arguments)
        of_turn = keys_of_turn(input, config)
        given = with_payer(checked_input(of_turn, message_chars=self.message_chars), config)
        if self.asks_person:
            check_can_stop(self, config, "`approve` stops the turn until a person has decided")
        elif offers_caller_tools(given):
            check_can_stop(self, config, "`caller_tools` stop the turn until the caller ran them")
        config = with_run_id(of_turn, config)
        one_step = one_step_of(self, given, config, arguments)
        config = with_steps(config, one_step)
        if not self.checkpointer:
            check_begins(given, config)
            return given, config, dict(arguments)
        config, durable = with_durability(self, config, arguments, given, one_step=bool(one_step))
        return given, config, durable

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """LangGraph's `invoke`, on a checked input. Raises what `stream` raises, and
        TurnInvocationError for None where no run is there to go on.
        """
        self._check_config(config)
        check_run_arguments(kwargs)
        try:
            return super().invoke(input, invoked(config, kwargs), **kwargs)
        except EmptyInputError as exc:
            raise TurnInvocationError(NOTHING_TO_RESUME) from exc

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Async version of `invoke`."""
        self._check_config(config)
        check_run_arguments(kwargs)
        try:
            return await super().ainvoke(input, invoked(config, kwargs), **kwargs)
        except EmptyInputError as exc:
            raise TurnInvocationError(NOTHING_TO_RESUME) from exc

    def get_input_schema(self, config: RunnableConfig | None = None) -> type[BaseModel]:
        """LangGraph's `get_input_schema`, in which only `messages` is required. `as_tool` reads it:
        a model that calls the turn has no id and no settings to give.
        """
        hints: dict[str, Any] = get_type_hints(TurnInput)
        fields: dict[str, Any] = {
            name: (hint, ...) if name == "messages" else (hint | None, None)
            for name, hint in hints.items()
        }
        return create_model(self.get_name("input"), **fields)

    def bulk_update_state(
        self, config: RunnableConfig, supersteps: Sequence[Sequence[StateUpdate]]
    ) -> RunnableConfig:
        """LangGraph's `bulk_update_state` (and so `update_state`), on checked values."""
        self._check_config(config)
        begins = may_begin(supersteps) and self.get_state(config).created_at is None
        return super().bulk_update_state(config, checked_updates(supersteps, begins=begins))

    async def abulk_update_state(
        self, config: RunnableConfig, supersteps: Sequence[Sequence[StateUpdate]]
    ) -> RunnableConfig:
        """LangGraph's `abulk_update_state` (and so `aupdate_state`), on checked values."""
        self._check_config(config)
        begins = may_begin(supersteps) and (await self.aget_state(config)).created_at is None
        updates = checked_updates(supersteps, begins=begins)
        return await super().abulk_update_state(config, updates)

    def _apply_checkpointer_allowlist(
        self, checkpointer: BaseCheckpointSaver[Any] | None
    ) -> BaseCheckpointSaver[Any] | None:
        """The checkpointer that this run or look at the state uses, also one that a parent lends.

        LangGraph's own method knows the types of a turn's state only with
        `LANGGRAPH_STRICT_MSGPACK=true`, and warns about each of them without.
        """
        return super()._apply_checkpointer_allowlist(turn_checkpointer(checkpointer))

    def copy(self, update: dict[str, Any] | None = None) -> Self:
        """LangGraph's `copy` (and so `with_config`), with the fields that it would leave out."""
        copied = super().copy(update)
        copied._serde_allowlist = self._serde_allowlist
        for name in _ADDED_FIELDS:
            setattr(copied, name, getattr(self, name))
        return copied

    # IPython also takes metadata beside the data, here the width of the picture.
    def _repr_mimebundle_(  # type: ignore[override]
        self, **kwargs: object
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a notebook shows: a picture drawn here. LangGraph's own would ask a web service."""
        from turngraph.drawing.picture import Picture
        from turngraph.drawing.svg import draw_svg
        from turngraph.drawing.text import draw_text
        from turngraph.graphs.stage_notes import stage_notes

        graph, notes = self.get_graph(), stage_notes()
        return Picture(draw_svg(graph, notes=notes)).bundle(draw_text(graph))

    async def _astream_resumed(
        self,
        saver: BaseCheckpointSaver[Any],
        input: Any,
        config: RunnableConfig,
        arguments: dict[str, Any],
    ) -> AsyncIterator[Any]:
        config = with_run_id_of(await saver.aget_tuple(config), config)
        async for part in super().astream(input, config, **arguments):
            yield part
