"""What tests of the chat model share: a model on a scripted server, called in four ways."""

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


def chat_model(server: ScriptedModel, api: str = "chat", /, **fields: Any) -> TurngraphChatModel:
    defaults = {
        "vendor": "openai",
        "model": "gpt-5-mini",
        "base_url": server.base_url,
        "api_key": "k",
    }
    return TurngraphChatModel(**{**defaults, "use_responses_api": api == "responses", **fields})


def invoke(runnable: Any, messages: Any = "Q", /, **parameters: Any) -> Any:
    return runnable.invoke(messages, **parameters)


def ainvoke(runnable: Any, messages: Any = "Q", /, **parameters: Any) -> Any:
    return asyncio.run(runnable.ainvoke(messages, **parameters))


def stream(runnable: Any, messages: Any = "Q", /, **parameters: Any) -> Any:
    first, *rest = runnable.stream(messages, **parameters)
    return sum(rest, first)


def astream(runnable: Any, messages: Any = "Q", /, **parameters: Any) -> Any:
    async def chunks() -> list[Any]:
        return [chunk async for chunk in runnable.astream(messages, **parameters)]

    first, *rest = asyncio.run(chunks())
    return sum(rest, first)


every_way = pytest.mark.parametrize("ask", [invoke, ainvoke, stream, astream])
