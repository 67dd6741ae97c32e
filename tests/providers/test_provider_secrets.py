"""A key is in nothing that a provider shows: no `repr`, log, error, traceback, copy or pickle."""

import asyncio
import copy
import logging
import pickle
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.load import dumps
from langchain_core.messages import HumanMessage
from pydantic import SecretStr

from turngraph.providers import OpenAIProvider, ProviderConfig, TurngraphChatModel
from turngraph.providers.request_template import request_template
from turngraph.scripted import Fail, Raw, ScriptedModel
from turngraph.state.errors import ProviderError, TurnConfigurationError

KEY = "sk-planted-0815-secret"
ECHO = {
    "error": {
        "message": f"Incorrect API key provided: {KEY}.",
        "type": KEY,
        "code": KEY,
        "param": KEY,
    }
}
ECHO_EVENT = f'data: {{"error": {{"message": "Bad key {KEY}", "code": "{KEY}"}}}}'


@pytest.fixture
def served() -> Iterator[ScriptedModel]:
    with ScriptedModel([Fail(401, ECHO), Raw([ECHO_EVENT])] * 4) as model:
        yield model


def config(served: ScriptedModel) -> ProviderConfig:
    return ProviderConfig(
        vendor="openai",
        model="gpt-5-mini",
        api="responses",
        base_url=served.base_url,
        api_key=SecretStr(KEY),
        headers={"X-Gateway-Token": f"{KEY}-header"},
        builtin_tools=(
            {"type": "mcp", "server_label": "w", "server_url": "https://mcp.example.com"},
        ),
        mcp_authorization={"https://mcp.example.com": SecretStr(f"{KEY}-mcp")},
    )


def full_text_of(error: BaseException) -> str:
    """Returns what a log or an issue tracker would show of `error`."""
    return (
        "".join(traceback.format_exception(error))
        + repr(error)
        + repr(vars(error))
        + repr(error.args)
    )


def chat_model(served: ScriptedModel) -> TurngraphChatModel:
    return TurngraphChatModel(
        model="gpt-5-mini",
        vendor="openai",
        base_url=served.base_url,
        api_key=KEY,
        default_headers={"X-Gateway-Token": f"{KEY}-header"},
    )


def test_nothing_shows_the_key(served: ScriptedModel) -> None:
    """Notebooks print the last value of a cell."""
    configuration = config(served)
    provider = OpenAIProvider(configuration)
    payload = provider.payload(request_template(configuration, provider.api), [HumanMessage("Q")])
    model = chat_model(served)
    shown: list[Any] = [
        configuration,
        provider,
        provider._transport,
        payload,
        provider.stream_generate([("user", "Q")]),
        provider.get_current_config_values(),
        provider.get_ui_config_schema(),
        provider.get_capabilities(),
        model,
        model.bind(stop=["x"]),
        model.model_dump(),
        model.asdict(),
        model._get_invocation_params(),
        model._get_ls_params(),
        dumps(model),
    ]
    assert [place for place in shown if KEY in repr(place) + str(place)] == []
    assert KEY not in configuration.model_dump_json(exclude={"headers", "base_url"})


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_errors_and_logs_do_not_contain_the_key(
    served: ScriptedModel, caplog: pytest.LogCaptureFixture, asynchronous: bool
) -> None:
    """Vendors quote keys in their errors, and tracebacks show the errors that caused an error."""
    caplog.set_level(logging.DEBUG)
    provider, model = OpenAIProvider(config(served)), chat_model(served)
    calls = _async_calls(provider, model) if asynchronous else _calls(provider, model)
    for call in calls:
        with pytest.raises(ProviderError) as caught:
            call()
        assert KEY not in full_text_of(caught.value)
    assert len(served.requests) == 4
    assert any(KEY in str(request.headers) for request in served.requests), (
        "the key was really used"
    )
    assert KEY not in caplog.text


def _calls(provider: OpenAIProvider, model: TurngraphChatModel) -> list[Any]:
    return [
        lambda: provider.send(provider.stream_generate([("user", "Q")]).payload),
        lambda: list(provider.stream_generate([("user", "Q")])),
        lambda: model.invoke("Q"),
        lambda: list(model.stream("Q")),
    ]


def _async_calls(provider: OpenAIProvider, model: TurngraphChatModel) -> list[Any]:
    async def drained(pieces: Any) -> None:
        async for _ in pieces:
            pass

    return [
        lambda: asyncio.run(provider.asend(provider.stream_generate([("user", "Q")]).payload)),
        lambda: asyncio.run(drained(provider.stream_generate([("user", "Q")]))),
        lambda: asyncio.run(model.ainvoke("Q")),
        lambda: asyncio.run(drained(model.astream("Q"))),
    ]


def test_what_has_a_key_cannot_be_pickled(served: ScriptedModel) -> None:
    """Pickles lie in queues and caches. The error says what to do instead."""
    configuration = config(served)
    for thing in (configuration, OpenAIProvider(configuration), chat_model(served)):
        with pytest.raises(TurnConfigurationError, match="not pickled"):
            pickle.dumps(thing)
    keyless = ProviderConfig(vendor="ollama", model="m", temperature=0)
    assert pickle.loads(pickle.dumps(keyless)) == keyless
    with pytest.raises(TurnConfigurationError, match="make it in the process that uses it"):
        pickle.dumps(OpenAIProvider(keyless))


def test_a_copy_of_a_provider_is_the_same_provider(served: ScriptedModel) -> None:
    """Graph libraries copy what they are given, and connections cannot be copied."""
    provider = OpenAIProvider(config(served))
    assert copy.copy(provider) is provider
    assert copy.deepcopy({"provider": provider})["provider"] is provider
    assert copy.deepcopy(chat_model(served)).provider.config == chat_model(served).provider.config
