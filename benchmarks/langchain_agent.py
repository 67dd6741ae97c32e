"""LangChain's own agent, `create_agent` on `ChatOpenAI`, as its documentation shows it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessageChunk, convert_to_messages
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from benchmarks.hand_loop import earlier_turn
from benchmarks.setting import KEY, MODEL, QUESTION, Ask, Setting, saver_in, tools_of

__all__ = ["agent_in_thread", "langchain_agent"]


@asynccontextmanager
async def langchain_agent(setting: Setting) -> AsyncIterator[Ask]:
    """The agent, with its conversations in SQLite where they are kept."""
    async with agent_in_thread(setting) as (agent, options):
        numbers = count()
        history = [] if agent.checkpointer is not None else earlier_messages(setting)

        async def ask() -> str:
            thread = "kept" if setting.earlier else f"t{next(numbers)}"
            config = {"configurable": {"thread_id": thread}}
            given = {"messages": [*history, {"role": "user", "content": QUESTION}]}
            if setting.watch is not None:
                return await watched(agent, given, config)
            out = await agent.ainvoke(given, config, **options)
            return str(out["messages"][-1].content)

        yield ask


@asynccontextmanager
async def agent_in_thread(setting: Setting) -> AsyncIterator[tuple[Any, dict[str, Any]]]:
    """The agent, how it is invoked, and the thread `kept` with the earlier turns, put there in one
    step.
    """
    model = ChatOpenAI(
        model=MODEL,
        base_url=setting.base_url,
        api_key=SecretStr(KEY),
        max_retries=0,
        stream_usage=True,
    )
    async with saver_in(setting, "langchain") as saver:
        agent: Any = create_agent(model, tools_of(setting.tools), checkpointer=saver)
        if saver is not None and setting.earlier:
            config = {"configurable": {"thread_id": "kept"}}
            await agent.aupdate_state(
                config, {"messages": earlier_messages(setting)}, as_node="__start__"
            )
        yield agent, {"durability": "sync"} if saver is not None else {}


def earlier_messages(setting: Setting) -> list[Any]:
    """The conversation so far, as LangChain messages."""
    return [
        message for _ in range(setting.earlier) for message in convert_to_messages(earlier_turn())
    ]


async def watched(agent: Any, given: Any, config: Any) -> str:
    """The answer, piece by piece."""
    pieces = [
        str(chunk.content)
        async for chunk, _ in agent.astream(given, config, stream_mode="messages")
        if isinstance(chunk, AIMessageChunk)
    ]
    return "".join(pieces)
