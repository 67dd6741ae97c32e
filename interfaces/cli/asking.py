"""One question put to a turn, watched while it runs, given up at ctrl-c."""

import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from types import FrameType
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.types import Checkpointer

from turngraph.graphs.chat import chat_turn
from turngraph.graphs.turn_graph import TurnGraph
from turngraph.interfaces.cli.model_options import Model, ModelOptions
from turngraph.providers.openai_provider import OpenAIProvider
from turngraph.state.events import TurnEvent
from turngraph.state.result import TurnResult
from turngraph.tools.plugin import Plugin

__all__ = ["ask", "cancelled_by_ctrl_c", "opened_turn"]


@asynccontextmanager
async def opened_turn(
    model: Model,
    options: ModelOptions,
    *,
    stream: bool,
    plugins: Sequence[Plugin] = (),
    checkpointer: Checkpointer = None,
) -> AsyncIterator[TurnGraph]:
    """A turn on `model`, whose connections are closed at the end."""
    provider = OpenAIProvider(model.config)
    try:
        yield chat_turn(
            provider,
            plugins=plugins,
            functions=model.functions,
            system=options.system,
            stream=stream,
            limits=model.limits,
            prices=model.prices,
            checkpointer=checkpointer,
        )
    finally:
        await provider.aclose()


async def ask(
    turn: TurnGraph,
    question: str,
    tell: Callable[[TurnEvent], None],
    *,
    thread: str | None = None,
    cancel: threading.Event | None = None,
) -> TurnResult:
    """Run one turn on `question` and return its result; `tell` hears every event as it happens."""
    configurable: dict[str, Any] = {} if thread is None else {"thread_id": thread}
    if cancel is not None:
        configurable["cancel"] = cancel
    config: RunnableConfig = {"configurable": configurable}
    state: Mapping[str, Any] = {}
    given = {"messages": [("user", question)]}
    async for mode, part in turn.astream(given, config, stream_mode=["custom", "values"]):
        if mode == "values":
            state = part
        else:
            tell(part)
    result: TurnResult = state["result"]
    return result


@contextmanager
def cancelled_by_ctrl_c() -> Iterator[threading.Event]:
    """A flag that ctrl-c sets, so that a turn ends by itself and bills what it used. A second
    ctrl-c interrupts.
    """
    cancel = threading.Event()

    def give_up(number: int, frame: FrameType | None) -> None:
        if cancel.is_set():
            raise KeyboardInterrupt
        cancel.set()

    before = signal.signal(signal.SIGINT, give_up)
    try:
        yield cancel
    finally:
        signal.signal(signal.SIGINT, before)
