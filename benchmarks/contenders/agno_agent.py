"""agno's `Agent`, as its documentation shows it. Not asked to store anything."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from agno.agent import Agent
from agno.models.message import Message
from agno.models.openai import OpenAIChat

from benchmarks.setting import (
    KEY,
    MODEL,
    QUESTION,
    SYSTEM,
    TIMEOUT_S,
    Ask,
    Setting,
    conversation_of,
    functions_of,
)

__all__ = ["contender"]


@asynccontextmanager
async def contender(setting: Setting) -> AsyncIterator[Ask]:
    """The agent, and earlier turns given by the caller."""
    agent: Any = Agent(
        model=OpenAIChat(
            id=MODEL, base_url=setting.base_url, api_key=KEY, timeout=TIMEOUT_S, max_retries=0
        ),
        tools=functions_of(setting.tools),
        system_message=SYSTEM,
        telemetry=False,
    )
    earlier = [Message(**one) for one in conversation_of(setting.earlier)]

    async def ask() -> str:
        given = [*earlier, Message(role="user", content=QUESTION)] if earlier else QUESTION
        if setting.watch is None:
            return str((await agent.arun(given)).content)
        events = agent.arun(given, stream=True)
        return "".join([str(event.content) async for event in events if event.content])

    yield ask
