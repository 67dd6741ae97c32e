"""Runs one question as a turn: opens the turn, reports its events, and cancels it at ctrl-c."""

import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from types import FrameType
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.types import Checkpointer

from turngraph.graphs.turn_graph import TurnGraph
from turngraph.interfaces.cli.turn_options import TurnSetup
from turngraph.providers.openai_provider import OpenAIProvider
from turngraph.state.events import AnyEvent
from turngraph.state.result import TurnResult

__all__ = ["cancel_on_ctrl_c", "open_turn", "run_turn"]


@asynccontextmanager
async def open_turn(
    setup: TurnSetup, *, stream: bool, checkpointer: Checkpointer = None
) -> AsyncIterator[TurnGraph]:
    """Yields the turn that `setup` describes, and closes its connections at the end."""
    provider = OpenAIProvider(setup.model.config)
    try:
        yield setup.turn(provider, stream=stream, checkpointer=checkpointer)
    finally:
        # A turn does not close a provider that it was given.
        await provider.aclose()


async def run_turn(
    turn: TurnGraph,
    question: str,
    on_event: Callable[[AnyEvent], None],
    *,
    thread: str | None = None,
    cancel: threading.Event | None = None,
) -> TurnResult:
    """Runs one turn and returns its result; calls `on_event` with every event as it happens.

    Setting `cancel` ends the turn early, with the status `cancelled`.
    """
    configurable: dict[str, object] = {} if thread is None else {"thread_id": thread}
    if cancel is not None:
        configurable["cancel"] = cancel
    config: RunnableConfig = {"configurable": configurable}
    state: Mapping[str, Any] = {}
    turn_input = {"messages": [("user", question)]}
    # The last `values` part is the final state, with the result in it.
    async for mode, part in turn.astream(turn_input, config, stream_mode=["custom", "values"]):
        if mode == "values":
            state = part
        else:
            on_event(part)
    result: TurnResult = state["result"]
    return result


@contextmanager
def cancel_on_ctrl_c() -> Iterator[threading.Event]:
    """Yields an event that the first ctrl-c sets; a second ctrl-c raises KeyboardInterrupt.

    The first one lets the turn end by itself, so that what it has used is billed.
    """
    cancel = threading.Event()

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        if cancel.is_set():
            raise KeyboardInterrupt
        cancel.set()

    # asyncio's own handler would cancel the task at the first ctrl-c, in the middle of a request.
    previous = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield cancel
    finally:
        signal.signal(signal.SIGINT, previous)
