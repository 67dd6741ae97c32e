"""What the contenders built on LangGraph share: tools, a checkpointer, a parent graph."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from langchain_core.tools import BaseTool, tool
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, MessagesState, StateGraph

from benchmarks.setting import Setting, Tools, functions_of

__all__ = ["THREAD", "as_node", "saver_in", "tools_of"]

THREAD: Final = "kept"
"""The thread with earlier turns."""


@asynccontextmanager
async def saver_in(setting: Setting, name: str) -> AsyncIterator[AsyncSqliteSaver | None]:
    """LangGraph's own saver on the database `name` of the setting's folder, where it has one."""
    if setting.folder is None:
        yield None
        return
    async with AsyncSqliteSaver.from_conn_string(str(setting.folder / f"{name}.db")) as saver:
        await saver.setup()
        yield saver


def tools_of(kind: Tools) -> list[BaseTool]:
    """The functions of `functions_of` as LangChain tools."""
    return [tool(function) for function in functions_of(kind)]


def as_node(graph: Any, saver: AsyncSqliteSaver | None) -> Any:
    """A parent graph whose only node is `graph`."""
    parent = StateGraph(MessagesState)
    parent.add_node("chat", graph)
    parent.add_edge(START, "chat")
    parent.add_edge("chat", END)
    return parent.compile(saver)
