"""The yardstick: the loop everyone writes first, on the OpenAI SDK as its pages show it."""

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from openai import AsyncOpenAI

from benchmarks.setting import (
    KEY,
    MODEL,
    QUESTION,
    SYSTEM,
    TIMEOUT_S,
    Ask,
    Setting,
    calculate,
    conversation_of,
    functions_of,
)

__all__ = ["SYSTEM_MESSAGE", "TOOLS", "contender"]


def _tool(name: str, description: str, required: str, **properties: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": [required]}
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


SYSTEM_MESSAGE: Final = {"role": "system", "content": SYSTEM}
_TAGS: Final = {"type": "array", "items": {"type": "string"}}
TOOLS: Final[Any] = [
    _tool("get_weather", "The weather in a city, now.", "city", city={"type": "string"}),
    _tool(
        "calculate",
        calculate.__doc__ or "",
        "expression",
        expression={"type": "string"},
        precision={"type": "integer", "default": 10},
    ),
    _tool(
        "find_document",
        "The documents that fit a query best, with title and summary.",
        "query",
        query={"type": "string"},
        limit={"type": "integer", "default": 5},
        tags={"anyOf": [_TAGS, {"type": "null"}], "default": None},
    ),
]


@asynccontextmanager
async def contender(setting: Setting) -> AsyncIterator[Ask]:
    """A client and a list of messages. Stores and checks nothing, calls tools as they are."""
    functions = {
        function.__name__: function
        if inspect.iscoroutinefunction(function)
        else partial(asyncio.to_thread, function)
        for function in functions_of(setting.tools)
    }
    history: list[Any] = [SYSTEM_MESSAGE, *conversation_of(setting.earlier)]
    async with AsyncOpenAI(
        base_url=setting.base_url, api_key=KEY, timeout=TIMEOUT_S, max_retries=0
    ) as client:

        async def ask() -> str:
            messages: list[Any] = history if setting.earlier else [SYSTEM_MESSAGE]
            messages.append({"role": "user", "content": QUESTION})
            if setting.watch is not None:
                return await streamed(client, messages)
            while True:
                answer = await client.chat.completions.create(
                    model=MODEL, messages=messages, tools=TOOLS
                )
                message = answer.choices[0].message
                messages.append(message.model_dump(exclude_none=True))
                if not message.tool_calls:
                    return message.content or ""
                messages += await asyncio.gather(
                    *(answered(call, functions) for call in message.tool_calls)
                )

        yield ask


async def streamed(client: AsyncOpenAI, messages: Any) -> str:
    """The answer, piece by piece."""
    stream = await client.chat.completions.create(
        model=MODEL,
        messages=messages,
        tools=TOOLS,
        stream=True,
        stream_options={"include_usage": True},
    )
    return "".join(
        [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
    )


async def answered(call: Any, functions: dict[str, Callable[..., Any]]) -> dict[str, Any]:
    """The message that answers `call`."""
    content = await functions[call.function.name](**json.loads(call.function.arguments))
    return {"role": "tool", "tool_call_id": call.id, "content": content}
