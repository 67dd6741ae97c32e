"""The URL that is shown is the URL that receives the request, whatever the endpoint looks like."""

import asyncio
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from langchain_openai import AzureChatOpenAI
from pydantic import SecretStr

from turngraph import TurnStepper
from turngraph.graphs import chat_turn
from turngraph.providers import OpenAIProvider, ProviderConfig
from turngraph.providers.wire.endpoint import request_url
from turngraph.scripted import LoopbackServer

BODY = {"model": "m", "messages": []}
CHAT = {
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    ]
}
RESPONSE: dict[str, Any] = {"id": "resp_1", "status": "completed", "output": []}


class Receiver(LoopbackServer):
    """Answers both APIs, and keeps the whole URL and the headers of each request."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.urls: list[str] = []
        self.headers: list[dict[str, str]] = []

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.urls.append(f"{self.origin}{request.raw_path}")
        self.headers.append(dict(request.headers))
        return web.json_response(RESPONSE if "/responses" in request.path else CHAT)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize(
    ("path", "api_version"),
    [
        ("/v1", None),
        ("/v1/", None),
        ("/openai/v1", None),
        ("/openai/v1", "preview"),
        ("", "2024-10-21"),
        ("/openai/", "2024-10-21"),
        ("/openai/deployments/my%20dep", "2024-10-21"),
        ("/gateway/openai", "2025-04-01-preview"),
    ],
)
def test_requests_arrive_at_the_url_of_their_configuration(
    receiver: Receiver, api: Any, path: str, api_version: str | None
) -> None:
    """Sync and async requests, over a real socket, with path and query."""
    config = ProviderConfig(
        vendor="azure" if api_version else "custom",
        model="my dep",
        base_url=receiver.origin + path,
        api_key=SecretStr("k"),
        api=api,
        api_version=api_version,
    )
    provider = OpenAIProvider(config)
    provider.send(BODY)
    asyncio.run(provider.asend(BODY))
    assert receiver.urls == [request_url(config, api)] * 2 == [provider.url] * 2


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_the_stepper_shows_the_url_that_a_dated_azure_endpoint_receives(
    receiver: Receiver, api: Any
) -> None:
    """With the deployment, the version, and the header that Azure reads the key from."""
    config = ProviderConfig(
        vendor="azure",
        model="dep",
        base_url=receiver.origin,
        api_key=SecretStr("k"),
        api=api,
        api_version="2024-10-21",
    )
    with TurnStepper(chat_turn(OpenAIProvider(config)), {"messages": [("user", "Hi")]}) as stepper:
        stepper.run_until("call_llm")
        request = stepper.request
        assert request is not None
        stepper.run()
    assert receiver.urls == [request.url]
    assert "api-version=2024-10-21" in request.url
    words = shlex.split(request.as_curl())
    assert words[1] == request.url
    assert "api-key: $AZURE_OPENAI_API_KEY" in words
    assert f"{request.url!r}" in request.as_python()
    assert "'api-key': os.environ.get('AZURE_OPENAI_API_KEY', '')" in request.as_python()
    assert receiver.headers[0]["api-key"] == "k"


@pytest.mark.parametrize("use_responses_api", [False, True])
def test_a_langchain_azure_model_has_the_url_of_its_own_client(
    receiver: Receiver, use_responses_api: bool
) -> None:
    """Its client has the deployment in its base URL; it must be neither doubled nor lost."""
    chat = AzureChatOpenAI(
        azure_deployment="dep",
        azure_endpoint=receiver.origin,
        api_version="2024-10-21",
        api_key=SecretStr("k"),
        use_responses_api=use_responses_api,
    )
    provider = OpenAIProvider.from_chat_model(chat)
    provider.send(BODY)
    assert receiver.urls == [provider.url]
