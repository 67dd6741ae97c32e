"""The OpenAI Agents SDK, as its documentation shows it, without tracing. Not asked to store
anything.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from agents import (
    Agent,
    OpenAIChatCompletionsModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI

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
    set_tracing_disabled(True)
    async with AsyncOpenAI(
        base_url=setting.base_url, api_key=KEY, timeout=TIMEOUT_S, max_retries=0
    ) as client:
        agent: Any = Agent(
            name="agent",
            instructions=SYSTEM,
            model=OpenAIChatCompletionsModel(MODEL, client),
            tools=[function_tool(one, strict_mode=False) for one in functions_of(setting.tools)],
        )
        earlier = as_items(conversation_of(setting.earlier))

        async def ask() -> str:
            given: Any = [*earlier, {"role": "user", "content": QUESTION}] if earlier else QUESTION
            if setting.watch is None:
                return str((await Runner.run(agent, given)).final_output)
            run = Runner.run_streamed(agent, given)
            return "".join(
                [
                    event.data.delta
                    async for event in run.stream_events()
                    if getattr(event, "data", None) is not None
                    and event.data.type == "response.output_text.delta"
                ]
            )

        yield ask


def as_items(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages of Chat Completions as the input items of this SDK."""
    items: list[dict[str, Any]] = []
    for message in messages:
        if message["role"] == "tool":
            output = {"call_id": message["tool_call_id"], "output": message["content"]}
            items.append({"type": "function_call_output", **output})
        elif message["content"] is not None:
            items.append({"role": message["role"], "content": message["content"]})
        items += [
            {"type": "function_call", "call_id": call["id"], **call["function"]}
            for call in message.get("tool_calls", ())
        ]
    return items
