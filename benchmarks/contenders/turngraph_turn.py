"""turngraph's `chat_turn`, as its README shows it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any, Final
from uuid import uuid4

from langchain_core.messages import AIMessageChunk
from pydantic import SecretStr

from benchmarks.contenders.langgraph_parts import THREAD, as_node, saver_in, tools_of
from benchmarks.setting import KEY, MODEL, QUESTION, SYSTEM, TIMEOUT_S, Ask, Setting
from turngraph import ProviderConfig, chat_turn
from turngraph.providers.timeouts import Timeouts
from turngraph.state.events import Token

__all__ = ["contender", "turn_in_thread"]

DATABASE: Final = "turngraph.db"


@asynccontextmanager
async def contender(setting: Setting) -> AsyncIterator[Ask]:
    """The turn, with its conversations in SQLite where they are stored."""
    is_new = setting.folder is None or not (setting.folder / DATABASE).exists()
    async with turn_in_thread(setting) as turn:
        history: list[Any] = (
            [] if setting.folder is not None else await messages_after(turn, setting.earlier)
        )
        given: Any = {"messages": [*history, {"role": "user", "content": QUESTION}]}
        # In one step a turn is stored as it does by itself, and with a ledger it is given an id.
        by_itself = setting.folder is None or (setting.steps == "one" and not setting.parent)
        options = {} if by_itself else {"durability": "sync"}
        threads = (f"t{n}" for n in count())

        async def ask_in(thread: str) -> str:
            config: Any = {"configurable": {"thread_id": thread}}
            if setting.watch == "messages":
                return await answer_in_chunks(turn, given, config)
            if setting.watch == "custom":
                return await answer_in_events(turn, given, config)
            named = {"turn_id": uuid4().hex} if setting.ledger else {}
            out = await turn.ainvoke({**given, **named}, config, **options)
            return str(out["messages"][-1].content)

        if setting.folder is not None and setting.earlier:
            # In a database that has the thread, another one makes the graph ready for its work.
            for _ in range(setting.earlier if is_new else 1):
                await ask_in(THREAD if is_new else next(threads))
        yield lambda: ask_in(THREAD if setting.earlier else next(threads))


@asynccontextmanager
async def turn_in_thread(setting: Setting) -> AsyncIterator[Any]:
    """The compiled turn, or the parent graph that it is a node of."""
    config = ProviderConfig(
        vendor="openai",
        model=MODEL,
        base_url=setting.base_url,
        api_key=SecretStr(KEY),
        timeouts=Timeouts(connect_s=TIMEOUT_S, first_byte_s=TIMEOUT_S, idle_s=TIMEOUT_S),
    )
    async with AsyncExitStack() as stack:
        saver = await stack.enter_async_context(saver_in(setting, "turngraph"))
        ledger = None
        if setting.ledger:
            from turngraph import Ledger

            ledger = stack.enter_context(Ledger(f"sqlite:///{setting.folder}/ledger.db"))
        turn = chat_turn(
            config,
            tools=tools_of(setting.tools),
            system=SYSTEM,
            stream=setting.watch is not None,
            ledger=ledger,
            checkpointer=None if setting.parent else saver,
            steps=setting.steps,
        )
        yield as_node(turn, saver) if setting.parent else turn


async def messages_after(turn: Any, turns: int) -> list[Any]:
    """The conversation after so many turns, for a caller that keeps it itself."""
    messages: list[Any] = []
    for _ in range(turns):
        given: Any = {"messages": [*messages, {"role": "user", "content": QUESTION}]}
        messages = (await turn.ainvoke(given))["messages"]
    return messages


async def answer_in_chunks(turn: Any, given: Any, config: Any) -> str:
    """The answer, piece by piece, as LangChain's message chunks."""
    pieces = [
        str(chunk.content)
        async for chunk, _ in turn.astream(given, config, stream_mode="messages")
        if isinstance(chunk, AIMessageChunk)
    ]
    return "".join(pieces)


async def answer_in_events(turn: Any, given: Any, config: Any) -> str:
    """The answer, piece by piece, as turngraph's own events."""
    pieces = [
        event.text
        async for event in turn.astream(given, config, stream_mode="custom")
        if isinstance(event, Token) and event.kind == "text"
    ]
    return "".join(pieces)
