"""What all contenders are given: the same endpoint, the same question, the same tools.

Only the standard library is imported here: what a contender imports is part of what is measured.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

__all__ = [
    "ANSWER",
    "KEY",
    "MODEL",
    "QUESTION",
    "RESULT",
    "SYSTEM",
    "TIMEOUT_S",
    "Ask",
    "Contender",
    "Setting",
    "Tools",
    "conversation_of",
]
__all__ += ["functions_of", "tool_calls"]

MODEL: Final = "gpt-4o-mini"
KEY: Final = "no-key"
TIMEOUT_S: Final = 600.0
"""Of connecting and of reading alike: a busy machine must not fail a run."""
SYSTEM: Final = "You are a helpful assistant."
QUESTION: Final = "What is the weather in Oslo, and what is six times seven?"
ANSWER: Final = "It is sunny in Oslo, and six times seven is forty-two."
RESULT: Final = "Sunny in Oslo, 21 degrees."
"""What the tool returns."""

Tools = Literal["instant", "async_50ms", "sync_50ms"]
"""The tools answer at once, or after 50 ms, as coroutines or as functions that block."""


@dataclass(frozen=True)
class Setting:
    """How turns are run.

    folder: where conversations are stored in SQLite; `None` stores nothing. A database that is
    already there goes on to be used, with the thread that it holds.
    ledger: also hold, charge and keep every call in a ledger (turngraph alone has one).
    steps: in how many steps of LangGraph a turn's stages run (`chat_turn(steps=…)`).
    parent: run the turn as a node of a graph; the parent has the checkpointer, if there is one.
    earlier: turns that are in the conversation already; with 0 every turn begins one of its own.
    watch: deliver the answer piece by piece, as LangGraph's stream mode of this name does.
    """

    base_url: str
    folder: Path | None = None
    ledger: bool = False
    steps: Literal["auto", "each", "one"] = "auto"
    parent: bool = False
    earlier: int = 0
    watch: Literal["messages", "custom"] | None = None
    tools: Tools = "instant"

    def as_json(self) -> dict[str, Any]:
        """For another process: see `from_json`."""
        return {**asdict(self), "folder": None if self.folder is None else str(self.folder)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The setting that `as_json` wrote down.

        >>> setting = Setting("http://localhost/v1", folder=Path("here"))
        >>> Setting.from_json(setting.as_json()) == setting
        True
        """
        folder = data["folder"]
        return cls(**{**data, "folder": None if folder is None else Path(folder)})


Ask = Callable[[], Awaitable[str]]
"""Runs one turn on `QUESTION`; what the model says at last."""

Contender = Callable[[Setting], AbstractAsyncContextManager[Ask]]


def functions_of(kind: Tools) -> list[Callable[..., Any]]:
    """Three functions to offer as tools; the model calls the first.

    >>> [function.__name__ for function in functions_of("instant")]
    ['get_weather', 'calculate', 'find_document']
    """
    return [_weather(kind), calculate, find_document]


def _weather(kind: Tools) -> Callable[..., Any]:
    if kind == "sync_50ms":

        def get_weather(city: str) -> str:
            """The weather in a city, now."""
            time.sleep(0.05)
            return RESULT

        return get_weather

    async def get_weather_async(city: str) -> str:
        """The weather in a city, now."""
        if kind == "async_50ms":
            await asyncio.sleep(0.05)
        return RESULT

    get_weather_async.__name__ = get_weather_async.__qualname__ = "get_weather"
    return get_weather_async


async def calculate(expression: str, precision: int = 10) -> str:
    """The value of an arithmetic expression, such as 6 * 7."""
    raise AssertionError("The model of this benchmark does not call it.")


async def find_document(query: str, limit: int = 5, tags: list[str] | None = None) -> str:
    """The documents that fit a query best, with title and summary."""
    raise AssertionError("The model of this benchmark does not call it.")


def tool_calls(number: int) -> list[dict[str, Any]]:
    """As many calls of `get_weather`, each with an id of its own."""
    function = {"name": "get_weather", "arguments": '{"city":"Oslo"}'}
    return [{"id": f"call_{n:04}", "type": "function", "function": function} for n in range(number)]


def conversation_of(turns: int) -> list[dict[str, Any]]:
    """The messages of so many turns."""
    return [message for n in range(turns) for message in _turn(n)]


def _turn(number: int) -> list[dict[str, Any]]:
    # Every call has an id of its own: some contenders send a repeated one only once.
    [call] = [{**call, "id": f"call_{number:04}_of_earlier"} for call in tool_calls(1)]
    return [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": RESULT},
        {"role": "assistant", "content": ANSWER},
    ]
