"""turngraph's `chat_turn`, as its README shows it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any

from langchain_core.messages import AIMessageChunk
from pydantic import SecretStr

from benchmarks.setting import KEY, MODEL, QUESTION, Ask, Setting, saver_in, tools_of
from turngraph.billing.ledger import Ledger
from turngraph.graphs import TurnGraph, chat_turn
from turngraph.providers import ProviderConfig
from turngraph.state.events import Token

__all__ = ["turn_in_thread", "turngraph_turn"]


@asynccontextmanager
async def turngraph_turn(setting: Setting) -> AsyncIterator[Ask]:
    """The turn, with its conversations in SQLite where they are kept. Durable at every step is its
    default there.
    """
    async with turn_in_thread(setting) as turn:
        numbers = count()
        history: list[Any] = (
            [] if turn.checkpointer else await messages_after(turn, setting.earlier)
        )

        async def ask() -> str:
            thread = "kept" if setting.earlier else f"t{next(numbers)}"
            config: Any = {"configurable": {"thread_id": thread}}
            given: Any = {"messages": [*history, {"role": "user", "content": QUESTION}]}
            if setting.watch == "messages":
                return await watched(turn, given, config)
            if setting.watch == "custom":
                return await heard(turn, given, config)
            out = await turn.ainvoke(given, config)
            return str(out["result"].answer)

        for _ in range(setting.earlier if turn.checkpointer else 0):
            await ask()
        yield ask


@asynccontextmanager
async def turn_in_thread(setting: Setting) -> AsyncIterator[TurnGraph]:
    """The compiled turn."""
    config = ProviderConfig(
        vendor="openai", model=MODEL, base_url=setting.base_url, api_key=SecretStr(KEY)
    )
    async with AsyncExitStack() as stack:
        saver = await stack.enter_async_context(saver_in(setting, "turngraph"))
        ledger = (
            stack.enter_context(Ledger(f"sqlite:///{setting.folder}/ledger.db"))
            if setting.ledger
            else None
        )
        streams = setting.watch is not None
        yield chat_turn(
            config,
            tools=tools_of(setting.tools),
            stream=streams,
            ledger=ledger,
            checkpointer=saver,
            steps=setting.steps,
        )


async def messages_after(turn: TurnGraph, turns: int) -> list[Any]:
    """The conversation after so many turns, for a caller that keeps it itself."""
    messages: list[Any] = []
    for _ in range(turns):
        given: Any = {"messages": [*messages, {"role": "user", "content": QUESTION}]}
        messages = (await turn.ainvoke(given))["messages"]
    return messages


async def watched(turn: TurnGraph, given: Any, config: Any) -> str:
    """The answer, piece by piece, as LangChain's message chunks."""
    pieces = [
        str(chunk.content)
        async for chunk, _ in turn.astream(given, config, stream_mode="messages")
        if isinstance(chunk, AIMessageChunk)
    ]
    return "".join(pieces)


async def heard(turn: TurnGraph, given: Any, config: Any) -> str:
    """The answer, piece by piece, as turngraph's own events."""
    pieces = [
        event.text
        async for event in turn.astream(given, config, stream_mode="custom")
        if isinstance(event, Token) and event.kind == "text"
    ]
    return "".join(pieces)
