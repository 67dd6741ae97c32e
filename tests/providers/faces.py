"""What tests of the LangChain face share: a model on a scripted server, asked in each of the four
ways.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from turngraph.providers import TurngraphChatModel
from turngraph.scripted import ScriptedModel

both_apis = pytest.mark.parametrize("api", ["chat", "responses"])
Ask = Callable[..., AIMessage]


@tool
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


def face(served: ScriptedModel, api: str = "chat", /, **fields: Any) -> TurngraphChatModel:
    place = {"vendor": "openai", "model": "gpt-5-mini", "base_url": served.base_url, "api_key": "k"}
    return TurngraphChatModel(**{**place, "use_responses_api": api == "responses", **fields})


def invoke(asked: Any, given: Any = "Q", /, **said: Any) -> Any:
    return asked.invoke(given, **said)


def ainvoke(asked: Any, given: Any = "Q", /, **said: Any) -> Any:
    return asyncio.run(asked.ainvoke(given, **said))


def stream(asked: Any, given: Any = "Q", /, **said: Any) -> Any:
    first, *rest = asked.stream(given, **said)
    return sum(rest, first)


def astream(asked: Any, given: Any = "Q", /, **said: Any) -> Any:
    async def taken() -> list[Any]:
        return [chunk async for chunk in asked.astream(given, **said)]

    first, *rest = asyncio.run(taken())
    return sum(rest, first)


every_way = pytest.mark.parametrize("ask", [invoke, ainvoke, stream, astream])
