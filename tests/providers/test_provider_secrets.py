"""A planted key is in nothing a provider shows: not in `repr`, logs, errors, tracebacks, copies or
pickles.
"""

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


def everything_of(error: BaseException) -> str:
    """What a log or an issue tracker would show of it."""
    return (
        "".join(traceback.format_exception(error))
        + repr(error)
        + repr(vars(error))
        + repr(error.args)
    )


def face(served: ScriptedModel) -> TurngraphChatModel:
    return TurngraphChatModel(
        model="gpt-5-mini",
        vendor="openai",
        base_url=served.base_url,
        api_key=KEY,
        default_headers={"X-Gateway-Token": f"{KEY}-header"},
    )


def test_nothing_shows_the_key(served: ScriptedModel) -> None:
    """Notebooks print what a cell ends with."""
    made = config(served)
    provider = OpenAIProvider(made)
    payload = provider.payload(request_template(made, provider.api), [HumanMessage("Q")])
    model = face(served)
    shown: list[Any] = [
        made,
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
    assert KEY not in made.model_dump_json(exclude={"headers", "base_url"})


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_errors_and_logs_do_not_hold_the_key(
    served: ScriptedModel, caplog: pytest.LogCaptureFixture, asynchronous: bool
) -> None:
    """Vendors quote keys in their errors, and tracebacks carry what they were raised from."""
    caplog.set_level(logging.DEBUG)
    provider, model = OpenAIProvider(config(served)), face(served)
    calls = _async_calls(provider, model) if asynchronous else _calls(provider, model)
    for call in calls:
        with pytest.raises(ProviderError) as caught:
            call()
        assert KEY not in everything_of(caught.value)
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


def test_a_pickle_never_holds_a_key(served: ScriptedModel) -> None:
    """Pickles lie in queues and caches: what holds a key refuses, and says what to do."""
    made = config(served)
    for thing in (made, OpenAIProvider(made), face(served)):
        with pytest.raises(TurnConfigurationError, match="not pickled"):
            pickle.dumps(thing)
    keyless = ProviderConfig(vendor="ollama", model="m", temperature=0)
    assert pickle.loads(pickle.dumps(keyless)) == keyless
    with pytest.raises(TurnConfigurationError, match="make it where it is"):
        pickle.dumps(OpenAIProvider(keyless))


def test_a_copied_provider_is_the_same_one(served: ScriptedModel) -> None:
    """Graph libraries copy what they are given; connections cannot be."""
    provider = OpenAIProvider(config(served))
    assert copy.copy(provider) is provider
    assert copy.deepcopy({"provider": provider})["provider"] is provider
    assert copy.deepcopy(face(served)).provider.config == face(served).provider.config
