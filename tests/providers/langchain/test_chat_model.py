"""The LangChain face: the same wire under `invoke`, `stream` and their like, however it is
configured.
"""

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

from tests.providers.faces import (
    Ask,
    add,
    ainvoke,
    astream,
    both_apis,
    every_way,
    face,
    invoke,
    stream,
)
from turngraph.graphs import chat_turn
from turngraph.providers import OpenAIProvider, ProviderConfig, TurngraphChatModel
from turngraph.scripted import Call, Cut, Fail, Say, ScriptedModel
from turngraph.state.errors import ProviderError, TurnConfigurationError, TurnValueError


def told(message: BaseMessage) -> dict[str, Any]:
    """What a message says, however it came."""
    kept = message.model_dump(
        exclude={"id", "type", "tool_call_chunks", "chunk_position", "additional_kwargs"}
    )
    meta = {name: value for name, value in kept.pop("response_metadata").items() if name != "id"}
    return {**kept, "meta": meta}


@both_apis
def test_a_message_is_the_same_however_it_came(api: str) -> None:
    """Watching the pieces must not change what a graph keeps."""
    said = Call(
        ("add", {"a": 1, "b": 2}, "call_1"), ("add", '{"a": 1', "call_2"), text="Let me see."
    )
    with ScriptedModel([said] * 4, name="same") as model:
        asked = face(model, api).bind_tools([add])
        whole, *others = [ask(asked) for ask in (invoke, ainvoke, stream, astream)]
    for other in others:
        assert told(other)["content"] == told(whole)["content"]
        assert told(other)["meta"] == told(whole)["meta"]
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
    """Other clients lose it when the endpoint is not OpenAI's own and the answer is streamed."""
    with ScriptedModel() as model:
        used = ask(face(model, api)).usage_metadata
    assert used is not None
    assert used["total_tokens"] == used["input_tokens"] + used["output_tokens"] > 0


@every_way
def test_arguments_cut_off_are_never_mended(ask: Ask) -> None:
    """LangChain closes the brackets of a piece; a tool would then run on half of what was meant."""
    said = Call(("add", '{"a": 1, "b": 2', "call_1"), finish_reason="length")
    with ScriptedModel([said]) as model:
        message = ask(face(model).bind_tools([add]))
    assert message.tool_calls == []
    assert [call["id"] for call in message.invalid_tool_calls] == ["call_1"]


def test_an_invalid_call_goes_back_as_the_model_wrote_it() -> None:
    """Prompt caches compare bytes, and the model should see its own mistake."""
    with ScriptedModel([Call(("add", '{"a": 1', "call_1")), Say("Sorry.")]) as model:
        asked = face(model).bind_tools([add])
        message = stream(asked)
        result = ToolMessage("No JSON.", tool_call_id="call_1")
        invoke(asked, [HumanMessage("Q"), message, result])
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
def test_an_error_is_ours_and_langchains(ask: Ask, failure: Fail, kind: type[ModelError]) -> None:
    """Middleware that summarises or falls back looks for LangChain's; we carry status and code."""
    with ScriptedModel([failure]) as model, pytest.raises(kind) as caught:
        ask(face(model))
    assert isinstance(caught.value, ProviderError)
    assert caught.value.status == failure.status
    assert caught.value.is_retryable == caught.value.retryable


@every_way
def test_an_answer_cut_short_is_an_error(ask: Ask) -> None:
    """Half an answer would be taken for a whole one."""
    cut = Cut(after=4, answer=Say("one two three four"), clean=True)
    with ScriptedModel([cut]) as model, pytest.raises(ModelError) as caught:
        ask(face(model))
    assert isinstance(caught.value, ProviderError)
    assert caught.value.kind in ("truncated", "connection", "protocol")


@every_way
def test_nothing_is_tried_again_unless_asked_for(ask: Ask) -> None:
    """One call is one request, which is what a ledger must see; with `max_retries` it may be more."""
    again = Fail(503, headers={"Retry-After": "0"})
    with ScriptedModel([again, Say("Hi"), again, Say("Hi")]) as model:
        with pytest.raises(ProviderError):
            ask(face(model))
        assert len(model.requests) == 1
        assert ask(face(model), "Q").text == "Hi"
        assert ask(face(model, max_retries=2)).text == "Hi"
        assert len(model.requests) == 4


@pytest.mark.parametrize("failure", [Fail(400), Fail(503, headers={"Retry-After": "3600"})])
def test_what_cannot_help_is_not_tried_again(failure: Fail) -> None:
    """A wrong request stays wrong, and nobody waits an hour."""
    with ScriptedModel([failure]) as model:
        with pytest.raises(ProviderError):
            invoke(face(model, max_retries=3))
        assert len(model.requests) == 1


def test_what_a_call_says_comes_before_the_model() -> None:
    """Parameters of one call, in LangChain's words; what is not known is the vendor's own."""
    with ScriptedModel(accepts=("top_k",)) as model:
        asked = face(model, model="gpt-4o-mini", temperature=0.0, stop=["A"], max_tokens=5, seed=1)
        invoke(asked, temperature=0.5, stop=["B"], max_completion_tokens=9, top_k=3, model="gpt-4o")
        invoke(asked)
        said, plain = (request.body for request in model.requests)
    assert (said["model"], said["temperature"], said["stop"], said["top_k"]) == (
        "gpt-4o",
        0.5,
        ["B"],
        3,
    )
    assert said["max_completion_tokens"] == 9
    assert (plain["temperature"], plain["stop"], plain["seed"]) == (0.0, ["A"], 1)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"n": 2}, "`n` is 2"),
        ({"temperature": 9}, "`temperature`"),
        ({"extra_headers": {"X": "1"}}, "`extra_headers` cannot be given for one call"),
        ({"reasoning": {"budget": 1}}, "`reasoning` has `budget`"),
        ({"tool_choice": "nobody", "tools": [add]}, "`nobody`, which is not offered"),
        ({"tools": [3]}, "Not a tool"),
    ],
)
def test_what_cannot_be_meant_is_refused(said: dict[str, Any], told: str) -> None:
    """Before anything is sent."""
    with ScriptedModel() as model:
        with pytest.raises(TurnValueError, match=told):
            invoke(face(model), **said)
        assert model.requests == ()


def test_what_the_vendor_does_not_take_is_left_out_and_told() -> None:
    """A parameter that silently does nothing is looked for in vain."""
    with ScriptedModel([Say("Hi")] * 2) as model:
        asked = face(model, temperature=0.5)
        for message in (invoke(asked), stream(asked)):
            assert "temperature" in message.response_metadata["warnings"][0]
        assert all("temperature" not in request.body for request in model.requests)


def test_the_vendors_own_tools_are_passed_on() -> None:
    """Beside functions, on Responses."""
    with ScriptedModel([Say("Hi")]) as model:
        invoke(face(model, "responses").bind_tools([{"type": "web_search"}, add]))
        kinds = [offered["type"] for offered in model.requests[0].body["tools"]]
    assert sorted(kinds) == ["function", "web_search"]


def test_only_what_is_new_is_sent_after_a_response() -> None:
    """`use_previous_response_id`, as in `ChatOpenAI`."""
    with ScriptedModel([Say("Hi"), Say("Bye")]) as model:
        asked = face(model, "responses", use_previous_response_id=True)
        first = invoke(asked, [HumanMessage("Hello")])
        invoke(asked, [HumanMessage("Hello"), first, HumanMessage("Go")])
        before, after = (request.body for request in model.requests)
    assert "previous_response_id" not in before
    assert after["previous_response_id"] == first.response_metadata["id"]
    assert len(after["input"]) == 1


def test_usage_is_not_asked_for_where_that_was_said() -> None:
    """Some servers refuse `stream_options`."""
    with ScriptedModel([Say("Hi")] * 2) as model:
        stream(face(model))
        stream(face(model, stream_usage=False))
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


def test_a_changed_copy_uses_what_it_says() -> None:
    """A client that was made before would send one tenant's request with another's key."""
    with ScriptedModel([Say("Hi")] * 3) as model:
        first = face(model)
        invoke(first)
        invoke(first.model_copy(update={"openai_api_key": SecretStr("other")}))
        invoke(first)
        keys = [request.headers["authorization"] for request in model.requests]
    assert keys == ["Bearer k", "Bearer other", "Bearer k"]


def test_a_cache_tells_endpoints_apart() -> None:
    """The same model name at two vendors is two models."""
    cache = InMemoryCache()
    with ScriptedModel([Say("one")]) as one, ScriptedModel([Say("two")]) as two:
        answers = [invoke(face(model, cache=cache)).text for model in (one, two, one)]
    assert answers == ["one", "two", "one"]
    assert len(one.requests) == 1


@both_apis
def test_it_is_the_face_of_a_provider(api: Any) -> None:
    """Everything the configuration says holds, also what LangChain has no field for."""
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
        asked = TurngraphChatModel.from_provider(provider)
        assert asked.provider is provider
        invoke(asked)
        invoke(asked.model_copy(update={"temperature": 0.5}))
        assert [request.body["temperature"] for request in model.requests] == [0.25, 0.5]
        assert {request.path for request in model.requests} == {
            "/v1/chat/completions" if api == "chat" else "/v1/responses"
        }


def test_a_turn_takes_it_with_its_configuration() -> None:
    """Beside `ChatOpenAI`, whose base class it shares."""
    with ScriptedModel([Say("Hi")]) as model:
        asked = face(model, "responses", model="gpt-4o", temperature=0.25)
        assert isinstance(asked, BaseChatOpenAI)
        out = chat_turn(asked).invoke({"messages": [("user", "Q")]})
        assert model.requests[0].body["temperature"] == 0.25
    assert out["result"].answer == "Hi"


@pytest.mark.parametrize(
    "field",
    [{"openai_proxy": "http://p"}, {"default_query": {"a": 1}}, {"include_response_headers": True}],
)
def test_a_field_without_effect_is_refused(field: dict[str, Any]) -> None:
    """They belong to clients that this class does not use; the error says where they work."""
    with ScriptedModel() as model, pytest.raises(TurnConfigurationError, match="from_chat_model"):
        face(model, **field)


def test_pieces_have_ids_and_an_end() -> None:
    """Front ends join pieces by id, and stop at the last one."""
    with ScriptedModel([Say("one two three")]) as model:
        pieces: list[AIMessageChunk] = list(face(model).stream("Q"))  # type: ignore[arg-type]
    assert len({piece.id for piece in pieces}) == 1
    assert [piece.chunk_position for piece in pieces] == [None] * (len(pieces) - 1) + ["last"]
