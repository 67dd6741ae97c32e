"""What arrives at an endpoint: the headers, the query and the body."""

import asyncio
import gc
import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiohttp import web
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import CallbackManager, StdOutCallbackHandler
from langchain_core.messages import HumanMessage
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from pydantic import SecretStr

from turngraph.graphs import chat_turn
from turngraph.providers import OpenAIProvider, ProviderConfig, Timeouts
from turngraph.providers.langchain import from_chat_model
from turngraph.providers.request_template import request_template
from turngraph.scripted import LoopbackServer
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.reply import ProviderReply
from turngraph.state.request import ToolSpec

KEY = "sk-planted-endpoint"
CHAT = {
    "id": "c1",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    ],
}
RESPONSE = {
    "id": "resp_1",
    "status": "completed",
    "output": [
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}
    ],
}


class Endpoint(LoopbackServer):
    """Answers both APIs, and keeps the requests it got."""

    def __init__(self, *, azure_key: str | None = None) -> None:
        super().__init__(self._answer)
        self.requests: list[web.BaseRequest] = []
        self.bodies: list[dict[str, Any]] = []
        self._azure_key = azure_key

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(json.loads(await request.read()))
        if self._azure_key is not None and (fault := self._azure_fault(request)):
            return web.json_response({"error": {"code": "401", "message": fault}}, status=401)
        return web.json_response(RESPONSE if request.path.endswith("/responses") else CHAT)

    def _azure_fault(self, request: web.Request) -> str | None:
        if "api-version" not in request.query:
            return "The api-version query parameter is required."
        return (
            None
            if request.headers.get("api-key") == self._azure_key
            else "Access denied: invalid key."
        )


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        yield server


@pytest.fixture
def azure() -> Iterator[Endpoint]:
    with Endpoint(azure_key=KEY) as server:
        yield server


def send(provider: OpenAIProvider) -> ProviderReply:
    request = request_template(provider.config, provider.api)
    return provider.send(provider.payload(request, [HumanMessage("Hello")]))


def asend(provider: OpenAIProvider) -> ProviderReply:
    request = request_template(provider.config, provider.api)
    return asyncio.run(provider.asend(provider.payload(request, [HumanMessage("Hello")])))


both_ways = pytest.mark.parametrize("ask", [send, asend], ids=["sync", "async"])
Ask = Callable[[OpenAIProvider], ProviderReply]


@both_ways
@pytest.mark.parametrize(
    ("ending", "path"),
    [
        ("", "/openai/deployments/my%20dep/chat/completions"),
        ("/openai", "/openai/deployments/my%20dep/chat/completions"),
        ("/openai/deployments/other", "/openai/deployments/other/chat/completions"),
        ("/openai/v1", "/openai/v1/chat/completions"),
    ],
)
def test_azure_gets_its_version_its_header_and_its_path(
    azure: Endpoint, ask: Ask, ending: str, path: str
) -> None:
    """Azure refuses a request that lacks one of the three. Its dated versions name the deployment
    in the path.
    """
    config = ProviderConfig(
        vendor="azure",
        model="my dep",
        base_url=azure.origin + ending,
        api_key=KEY,
        api_version="2024-10-21",
    )
    assert ask(OpenAIProvider(config)).text == "Hi"
    [request] = azure.requests
    assert (request.raw_path.partition("?")[0], request.query["api-version"]) == (
        path,
        "2024-10-21",
    )
    assert "Authorization" not in request.headers


@both_ways
def test_azures_responses_have_no_deployment_in_their_path(azure: Endpoint, ask: Ask) -> None:
    """The model is named in the body there."""
    config = ProviderConfig(
        vendor="azure",
        model="gpt-5-mini",
        base_url=f"{azure.origin}/openai",
        api_key=KEY,
        api="responses",
        api_version="2025-04-01-preview",
    )
    assert ask(OpenAIProvider(config)).text == "Hi"
    assert azure.requests[0].path == "/openai/responses"
    assert azure.bodies[0]["model"] == "gpt-5-mini"


@both_ways
def test_a_wrong_azure_key_is_an_error_without_the_key(azure: Endpoint, ask: Ask) -> None:
    """The server checks the key, so the tests above mean something."""
    wrong = "sk-planted-wrong"
    config = ProviderConfig(
        vendor="azure", model="dep", base_url=azure.origin, api_key=wrong, api_version="2024-10-21"
    )
    with pytest.raises(Exception, match="invalid key") as caught:
        ask(OpenAIProvider(config))
    assert wrong not in repr(caught.value) + str(caught.value)


def test_a_langchain_models_configuration_is_sent(endpoint: Endpoint) -> None:
    """Its key, headers, query and parameters arrive. Its retries are not used."""
    chat = ChatOpenAI(
        model="gpt-4o",
        base_url=endpoint.base_url,
        api_key=SecretStr(KEY),
        organization="org-7",
        default_headers={"X-Team": "blue"},
        default_query={"region": "north"},
        temperature=0.0,
        max_tokens=7,
        stop=["END"],
        seed=3,
        frequency_penalty=0.5,
        model_kwargs={"user": "u1"},
        extra_body={"top_k": 4},
        timeout=12.5,
    )
    provider = OpenAIProvider.from_chat_model(chat)
    assert send(provider).text == "Hi"
    [request], [body] = endpoint.requests, endpoint.bodies
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert (request.headers["OpenAI-Organization"], request.headers["X-Team"]) == ("org-7", "blue")
    assert request.query["region"] == "north"
    assert body == {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "Hello"}],
        "temperature": 0.0,
        "max_tokens": 7,
        "stop": ["END"],
        "seed": 3,
        "frequency_penalty": 0.5,
        "user": "u1",
        "top_k": 4,
    }
    assert provider.config.timeouts == Timeouts(
        connect_s=12.5, first_byte_s=12.5, idle_s=12.5, total_s=600
    )


@both_ways
def test_a_key_may_be_a_function(endpoint: Endpoint, ask: Ask) -> None:
    """Functions return tokens that expire. The client calls them, for this endpoint only."""
    chat = ChatOpenAI(model="m", base_url=endpoint.base_url, api_key=lambda: KEY)
    provider = OpenAIProvider.from_chat_model(chat)
    assert ask(provider).text == "Hi"
    assert endpoint.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    assert provider.config.api_key is None


@both_ways
def test_the_clients_of_a_langchain_model_stay_open(endpoint: Endpoint, ask: Ask) -> None:
    """They belong to whoever made the model, who goes on using them after the provider is gone."""
    chat = ChatOpenAI(model="gpt-4o", base_url=endpoint.base_url, api_key=SecretStr(KEY))
    provider = OpenAIProvider.from_chat_model(chat)
    assert ask(provider).text == "Hi"
    provider.close()
    asyncio.run(provider.aclose())
    del provider
    gc.collect()
    assert not chat.root_client.is_closed()
    assert not chat.root_async_client.is_closed()
    assert chat.invoke("Hello").text == "Hi"


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_turn_on_a_langchain_model_runs_on_one_event_loop_after_another(
    endpoint: Endpoint,
) -> None:
    """The model keeps connections of the first loop, which has ended; LangChain itself fails."""
    chat = ChatOpenAI(model="gpt-4o", base_url=endpoint.base_url, api_key=SecretStr(KEY))
    turn = chat_turn(chat)
    for _ in range(2):
        assert asyncio.run(turn.arun("Hello")).answer == "Hi"
    gc.collect()  # the connections that the model left open are reported here


def test_a_langchain_azure_models_client_is_used(azure: Endpoint) -> None:
    """Its client has the deployment, the version and the header."""
    chat = AzureChatOpenAI(
        azure_deployment="dep",
        azure_endpoint=azure.origin,
        api_version="2024-10-21",
        api_key=SecretStr(KEY),
    )
    assert send(OpenAIProvider.from_chat_model(chat)).text == "Hi"
    assert azure.requests[0].path == "/openai/deployments/dep/chat/completions"


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda chat: chat.bind(temperature=0.5),
        lambda chat: chat.bind_tools([{"type": "web_search"}]),
        lambda chat: chat.with_fallbacks([chat]),
        lambda chat: chat.with_retry(),
        lambda chat: chat.with_config(tags=["a"]),
        lambda chat: chat.with_structured_output(ToolSpec),
        lambda chat: chat.configurable_fields(),
        lambda chat: type(chat),
    ],
)
def test_what_stands_around_a_langchain_model_is_refused_and_not_lost(
    endpoint: Endpoint, wrapped: Any
) -> None:
    """Its attributes are the model's own, but not what it adds to a request."""
    chat = ChatOpenAI(model="gpt-4o", base_url=endpoint.base_url, api_key=SecretStr(KEY))
    for make in (chat_turn, OpenAIProvider.from_chat_model):
        with pytest.raises(TurnConfigurationError, match="ChatOpenAI itself"):
            make(wrapped(chat))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate_limiter", InMemoryRateLimiter(requests_per_second=1)),
        ("cache", InMemoryCache()),
        ("cache", True),
        ("callbacks", [StdOutCallbackHandler()]),
        ("callbacks", CallbackManager([StdOutCallbackHandler()])),
    ],
)
def test_what_a_turn_would_not_ask_is_refused_by_name(
    endpoint: Endpoint, name: str, value: Any
) -> None:
    """A limit that nobody keeps, or a callback that hears no charge, would be missed late."""
    known: dict[str, Any] = {
        "model": "gpt-4o",
        "base_url": endpoint.base_url,
        "api_key": SecretStr(KEY),
    }
    for make in (chat_turn, OpenAIProvider.from_chat_model):
        with pytest.raises(TurnConfigurationError, match=f"`{name}` of a ChatOpenAI is not used"):
            make(ChatOpenAI(**{**known, name: value}))
    chat_turn(ChatOpenAI(**known, cache=False, callbacks=[]))


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"streaming": True}, "`streaming`"),
        ({"disable_streaming": True}, "`disable_streaming`"),
        ({"stream_usage": False}, "`stream_usage`"),
        ({"use_previous_response_id": True}, "`use_previous_response_id`"),
        ({"output_version": "v1"}, "`output_version`"),
        ({"include_response_headers": True}, "`include_response_headers`"),
        ({"tags": ["a"]}, "`tags`"),
        ({"metadata": {"a": 1}}, "`metadata`"),
        ({"reasoning": {"effort": "low", "context": "all"}}, "`reasoning.context`"),
        ({"streaming": False, "tags": None, "reasoning": {"effort": "low"}}, ""),
        ({"top_p": 0.5}, ""),
    ],
)
def test_what_a_turn_does_not_heed_is_named_in_the_log(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture, fields: dict[str, Any], told: str
) -> None:
    """It changes how LangChain's own call goes, not what is asked: the turn may run without it."""
    known = {"model": "gpt-4o", "base_url": endpoint.base_url, "api_key": SecretStr(KEY)}
    chat_turn(ChatOpenAI(**known, **fields))
    assert told in caplog.text
    assert ("is not heeded by a turn" in caplog.text) == bool(told)


def test_every_field_of_a_langchain_model_is_read_refused_or_named() -> None:
    """A field of a newer release is looked at before a user misses what it says."""
    of_the_client = {
        *("client", "async_client", "root_client", "root_async_client", "http_client"),
        *("http_async_client", "http_socket_options", "openai_proxy", "default_query"),
        *("openai_api_key", "openai_api_base", "max_retries"),
    }
    of_langchain_alone = {
        *("name", "verbose", "custom_get_token_ids", "profile", "tiktoken_model_name"),
        "disabled_params",  # it filters what `bind_tools` is given
    }
    read = {
        *from_chat_model._FIELDS.values(),
        *from_chat_model._BODY_FIELDS,
        *from_chat_model._NOT_USED,
        *from_chat_model._LEFT_OUT,
        *("model_name", "stop", "request_timeout", "stream_chunk_timeout", "default_headers"),
        *("model_kwargs", "extra_body", "use_responses_api", "reasoning"),
    }
    known = read | of_the_client | of_langchain_alone
    assert set(ChatOpenAI.model_fields) - known == set()


def test_the_pause_that_a_langchain_model_allows_in_a_stream_is_kept(endpoint: Endpoint) -> None:
    known: dict[str, Any] = {
        "model": "gpt-4o",
        "base_url": endpoint.base_url,
        "api_key": SecretStr(KEY),
    }
    read = ProviderConfig.from_chat_model
    assert read(ChatOpenAI(**known, stream_chunk_timeout=7)).timeouts.idle_s == 7
    both = read(ChatOpenAI(**known, stream_chunk_timeout=7, timeout=30)).timeouts
    assert (both.idle_s, both.first_byte_s) == (7, 30)
    assert read(ChatOpenAI(**known)).timeouts == Timeouts()


def test_a_turn_accepts_a_langchain_model(endpoint: Endpoint) -> None:
    """Somebody's graph may have one already; the turn then sends what it would send."""
    chat = ChatOpenAI(
        model="gpt-4o",
        base_url=endpoint.base_url,
        api_key=SecretStr(KEY),
        use_responses_api=True,
        top_p=0.5,
    )
    out = chat_turn(chat).invoke({"messages": [("user", "Hello")]})
    assert out["result"].answer == "Hi"
    assert endpoint.requests[0].path == "/v1/responses"
    assert endpoint.bodies[0]["top_p"] == 0.5


@both_ways
def test_a_remote_servers_token_is_added_when_a_request_is_sent(
    endpoint: Endpoint, ask: Ask
) -> None:
    """It is in no payload, which is stored and shown, and only in its own server's tool."""
    tools = [
        {"type": "mcp", "server_label": "wiki", "server_url": "https://mcp.example.com"},
        {"type": "mcp", "server_label": "wiki", "server_url": "https://elsewhere.example.com"},
        {"type": "web_search"},
    ]
    config = ProviderConfig(
        model="gpt-5-mini",
        base_url=endpoint.base_url,
        api="responses",
        builtin_tools=tuple(tools),
        mcp_authorization={"https://mcp.example.com": SecretStr(KEY)},
    )
    provider = OpenAIProvider(config)
    payload = provider.payload(request_template(config, provider.api), [HumanMessage("Hello")])
    assert payload.body["tools"] == tools
    assert ask(provider).text == "Hi"
    assert endpoint.bodies[0]["tools"] == [{**tools[0], "authorization": KEY}, *tools[1:]]


@both_ways
def test_credentials_in_the_url_arrive_as_a_header(endpoint: Endpoint, ask: Ask) -> None:
    """HTTP libraries differ in what they do with such a URL, and all of them would log it."""
    config = ProviderConfig(model="m", base_url=endpoint.base_url.replace("://", f"://me:{KEY}@"))
    assert ask(OpenAIProvider(config)).text == "Hi"
    assert (
        endpoint.requests[0].headers["Authorization"]
        == "Basic " + b64encode(f"me:{KEY}".encode()).decode()
    )
    assert KEY in config.secrets
    assert KEY not in repr(config) + str(OpenAIProvider(config).get_current_config_values())


def test_credentials_in_the_url_beside_a_key_are_refused() -> None:
    """Only one of them could be sent."""
    with pytest.raises(
        TurnConfigurationError, match="both go into the `Authorization` header"
    ) as caught:
        ProviderConfig(
            model="m", base_url=f"https://me:{KEY}@example.com/v1", api_key=SecretStr(KEY)
        )
    assert KEY not in str(caught.value)
