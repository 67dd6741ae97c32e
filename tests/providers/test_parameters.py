"""Every parameter of a configuration is sent, in turns and in single calls."""

from typing import Any

from langchain_core.messages import HumanMessage
from pydantic import BaseModel

from tests.turns import ask, both_apis, config
from turngraph.graphs import chat_turn
from turngraph.providers import OpenAIProvider
from turngraph.providers.request_template import request_template
from turngraph.scripted import ScriptedModel


class Weather(BaseModel):
    """The weather."""

    city: str
    degrees: float


def sent(model: ScriptedModel, **fields: Any) -> dict[str, Any]:
    provider = OpenAIProvider(config(model, **fields))
    return provider.payload(
        request_template(provider.config, provider.api), [HumanMessage("Q")]
    ).body


def test_sampling_and_response_format_are_sent() -> None:
    """They have the names that Chat Completions defines."""
    with ScriptedModel() as model:
        body = sent(
            model,
            api="chat",
            stop=("END",),
            seed=0,
            logprobs=True,
            top_logprobs=2,
            response_format=Weather,
        )
    assert (body["stop"], body["seed"], body["logprobs"], body["top_logprobs"]) == (
        ["END"],
        0,
        True,
        2,
    )
    form = body["response_format"]["json_schema"]
    assert (form["name"], form["strict"]) == ("Weather", True)
    assert form["schema"]["required"] == ["city", "degrees"]


def test_responses_has_other_names_for_some_parameters() -> None:
    """The response format is in `text`, and log probabilities are asked for by `include`."""
    with ScriptedModel() as model:
        body = sent(model, api="responses", logprobs=True, response_format=Weather)
    assert body["text"]["format"]["name"] == "Weather"
    assert body["include"] == ["message.output_text.logprobs"]


def test_a_class_as_response_format_becomes_plain_data() -> None:
    """It becomes part of a request, which a checkpoint stores."""
    with ScriptedModel() as model:
        configuration = config(model, response_format=Weather)
    assert (
        type(configuration).model_validate(configuration.model_dump()).response_format
        == configuration.response_format
    )


@both_apis
def test_a_tool_that_must_be_called_is_demanded_once(api: str) -> None:
    """If every request of a turn demanded it, it would be called for ever."""
    with ScriptedModel() as model:
        given = config(model, api=api, tool_choice="required", parallel_tool_calls=False)
        out = chat_turn(given, functions=["calculator"]).invoke(ask("Hello!"))
        bodies = [request.body for request in model.requests]
    assert out["result"].ok
    assert [body["tool_choice"] for body in bodies] == ["required", "auto"]
    assert all(body["parallel_tool_calls"] is False for body in bodies)


def test_builtin_tools_are_in_every_request_of_a_turn() -> None:
    """They stand beside the turn's functions, and only the Responses API has them."""
    with ScriptedModel() as model:
        given = config(
            model,
            api=None,
            base_url=model.base_url,
            builtin_tools=({"type": "web_search"},),
            vector_store_ids=("vs_1",),
        )
        chat_turn(given, functions=["calculator"]).invoke(ask("What is 6 * 7?"))
        requests = model.requests
    assert {request.path for request in requests} == {"/v1/responses"}
    for request in requests:
        kinds = [offered["type"] for offered in request.body["tools"]]
        assert sorted(kinds) == ["file_search", "function", "web_search"]


def test_a_provider_without_tools_sends_none() -> None:
    """No functions are sent, no built-in tools, and no `tool_choice`."""
    with ScriptedModel() as model:
        body = sent(
            model,
            api="responses",
            tools=False,
            tool_choice="required",
            builtin_tools=({"type": "web_search"},),
        )
    assert "tools" not in body
    assert "tool_choice" not in body


@both_apis
def test_messages_are_shown_as_they_are_sent(api: str) -> None:
    """`convert_messages_to_provider_format` returns what the request contains."""
    history = [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello."), ("user", "Q")]
    with ScriptedModel() as model:
        provider = OpenAIProvider(config(model, api=api))
        shown = provider.convert_messages_to_provider_format(history)
        body = provider.stream_generate(history).payload.body
    assert shown == body["messages" if api == "chat" else "input"]
    assert len(shown) == 4
