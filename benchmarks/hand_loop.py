"""The yardstick: the loop everyone writes first, on the OpenAI SDK as its pages show it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from langchain_core.utils.function_calling import convert_to_openai_tool
from openai import AsyncOpenAI

from benchmarks.server import ANSWER, tool_calls
from benchmarks.setting import KEY, MODEL, QUESTION, Ask, Setting, tools_of

__all__ = ["hand_loop"]


@asynccontextmanager
async def hand_loop(setting: Setting) -> AsyncIterator[Ask]:
    """A client and a list of messages. Stores and checks nothing, calls tools as they are."""
    tools = tools_of(setting.tools)
    offered: Any = [convert_to_openai_tool(tool) for tool in tools]
    functions: dict[str, Any] = {
        tool.name: getattr(tool, "coroutine", None) or threaded(tool) for tool in tools
    }
    history: list[Any] = [message for _ in range(setting.earlier) for message in earlier_turn()]
    async with AsyncOpenAI(base_url=setting.base_url, api_key=KEY, max_retries=0) as client:

        async def ask() -> str:
            messages: list[Any] = history if setting.earlier else []
            messages.append({"role": "user", "content": QUESTION})
            if setting.watch is not None:
                return await streamed(client, messages, offered)
            while True:
                answer = await client.chat.completions.create(
                    model=MODEL, messages=messages, tools=offered
                )
                message = answer.choices[0].message
                messages.append(message.model_dump(exclude_none=True))
                if not message.tool_calls:
                    return message.content or ""
                messages += await asyncio.gather(
                    *(told(call, functions) for call in message.tool_calls)
                )

        yield ask


async def streamed(client: AsyncOpenAI, messages: Any, offered: Any) -> str:
    """The answer, piece by piece."""
    stream = await client.chat.completions.create(
        model=MODEL,
        messages=messages,
        tools=offered,
        stream=True,
        stream_options={"include_usage": True},
    )
    return "".join(
        [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
    )


async def told(call: Any, functions: dict[str, Any]) -> dict[str, Any]:
    """The message that answers `call`."""
    said = await functions[call.function.name](**json.loads(call.function.arguments))
    return {"role": "tool", "tool_call_id": call.id, "content": said}


def threaded(tool: Any) -> Any:
    """A function that blocks, moved off the event loop as asyncio's documentation says."""

    async def call(**arguments: Any) -> Any:
        return await asyncio.to_thread(tool.func, **arguments)

    return call


def earlier_turn() -> list[dict[str, Any]]:
    """The messages one turn leaves."""
    [call] = tool_calls(1)
    return [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "Sunny in Oslo, 21 degrees."},
        {"role": "assistant", "content": ANSWER},
    ]
