"""A worker that is killed in the middle of a turn: `python -m tests.interfaces.stepper.dying
DATABASE BASE_URL WHERE`.

Of two tools that run together it dies in one, when the other is done and stored.
"""

import asyncio
import os
import sys
from typing import Any

from langchain_core.tools import tool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, MessagesState, StateGraph

from tests.turns import ask
from turngraph.graphs import chat_turn
from turngraph.providers import OpenAIProvider, ProviderConfig
from turngraph.state.result import Charge, TurnResult

THREAD: Any = {"configurable": {"thread_id": "t"}}


class House(MessagesState):
    """A parent's state."""

    result: TurnResult
    charges: list[Charge]


def house(turn: Any, saver: BaseCheckpointSaver[Any]) -> Any:
    """A parent with a node of its own before a turn."""
    graph = StateGraph(House)
    graph.add_node("greet", lambda state: {})
    graph.add_node("chat", turn)
    graph.add_edge(START, "greet")
    graph.add_edge("greet", "chat")
    return graph.compile(checkpointer=saver)


async def die(database: str, base_url: str, where: str) -> None:
    """Run until it is over: it never returns."""
    async with AsyncSqliteSaver.from_conn_string(database) as saver:

        @tool
        async def weather(city: str) -> str:
            """The weather in a city."""
            if city == "Rome":
                await _until_stored(saver)
                os._exit(9)
            return f"{city}: rain"

        config = ProviderConfig(
            vendor="openai", model="gpt-4o-mini", base_url=base_url, api_key="sk-test"
        )
        inside = where == "inside"
        turn = chat_turn(
            OpenAIProvider(config), tools=[weather], checkpointer=None if inside else saver
        )
        graph = house(turn, saver) if inside else turn
        await graph.ainvoke(ask("Both?"), THREAD, durability="sync")


async def _until_stored(saver: AsyncSqliteSaver) -> None:
    """Wait until the answer of the other tool has reached the disk."""
    writes: list[Any] = []
    while not any(
        channel == "tool_runs" and isinstance(value, list) for _, channel, value in writes
    ):
        points = [point async for point in saver.alist({"configurable": {"thread_id": "t"}})]
        writes = [write for point in points for write in point.pending_writes or ()]


if __name__ == "__main__":
    asyncio.run(die(*sys.argv[1:]))
