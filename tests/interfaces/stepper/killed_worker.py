"""A worker that is killed in the middle of a turn.

`python -m tests.interfaces.stepper.killed_worker DATABASE BASE_URL alone|inside` runs two tools in
parallel and exits in the second one, as soon as the result of the first is stored.
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


class Parent(MessagesState):
    """A parent's state."""

    result: TurnResult
    charges: list[Charge]


def graph_around(turn: Any, saver: BaseCheckpointSaver[Any]) -> Any:
    """Returns a parent graph with a node of its own before `turn`."""
    graph = StateGraph(Parent)
    graph.add_node("greet", lambda state: {})
    graph.add_node("chat", turn)
    graph.add_edge(START, "greet")
    graph.add_edge("greet", "chat")
    return graph.compile(checkpointer=saver)


async def run_and_die(database: str, base_url: str, where: str) -> None:
    """Runs the turn and exits the process with code 9."""
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
        graph = graph_around(turn, saver) if inside else turn
        await graph.ainvoke(ask("Both?"), THREAD, durability="sync")


async def _until_stored(saver: AsyncSqliteSaver) -> None:
    """Waits until the result of the other tool is on disk."""
    writes: list[Any] = []
    while not any(
        channel == "tool_runs" and isinstance(value, list) for _, channel, value in writes
    ):
        checkpoints = [each async for each in saver.alist({"configurable": {"thread_id": "t"}})]
        writes = [write for each in checkpoints for write in each.pending_writes or ()]


if __name__ == "__main__":
    asyncio.run(run_and_die(*sys.argv[1:]))
