"""What all contenders are given: the same endpoint, the same question, the same tools."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from langchain_core.tools import BaseTool, tool
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

__all__ = [
    "KEY",
    "MODEL",
    "QUESTION",
    "Ask",
    "Contender",
    "Setting",
    "Tools",
    "saver_in",
    "tools_of",
]

MODEL: Final = "gpt-4o-mini"
KEY: Final = "no-key"
QUESTION: Final = "What is the weather in Oslo, and what is six times seven?"

Tools = Literal["instant", "async_50ms", "sync_50ms"]
"""The tools answer at once, or after 50 ms, as coroutines or as functions that block."""


@dataclass(frozen=True)
class Setting:
    """How turns are run.

    folder: where conversations are kept in SQLite, durably at every step; `None` keeps nothing.
    synchronous: SQLite's pragma: `FULL` waits for the disk at every commit (its default), `NORMAL`
    does not. ledger: reserve, charge and keep every call in a ledger too (turngraph alone has one).
    steps: in how many steps of LangGraph a turn's stages run (`chat_turn(steps=…)`).
    earlier: turns that stand in the conversation already; with 0 every turn begins one of its own.
    watch: deliver the answer piece by piece, as LangGraph's stream mode of this name does.
    """

    base_url: str
    folder: Path | None = None
    synchronous: Literal["FULL", "NORMAL"] = "FULL"
    ledger: bool = False
    steps: Literal["auto", "each", "one"] = "auto"
    earlier: int = 0
    watch: Literal["messages", "custom"] | None = None
    tools: Tools = "instant"


Ask = Callable[[], Awaitable[str]]
"""Runs one turn on `QUESTION`; what the model says at last."""

Contender = Callable[[Setting], AbstractAsyncContextManager[Ask]]


@asynccontextmanager
async def saver_in(setting: Setting, name: str) -> AsyncIterator[AsyncSqliteSaver | None]:
    """LangGraph's own saver on the database `name` of the setting's folder, where it has one."""
    if setting.folder is None:
        yield None
        return
    async with AsyncSqliteSaver.from_conn_string(str(setting.folder / f"{name}.db")) as saver:
        await saver.setup()
        await saver.conn.execute(f"PRAGMA synchronous={setting.synchronous}")
        yield saver


def tools_of(kind: Tools) -> list[BaseTool]:
    """Three tools; the model calls the first.

    >>> [one.name for one in tools_of("instant")]
    ['get_weather', 'calculate', 'find_document']
    """
    return [_weather(kind), calculate, find_document]


def _weather(kind: Tools) -> BaseTool:
    if kind == "sync_50ms":

        @tool("get_weather")
        def weather_slowly(city: str) -> str:
            """The weather in a city, now."""
            time.sleep(0.05)
            return f"Sunny in {city}, 21 degrees."

        return weather_slowly

    @tool("get_weather")
    async def weather(city: str) -> str:
        """The weather in a city, now."""
        if kind == "async_50ms":
            await asyncio.sleep(0.05)
        return f"Sunny in {city}, 21 degrees."

    return weather


@tool
async def calculate(expression: str, precision: int = 10) -> str:
    """The value of an arithmetic expression, such as 6 * 7."""
    raise AssertionError("The model of this benchmark does not call it.")


@tool
async def find_document(query: str, limit: int = 5, tags: list[str] | None = None) -> str:
    """The documents that fit a query best, with title and summary."""
    raise AssertionError("The model of this benchmark does not call it.")
