"""Running a turn with types: messages in, a `TurnResult` or typed events out."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Literal, cast, overload

from langchain_core.messages import MessageLikeRepresentation
from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, Interrupt

from turngraph.state.errors import TurnInvocationError, TurnPausedError, TurnValueError
from turngraph.state.events import AnyEvent, is_event
from turngraph.state.result import TurnResult
from turngraph.state.turn import Turn, TurnInput, TurnOutput, TurnSettings

__all__ = ["Messages", "TypedRuns"]

Messages = str | Sequence[MessageLikeRepresentation]
"""What a typed run is given: a user's text, or messages in any form that LangChain takes."""


class TypedRuns(CompiledStateGraph[Turn, None, TurnInput, TurnOutput]):
    """The typed methods of a turn, beside LangGraph's `invoke` and `stream`."""

    def run(
        self,
        messages: Messages | Command[Any],
        *,
        thread: str | None = None,
        turn_id: str | None = None,
        settings: TurnSettings | None = None,
        config: RunnableConfig | None = None,
    ) -> TurnResult:
        """Run one turn and return its typed result.

        Args:
            messages: the user's text, a list of messages, or a `Command` that resumes the turn.
            thread: the thread to go on with; the graph needs a checkpointer to keep one.
            turn_id: a name for this turn. The same turn submitted again does not run again.
            settings: model, temperature, account and other wishes for this turn alone.
            config: LangGraph's configuration, for callbacks, tags and the like.

        Returns what the turn came to, also for an error of the vendor or a limit: see `status`.

        Raises TurnPausedError where the turn waits for a person, TurnValueError for messages that
        nobody could send, and TurnConflictError where another worker has the turn or its thread.

            >>> from turngraph.graphs.chat import chat_turn
            >>> chat_turn("scripted").run("Hello!").status
            'completed'
        """
        given = _graph_input(messages, turn_id, settings)
        return _result_in(self.invoke(given, _with_thread(config, thread)))

    async def arun(
        self,
        messages: Messages | Command[Any],
        *,
        thread: str | None = None,
        turn_id: str | None = None,
        settings: TurnSettings | None = None,
        config: RunnableConfig | None = None,
    ) -> TurnResult:
        """Async version of `run`."""
        given = _graph_input(messages, turn_id, settings)
        return _result_in(await self.ainvoke(given, _with_thread(config, thread)))

    @overload  # type: ignore[override]
    def stream_events(
        self,
        input: Messages,
        config: RunnableConfig | None = None,
        *,
        thread: str | None = None,
        turn_id: str | None = None,
        settings: TurnSettings | None = None,
    ) -> Iterator[AnyEvent]: ...

    @overload
    def stream_events(
        self,
        input: Mapping[str, Any] | Command[Any] | None,
        config: RunnableConfig | None = None,
        *,
        version: Literal["v1", "v2", "v3"] = "v2",
        **kwargs: Any,
    ) -> Any: ...

    def stream_events(
        self,
        input: Any,
        config: RunnableConfig | None = None,
        *,
        thread: str | None = None,
        turn_id: str | None = None,
        settings: TurnSettings | None = None,
        **kwargs: Any,
    ) -> Any:
        """Run one turn and yield its events, each of its own type, as they happen.

        With a text or a list of messages: the typed events of `turngraph.state`, of which the last
        is `PromptFinished`. Build the turn with `stream=True` to get a `Token` for each piece of
        the answer. With a graph's input (a dict, None) or a `version`, LangChain's own events.

            >>> from turngraph.graphs.chat import chat_turn
            >>> events = list(chat_turn("scripted").stream_events("Hello!"))
            >>> events[0].type, events[-1].type
            ('prompt_started', 'prompt_finished')
        """
        if not _is_messages(input) or kwargs:
            return super().stream_events(input, config, **kwargs)
        given = _graph_input(input, turn_id, settings)
        stream = self.stream(given, _with_thread(config, thread), stream_mode="custom")
        return (part for part in stream if is_event(part))

    @overload  # type: ignore[override]
    def astream_events(
        self,
        input: Messages,
        config: RunnableConfig | None = None,
        *,
        thread: str | None = None,
        turn_id: str | None = None,
        settings: TurnSettings | None = None,
    ) -> AsyncIterator[AnyEvent]: ...

    @overload
    def astream_events(
        self,
        input: Mapping[str, Any] | Command[Any] | None,
        config: RunnableConfig | None = None,
        *,
        version: Literal["v1", "v2", "v3"] = "v2",
        **kwargs: Any,
    ) -> Any: ...

    def astream_events(
        self,
        input: Any,
        config: RunnableConfig | None = None,
        *,
        thread: str | None = None,
        turn_id: str | None = None,
        settings: TurnSettings | None = None,
        **kwargs: Any,
    ) -> Any:
        """Async version of `stream_events`."""
        if not _is_messages(input) or kwargs:
            return super().astream_events(input, config, **kwargs)
        given = _graph_input(input, turn_id, settings)
        return _typed_events(
            self.astream(given, _with_thread(config, thread), stream_mode="custom")
        )


async def _typed_events(stream: AsyncIterator[Any]) -> AsyncIterator[AnyEvent]:
    async for part in stream:
        if is_event(part):
            yield part


def _is_messages(input: object) -> bool:
    return isinstance(input, Sequence) and not isinstance(input, bytes)


def _graph_input(
    messages: Messages | Command[Any], turn_id: str | None, settings: TurnSettings | None
) -> Any:
    if isinstance(messages, Command):
        if turn_id is not None or settings is not None:
            raise TurnInvocationError(
                "A Command resumes a turn that has its id and settings already: "
                "leave `turn_id` and `settings` out."
            )
        return messages
    if not _is_messages(messages):
        raise TurnValueError(
            f"A typed run takes a text or a list of messages, not {type(messages).__name__}: write "
            '`turn.run("Hello!")`. The input of a graph, a dict with `messages`, goes to `invoke`.'
        )
    given: dict[str, Any] = {
        "messages": [("user", messages)] if isinstance(messages, str) else list(messages)
    }
    if turn_id is not None:
        given["turn_id"] = turn_id
    if settings is not None:
        given["settings"] = settings
    return given


def _with_thread(config: RunnableConfig | None, thread: str | None) -> RunnableConfig | None:
    if thread is None:
        return config
    config = config or {}
    return {**config, "configurable": {**config.get("configurable", {}), "thread_id": thread}}


def _result_in(output: Mapping[str, Any]) -> TurnResult:
    interrupts: Sequence[Interrupt] = output.get("__interrupt__", ())
    if interrupts:
        raise TurnPausedError(tuple(interrupts))
    result = output.get("result")
    if result is None:
        raise TurnInvocationError(
            "The run stopped before the turn's end, at a breakpoint: go on with `invoke(None, …)`."
        )
    return cast(TurnResult, result)
