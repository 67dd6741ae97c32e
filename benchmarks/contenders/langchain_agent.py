"""LangChain's own agent, `create_agent` on `ChatOpenAI`, as its documentation shows it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessageChunk, convert_to_messages
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from benchmarks.contenders.langgraph_parts import THREAD, as_node, saver_in, tools_of
from benchmarks.setting import (
    KEY,
    MODEL,
    QUESTION,
    SYSTEM,
    TIMEOUT_S,
    Ask,
    Setting,
    conversation_of,
)

__all__ = ["agent_in_thread", "contender"]


@asynccontextmanager
async def contender(setting: Setting) -> AsyncIterator[Ask]:
    """The agent, with its conversations in SQLite where they are kept."""
    async with agent_in_thread(setting) as agent:
        numbers = count()
        options = {} if setting.folder is None else {"durability": "sync"}
        history = [] if setting.folder is not None else earlier_messages(setting)

        async def ask() -> str:
            thread = THREAD if setting.earlier else f"t{next(numbers)}"
            config = {"configurable": {"thread_id": thread}}
            given = {"messages": [*history, {"role": "user", "content": QUESTION}]}
            if setting.watch is not None:
                return await watched(agent, given, config)
            out = await agent.ainvoke(given, config, **options)
            return str(out["messages"][-1].content)

        yield ask


@asynccontextmanager
async def agent_in_thread(setting: Setting) -> AsyncIterator[Any]:
    """The agent, with the earlier turns put into the thread `THREAD` in one step; or the parent
    graph that it is a node of.
    """
    model = ChatOpenAI(
        model=MODEL,
        base_url=setting.base_url,
        api_key=SecretStr(KEY),
        timeout=TIMEOUT_S,
        max_retries=0,
        stream_usage=True,
    )
    async with saver_in(setting, "langchain") as saver:
        own = None if setting.parent else saver
        agent: Any = create_agent(
            model, tools_of(setting.tools), system_prompt=SYSTEM, checkpointer=own
        )
        if setting.parent:
            agent = as_node(agent, saver)
        if saver is not None and setting.earlier:
            config = {"configurable": {"thread_id": THREAD}}
            await agent.aupdate_state(
                config, {"messages": earlier_messages(setting)}, as_node="__start__"
            )
        yield agent


def earlier_messages(setting: Setting) -> list[Any]:
    """The conversation so far, as LangChain messages."""
    return convert_to_messages(conversation_of(setting.earlier))


async def watched(agent: Any, given: Any, config: Any) -> str:
    """The answer, piece by piece."""
    pieces = [
        str(chunk.content)
        async for chunk, _ in agent.astream(given, config, stream_mode="messages")
        if isinstance(chunk, AIMessageChunk)
    ]
    return "".join(pieces)
