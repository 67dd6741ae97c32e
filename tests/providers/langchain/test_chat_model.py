"""The LangChain chat model: configuration, parameters, errors, retries, caches and chunks."""

from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelError,
    ModelRateLimitError,
)
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_openai.chat_models.base import BaseChatOpenAI
from pydantic import SecretStr

from tests.providers.chat_models import (
    Ask,
    add,
    ainvoke,
    astream,
    both_apis,
    chat_model,
    every_way,
    invoke,
    stream,
)
from turngraph.graphs import chat_turn
from turngraph.providers import OpenAIProvider, ProviderConfig, TurngraphChatModel
from turngraph.scripted import Call, Cut, Fail, Say, ScriptedModel
from turngraph.state.errors import ProviderError, TurnConfigurationError, TurnValueError


def fields_of(message: BaseMessage) -> dict[str, Any]:
    """Returns the fields of a message, except those that differ by how it came."""
    kept = message.model_dump(
        exclude={"id", "type", "tool_call_chunks", "chunk_position", "additional_kwargs"}
    )
    meta = {name: value for name, value in kept.pop("response_metadata").items() if name != "id"}
    return {**kept, "meta": meta}


@both_apis
def test_a_message_is_the_same_in_all_four_ways(api: str) -> None:
    """Streaming must not change what a graph stores."""
    answer = Call(
        ("add", {"a": 1, "b": 2}, "call_1"), ("add", '{"a": 1', "call_2"), text="Let me see."
    )
    with ScriptedModel([answer] * 4, name="same") as model:
        chat = chat_model(model, api).bind_tools([add])
        whole, *others = [ask(chat) for ask in (invoke, ainvoke, stream, astream)]
    for other in others:
        assert fields_of(other)["content"] == fields_of(whole)["content"]
        assert fields_of(other)["meta"] == fields_of(whole)["meta"]
        assert other.usage_metadata == whole.usage_metadata
        assert other.additional_kwargs["tool_calls"] == whole.additional_kwargs["tool_calls"]
        assert (
            [call["args"] for call in other.tool_calls]
            == [call["args"] for call in whole.tool_calls]
            == [{"a": 1, "b": 2}]
        )
        assert [call["id"] for call in other.invalid_tool_calls] == ["call_2"]


@both_apis
@every_way
def test_an_answer_comes_with_its_usage(ask: Ask, api: str) -> None:
    """Other clients lose the usage of streams from endpoints that are not OpenAI's own."""
    with ScriptedModel() as model:
        used = ask(chat_model(model, api)).usage_metadata
    assert used is not None
    assert used["total_tokens"] == used["input_tokens"] + used["output_tokens"] > 0


@every_way
def test_arguments_that_are_cut_off_are_never_repaired(ask: Ask) -> None:
    """LangChain would close the brackets, and a tool would run on half of its arguments."""
    answer = Call(("add", '{"a": 1, "b": 2', "call_1"), finish_reason="length")
    with ScriptedModel([answer]) as model:
        message = ask(chat_model(model).bind_tools([add]))
    assert message.tool_calls == []
    assert [call["id"] for call in message.invalid_tool_calls] == ["call_1"]


def test_an_invalid_call_is_sent_back_as_the_model_wrote_it() -> None:
    """Prompt caches compare bytes, and the model should see its own mistake."""
    with ScriptedModel([Call(("add", '{"a": 1', "call_1")), Say("Sorry.")]) as model:
        chat = chat_model(model).bind_tools([add])
        message = stream(chat)
        result = ToolMessage("No JSON.", tool_call_id="call_1")
        invoke(chat, [HumanMessage("Q"), message, result])
        sent = model.requests[1].body["messages"][1]
    assert sent["tool_calls"][0]["function"]["arguments"] == '{"a": 1'


@every_way
@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (Fail(401), ModelAuthenticationError),
        (Fail(429), ModelRateLimitError),
        (Fail(500), ModelAPIError),
        (
            Fail(400, {"error": {"message": "too long", "code": "context_length_exceeded"}}),
            ContextOverflowError,
        ),
    ],
)
def test_an_error_is_a_provider_error_and_a_model_error(
    ask: Ask, failure: Fail, kind: type[ModelError]
) -> None:
    """Middleware looks for LangChain's classes, and our own have the status."""
    with ScriptedModel([failure]) as model, pytest.raises(kind) as caught:
        ask(chat_model(model))
    assert isinstance(caught.value, ProviderError)
    assert caught.value.status == failure.status
    assert caught.value.is_retryable == caught.value.retryable


@every_way
def test_a_truncated_answer_is_an_error(ask: Ask) -> None:
    """Half an answer would be taken for a whole one."""
    cut = Cut(after=4, answer=Say("one two three four"), clean=True)
    with ScriptedModel([cut]) as model, pytest.raises(ModelError) as caught:
        ask(chat_model(model))
    assert isinstance(caught.value, ProviderError)
    assert caught.value.kind in ("truncated", "connection", "protocol")


@every_way
def test_nothing_is_retried_by_default(ask: Ask) -> None:
    """One call is one request, which is what a ledger must see. `max_retries` allows more."""
    again = Fail(503, headers={"Retry-After": "0"})
    with ScriptedModel([again, Say("Hi"), again, Say("Hi")]) as model:
        with pytest.raises(ProviderError):
            ask(chat_model(model))
        assert len(model.requests) == 1
        assert ask(chat_model(model), "Q").text == "Hi"
        assert ask(chat_model(model, max_retries=2)).text == "Hi"
        assert len(model.requests) == 4


@pytest.mark.parametrize("failure", [Fail(400), Fail(503, headers={"Retry-After": "3600"})])
def test_an_error_is_not_retried_if_a_retry_cannot_help(failure: Fail) -> None:
    """A wrong request stays wrong, and nobody waits an hour."""
    with ScriptedModel([failure]) as model:
        with pytest.raises(ProviderError):
            invoke(chat_model(model, max_retries=3))
        assert len(model.requests) == 1


def test_parameters_of_a_call_win_over_those_of_the_model() -> None:
    """They have LangChain's names; an unknown parameter is sent as it is."""
    with ScriptedModel(accepts=("top_k",)) as model:
        chat = chat_model(
            model, model="gpt-4o-mini", temperature=0.0, stop=["A"], max_tokens=5, seed=1
        )
        invoke(chat, temperature=0.5, stop=["B"], max_completion_tokens=9, top_k=3, model="gpt-4o")
        invoke(chat)
        changed, plain = (request.body for request in model.requests)
    assert (changed["model"], changed["temperature"], changed["stop"], changed["top_k"]) == (
        "gpt-4o",
        0.5,
        ["B"],
        3,
    )
    assert changed["max_completion_tokens"] == 9
    assert (plain["temperature"], plain["stop"], plain["seed"]) == (0.0, ["A"], 1)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n": 2}, "`n` is 2"),
        ({"temperature": 9}, "`temperature`"),
        ({"extra_headers": {"X": "1"}}, "`extra_headers` cannot be given for one call"),
        ({"reasoning": {"budget": 1}}, "`reasoning` has `budget`"),
        ({"tool_choice": "nobody", "tools": [add]}, "`nobody`, which is not offered"),
        ({"tools": [3]}, "A tool is 3; it must be a function"),
    ],
)
def test_impossible_parameters_are_refused(parameters: dict[str, Any], message: str) -> None:
    """The error is raised before anything is sent."""
    with ScriptedModel() as model:
        with pytest.raises(TurnValueError, match=message):
            invoke(chat_model(model), **parameters)
        assert model.requests == ()


def test_a_parameter_the_vendor_refuses_is_left_out_with_a_warning() -> None:
    """Nobody should have to guess why a parameter has no effect."""
    with ScriptedModel([Say("Hi")] * 2) as model:
        chat = chat_model(model, temperature=0.5)
        for message in (invoke(chat), stream(chat)):
            assert "temperature" in message.response_metadata["warnings"][0]
        assert all("temperature" not in request.body for request in model.requests)


def test_builtin_tools_are_sent_beside_functions() -> None:
    """They run at the vendor, through the Responses API."""
    with ScriptedModel([Say("Hi")]) as model:
        invoke(chat_model(model, "responses").bind_tools([{"type": "web_search"}, add]))
        kinds = [offered["type"] for offered in model.requests[0].body["tools"]]
    assert sorted(kinds) == ["function", "web_search"]


def test_only_new_messages_are_sent_after_a_stored_response() -> None:
    """`use_previous_response_id` works as it does in `ChatOpenAI`."""
    with ScriptedModel([Say("Hi"), Say("Bye")]) as model:
        chat = chat_model(model, "responses", use_previous_response_id=True)
        first = invoke(chat, [HumanMessage("Hello")])
        invoke(chat, [HumanMessage("Hello"), first, HumanMessage("Go")])
        before, after = (request.body for request in model.requests)
    assert "previous_response_id" not in before
    assert after["previous_response_id"] == first.response_metadata["id"]
    assert len(after["input"]) == 1


def test_stream_usage_can_be_turned_off() -> None:
    """Some servers refuse `stream_options`."""
    with ScriptedModel([Say("Hi")] * 2) as model:
        stream(chat_model(model))
        stream(chat_model(model, stream_usage=False))
        assert ["stream_options" in request.body for request in model.requests] == [True, False]


def test_the_key_of_one_vendor_never_reaches_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """`OPENAI_API_KEY` is in most environments; only OpenAI may see it."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://elsewhere.example.com")
    monkeypatch.setenv("GROQ_API_KEY", "gsk-of-groq")
    with ScriptedModel([Say("Hi")]) as model:
        TurngraphChatModel(model="m", base_url=model.base_url).invoke("Q")
        assert "sk-of-openai" not in str(model.requests[0].headers)
    assert TurngraphChatModel(model="m", vendor="groq").provider.config.api_key == SecretStr(
        "gsk-of-groq"
    )
    own = TurngraphChatModel(model="gpt-4o").provider.config
    assert (own.api_key, own.base_url) == (SecretStr("sk-of-openai"), "https://api.openai.com/v1")
    monkeypatch.delenv("GROQ_API_KEY")
    with pytest.raises(TurnConfigurationError, match="set GROQ_API_KEY"):
        TurngraphChatModel(model="m", vendor="groq")


def test_a_copy_with_another_key_uses_that_key() -> None:
    """The clients of the original would send one tenant's request with another's key."""
    with ScriptedModel([Say("Hi")] * 3) as model:
        first = chat_model(model)
        invoke(first)
        invoke(first.model_copy(update={"openai_api_key": SecretStr("other")}))
        invoke(first)
        keys = [request.headers["authorization"] for request in model.requests]
    assert keys == ["Bearer k", "Bearer other", "Bearer k"]


def test_a_cache_tells_endpoints_apart() -> None:
    """The same model name at two vendors is two models."""
    cache = InMemoryCache()
    with ScriptedModel([Say("one")]) as one, ScriptedModel([Say("two")]) as two:
        answers = [invoke(chat_model(model, cache=cache)).text for model in (one, two, one)]
    assert answers == ["one", "two", "one"]
    assert len(one.requests) == 1


def test_a_turn_refuses_a_chat_model_whose_cache_it_would_not_ask() -> None:
    """LangChain asks it in `invoke`, and a turn sends its own requests."""
    with ScriptedModel([Say("one")]) as model:
        chat = chat_model(model, cache=InMemoryCache())
        with pytest.raises(TurnConfigurationError, match="`cache` of a TurngraphChatModel"):
            OpenAIProvider.from_chat_model(chat)


@both_apis
def test_a_chat_model_can_be_made_from_a_provider(api: Any) -> None:
    """It has the whole configuration, also what LangChain has no field for, and the connections."""
    with ScriptedModel([Say("Hi")] * 2) as model:
        config = ProviderConfig(
            vendor="openai",
            model="gpt-4o",
            base_url=model.base_url,
            api_key=SecretStr("k"),
            api=api,
            temperature=0.25,
        )
        provider = OpenAIProvider(config)
        chat = TurngraphChatModel.from_provider(provider)
        assert chat.provider is provider
        invoke(chat)
        invoke(chat.model_copy(update={"temperature": 0.5}))
        assert [request.body["temperature"] for request in model.requests] == [0.25, 0.5]
        assert {request.path for request in model.requests} == {
            "/v1/chat/completions" if api == "chat" else "/v1/responses"
        }


def test_a_turn_accepts_the_chat_model() -> None:
    """`chat_turn` accepts it as it accepts `ChatOpenAI`, and uses its configuration."""
    with ScriptedModel([Say("Hi")]) as model:
        chat = chat_model(model, "responses", model="gpt-4o", temperature=0.25)
        assert isinstance(chat, BaseChatOpenAI)
        out = chat_turn(chat).invoke({"messages": [("user", "Q")]})
        assert model.requests[0].body["temperature"] == 0.25
    assert out["result"].answer == "Hi"


@pytest.mark.parametrize(
    "field",
    [{"openai_proxy": "http://p"}, {"default_query": {"a": 1}}, {"include_response_headers": True}],
)
def test_a_field_without_effect_is_refused(field: dict[str, Any]) -> None:
    """They belong to clients that this class does not use. The error says where they work."""
    with ScriptedModel() as model, pytest.raises(TurnConfigurationError, match="from_chat_model"):
        chat_model(model, **field)


def test_chunks_have_one_id_and_an_end() -> None:
    """Front ends join chunks by their id, and stop at the last one."""
    with ScriptedModel([Say("one two three")]) as model:
        pieces: list[AIMessageChunk] = list(chat_model(model).stream("Q"))
    assert len({piece.id for piece in pieces}) == 1
    assert [piece.chunk_position for piece in pieces] == [None] * (len(pieces) - 1) + ["last"]
