"""What tests of whole turns share: a turn on a scripted model, run sync or async."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from langgraph.types import Command

from turngraph.graphs import TurnGraph, chat_turn
from turngraph.providers import OpenAIProvider, ProviderConfig
from turngraph.scripted import ScriptedModel
from turngraph.scripted.loopback import LoopbackServer
from turngraph.state.result import TurnResult

KEY = "sk-planted-4711-do-not-show"

Run = Callable[..., dict[str, Any]]


class Vendor(LoopbackServer):
    """Answers every request by the next of `answers`, the last one again and again: a dict is a
    JSON body, a list the events of a stream. For what the scripted model does not say.
    """

    def __init__(self, *answers: Any) -> None:
        super().__init__(self._answer)
        self._answers = list(answers)
        self.bodies: list[dict[str, Any]] = []

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(json.loads(await request.read()))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, dict):
            return web.json_response(answer)
        events = "".join(f"data: {json.dumps(event)}\n\n" for event in answer)
        return web.Response(text=events, content_type="text/event-stream")


def completion(message: dict[str, Any], finish: str = "stop", **more: Any) -> dict[str, Any]:
    """A body of Chat Completions with one choice."""
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish}], **more}


def config(server: ScriptedModel, /, **fields: Any) -> ProviderConfig:
    """The scripted model as OpenAI's gpt-4o-mini, which has a price."""
    given = {
        "vendor": "openai",
        "model": "gpt-4o-mini",
        "base_url": server.base_url,
        "api_key": KEY,
        **fields,
    }
    return ProviderConfig(**given)


def turn_on(model: ScriptedModel, *, api: str = "chat", **options: Any) -> TurnGraph:
    """A turn whose requests `model` answers."""
    return chat_turn(OpenAIProvider(config(model, api=api)), **options)


def ask(text: str, **keys: Any) -> dict[str, Any]:
    """A turn's input: one user message."""
    return {"messages": [("user", text)], **keys}


def invoke(
    turn: TurnGraph, given: dict[str, Any] | Command[Any] | None, config: Any = None
) -> dict[str, Any]:
    """Run a turn in this thread."""
    return dict(turn.invoke(given, config))


def ainvoke(
    turn: TurnGraph, given: dict[str, Any] | Command[Any] | None, config: Any = None
) -> dict[str, Any]:
    """Run a turn on an event loop of its own."""
    return dict(asyncio.run(turn.ainvoke(given, config)))


both_ways = pytest.mark.parametrize("run", [invoke, ainvoke], ids=["sync", "async"])
both_apis = pytest.mark.parametrize("api", ["chat", "responses"])
streamed_or_not = pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])


def result_of(out: dict[str, Any]) -> TurnResult:
    """The typed result of a turn that is over."""
    result = out["result"]
    assert isinstance(result, TurnResult)
    return result


def told(out: dict[str, Any]) -> list[str]:
    """What the model was told by its tools, in the order of the conversation."""
    return [message.content for message in out["messages"] if message.type == "tool"]
