"""What the tests of the scripted model share: clients of the real SDK, and a tool."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionFunctionToolParam
from openai.types.responses import FunctionToolParam
from openai.types.shared_params import FunctionDefinition

from turngraph.scripted.loopback import LoopbackServer
from turngraph.scripted.server import ScriptedModel

WEATHER: FunctionDefinition = {
    "name": "get_current_weather",
    "description": "The weather at a place.",
    "parameters": {
        "type": "object",
        "properties": {
            "location": {"type": "string"},
            "unit": {"type": "string", "enum": ["METRIC", "USCS"]},
        },
        "required": ["location"],
    },
}
CALCULATOR: FunctionDefinition = {
    "name": "calculator",
    "description": "Works out a sum.",
    "parameters": {
        "type": "object",
        "properties": {"expression": {"type": "string"}},
        "required": ["expression"],
    },
}


Connect = Callable[..., openai.OpenAI]


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as model:
        yield model


@pytest.fixture
def connect() -> Iterator[Connect]:
    """The real SDK, talking to a model, never trying twice."""
    with ExitStack() as stack:

        def connect(model: LoopbackServer, key: str = "any", **options: Any) -> openai.OpenAI:
            made = openai.OpenAI(base_url=model.base_url, api_key=key, max_retries=0, **options)
            return stack.enter_context(made)

        yield connect


@pytest.fixture
def client(model: ScriptedModel, connect: Connect) -> openai.OpenAI:
    return connect(model)


@pytest.fixture
def chat_tools() -> list[ChatCompletionFunctionToolParam]:
    return [{"type": "function", "function": tool} for tool in (WEATHER, CALCULATOR)]


@pytest.fixture
def responses_tools() -> list[FunctionToolParam]:
    return [
        {
            "type": "function",
            "strict": False,
            "name": tool["name"],
            "description": tool["description"],
            "parameters": tool["parameters"],
        }
        for tool in (WEATHER, CALCULATOR)
    ]
