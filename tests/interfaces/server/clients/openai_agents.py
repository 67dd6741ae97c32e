"""OpenAI's Agents SDK against the server at argv[1], over both APIs: text, stream, tools,
structured output and errors. `make server-clients`.
"""

import asyncio
import sys
from typing import Any

import openai
from agents import (
    Agent,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from pydantic import BaseModel

set_tracing_disabled(True)
called: list[int] = []


class City(BaseModel):
    """What is asked for."""

    name: str


def locate() -> str:
    """Says where the user is."""
    called.append(1)
    return "Rome"


async def check(kind: Any) -> None:
    """Asks a model of one API."""
    client = openai.AsyncOpenAI(base_url=f"{sys.argv[1]}/v1", api_key="acme", max_retries=0)
    model = kind("assistant", openai_client=client)
    agent = Agent(name="Calculating", model=model)
    whole = await Runner.run(agent, "What is 6 * 7?")
    assert "42" in whole.final_output
    assert whole.context_wrapper.usage.total_tokens > 0
    again: Any = [*whole.to_input_list(), {"role": "user", "content": "What is 6 * 8?"}]
    assert "48" in (await Runner.run(agent, again)).final_output

    streamed = Runner.run_streamed(agent, "What is 6 * 7?")
    events = [event.type async for event in streamed.stream_events()]
    assert "42" in streamed.final_output
    assert events.count("raw_response_event") > 3

    called.clear()
    located = await Runner.run(
        Agent(name="Here", model=model, tools=[function_tool(locate)]), "Call locate."
    )
    assert "Rome" in located.final_output
    assert called == [1]

    formed = await Runner.run(Agent(name="Form", model=model, output_type=City), "Name a city.")
    assert isinstance(formed.final_output, City)

    try:
        await Runner.run(Agent(name="Nobody", model=kind("nobody", openai_client=client)), "Hi")
    except openai.NotFoundError:
        pass
    else:
        raise AssertionError("a model that is not served was asked")
    print(f"openai-agents: {kind.__name__} ok")


async def main() -> None:
    """Both APIs."""
    for kind in (OpenAIChatCompletionsModel, OpenAIResponsesModel):
        await check(kind)


asyncio.run(main())
