"""pydantic-ai against the server at argv[1], over both APIs: text, stream, tools, structured output
and errors. `make server-clients`.
"""

import asyncio
import sys
from typing import Any

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

server = OpenAIProvider(base_url=f"{sys.argv[1]}/v1", api_key="acme")


class City(BaseModel):
    """What is asked for."""

    name: str


async def check(kind: Any) -> None:
    """Asks a model of one API."""
    agent = Agent(kind("assistant", provider=server))
    whole = await agent.run("What is 6 * 7?")
    assert "42" in whole.output
    assert whole.usage.total_tokens > 0
    more = await agent.run("What is 6 * 8?", message_history=whole.all_messages())
    assert "48" in more.output

    async with agent.run_stream("What is 6 * 7?") as stream:
        pieces = [piece async for piece in stream.stream_text(delta=True, debounce_by=None)]
    assert "42" in "".join(pieces)
    assert len(pieces) > 3

    called = []

    def locate() -> str:
        """Says where the user is."""
        called.append(1)
        return "Rome"

    located = await Agent(kind("assistant", provider=server), tools=[locate]).run("Call locate.")
    assert "Rome" in located.output
    assert called == [1]

    formed = Agent(kind("assistant", provider=server), output_type=NativeOutput(City))
    assert isinstance((await formed.run("Name a city.")).output, City)

    status = 200
    try:
        await Agent(kind("nobody", provider=server)).run("Hi")
    except ModelHTTPError as error:
        status = error.status_code
    assert status == 404, "a model that is not served was asked"
    print(f"pydantic-ai: {kind.__name__} ok")


async def main() -> None:
    """Both APIs."""
    for kind in (OpenAIChatModel, OpenAIResponsesModel):
        await check(kind)


asyncio.run(main())
