"""What the chat model returns: reasoning, citations, structured answers; and in agents."""

import json
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai.chat_models.base import OpenAIRefusalError
from pydantic import BaseModel

from tests.providers.chat_models import (
    Ask,
    add,
    astream,
    both_apis,
    chat_model,
    every_way,
    invoke,
    stream,
)
from turngraph.scripted import Call, Raw, Refuse, Say, ScriptedModel


class Joke(BaseModel):
    """A joke."""

    setup: str
    punchline: str


DEEPSEEK = {
    "id": "c1",
    "model": "deepseek-reasoner",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "content": "",
                "reasoning_content": "I should add.",
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "add", "arguments": '{"a":1,"b":2}'},
                    }
                ],
            },
        }
    ],
}
DEEPSEEK_STREAM = [
    'data: {"id":"c1","choices":[{"index":0,"delta":{"role":"assistant",'
    '"reasoning_content":"I should"}}]}',
    'data: {"id":"c1","choices":[{"index":0,"delta":{"reasoning_content":" add."}}]}',
    'data: {"id":"c1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1",'
    '"type":"function","function":{"name":"add","arguments":"{\\"a\\":1,\\"b\\":2}"}}]}}]}',
    'data: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}',
    "data: [DONE]",
]


@pytest.mark.parametrize("blocks", [None, "v1"])
@every_way
def test_reasoning_is_kept_and_sent_back_if_the_vendor_wants_it(
    ask: Ask, blocks: str | None
) -> None:
    """DeepSeek answers 400 without it: https://github.com/langchain-ai/langchain/issues/37713"""
    whole = Raw(json.dumps(DEEPSEEK), "application/json")
    answer = Raw(DEEPSEEK_STREAM) if ask in (stream, astream) else whole
    with ScriptedModel([answer, whole]) as model:
        chat = chat_model(
            model, vendor="deepseek", model="deepseek-reasoner", output_version=blocks
        ).bind_tools([add])
        message = ask(chat)
        invoke(chat, [HumanMessage("Q"), message, ToolMessage("3", tool_call_id="call_1")])
        sent = model.requests[1].body["messages"][1]
    shown: list[Any] = list(message.content_blocks)
    assert "I should add." in [block.get("reasoning") for block in shown]
    assert message.additional_kwargs["reasoning_content"] == "I should add."
    assert sent["reasoning_content"] == "I should add."
    assert sent["tool_calls"][0]["function"]["arguments"] == '{"a":1,"b":2}'


@pytest.mark.parametrize("blocks", [None, "v1"])
@every_way
def test_reasoning_items_are_sent_back_unchanged(ask: Ask, blocks: str | None) -> None:
    """A reasoning model then continues its reasoning after a tool's result."""
    answers = [Call(("add", {"a": 1, "b": 2}, "call_1"), reasoning="A sum."), Say("Three.")]
    with ScriptedModel(answers) as model:
        chat = chat_model(
            model, "responses", reasoning={"effort": "low", "summary": "auto"}, store=False
        )
        bound = chat.model_copy(update={"output_version": blocks}).bind_tools([add])
        message = ask(bound)
        ask(bound, [HumanMessage("Q"), message, ToolMessage("3", tool_call_id="call_1")])
        items = model.requests[1].body["input"]
    assert [item.get("type", item.get("role")) for item in items] == [
        "user",
        "reasoning",
        "function_call",
        "function_call_output",
    ]
    assert items[1]["encrypted_content"]


@both_apis
@pytest.mark.parametrize("streaming", [False, True])
def test_create_agent_runs_on_it(api: str, streaming: bool) -> None:
    """`create_agent` calls it with tools until there is an answer."""
    with ScriptedModel() as model:
        agent: Any = create_agent(chat_model(model, api, streaming=streaming), [add])
        out = agent.invoke({"messages": [("user", "Please add 17 and 25.")]})
    assert [message.type for message in out["messages"]] == ["human", "ai", "tool", "ai"]
    assert out["messages"][2].content == "42"
    assert "42" in out["messages"][3].text


@both_apis
def test_an_agent_on_it_returns_structured_answers(api: str) -> None:
    """The model's profile says that the vendor has structured output, so the agent uses that."""
    with ScriptedModel() as model:
        agent: Any = create_agent(chat_model(model, api), [add], response_format=Joke)
        out = agent.invoke({"messages": [("user", "Tell a joke.")]})
        body = model.requests[0].body
    assert isinstance(out["structured_response"], Joke)
    assert (
        "response_format" in body
        if api == "chat"
        else body["text"]["format"]["type"] == "json_schema"
    )


def test_tokens_of_an_agent_on_it_are_streamed() -> None:
    """LangGraph's `messages` stream shows the chunks of a model that is called inside a graph."""
    with ScriptedModel([Say("one two three")]) as model:
        agent: Any = create_agent(chat_model(model), [])
        pieces = [
            chunk
            for chunk, _ in agent.stream({"messages": [("user", "Q")]}, stream_mode="messages")
        ]
    assert "".join(piece.text for piece in pieces) == "one two three"
    assert len(pieces) > 2


@both_apis
@pytest.mark.parametrize("include_raw", [False, True])
def test_a_structured_answer_is_an_instance(api: str, include_raw: bool) -> None:
    """The vendor binds it to the schema, and pydantic reads it."""
    with ScriptedModel([Say('{"setup": "Why?", "punchline": "Because."}')]) as model:
        chat = chat_model(model, api).with_structured_output(
            Joke, method="json_schema", include_raw=include_raw
        )
        out = chat.invoke("A joke.")
    joke = Joke(setup="Why?", punchline="Because.")
    assert (out["parsed"], out["parsing_error"]) == (joke, None) if include_raw else out == joke


def test_a_structured_refusal_is_an_error() -> None:
    """A refusal must not be read as an empty joke."""
    with ScriptedModel([Refuse("No jokes.")]) as model:
        chat = chat_model(model).with_structured_output(Joke, method="json_schema")
        with pytest.raises(OpenAIRefusalError, match="No jokes"):
            chat.invoke("A joke.")


def test_include_raw_reports_a_parsing_error() -> None:
    """An answer that does not fit the schema raises nothing then."""
    with ScriptedModel([Say('{"setup": 1}')]) as model:
        chat = chat_model(model).with_structured_output(
            Joke, method="json_schema", include_raw=True, strict=False
        )
        out = chat.invoke("A joke.")
    assert out["parsed"] is None
    assert out["parsing_error"] is not None


PAGE = {"url": "https://e.com", "title": "E", "start_index": 0, "end_index": 3}


def test_blocks_carry_citations_and_refusals() -> None:
    """Front ends read LangChain's standard content blocks."""
    cited = {
        "id": "resp_1",
        "status": "completed",
        "output": [
            {
                "type": "message",
                "role": "assistant",
                "content": [
                    {
                        "type": "output_text",
                        "text": "See here.",
                        "annotations": [
                            {
                                "type": "url_citation",
                                "url": "https://e.com",
                                "title": "E",
                                "start_index": 0,
                                "end_index": 3,
                            },
                            {"type": "file_citation", "file_id": "f1"},
                        ],
                    }
                ],
            }
        ],
    }
    with ScriptedModel([Raw(json.dumps(cited), "application/json")] * 2 + [Refuse("No.")]) as model:
        chat = chat_model(model, "responses", output_version="v1")
        for message in (invoke(chat), stream(chat)):
            [block] = [block for block in message.content if block["type"] == "text"]
            assert block["text"] == "See here."
            assert block["annotations"] == [
                {"type": "citation", **PAGE},
                {
                    "type": "non_standard_annotation",
                    "value": {"type": "file_citation", "file_id": "f1"},
                },
            ]
        [refusal] = [block for block in stream(chat).content if block["type"] == "non_standard"]
    assert refusal["value"] == {"type": "refusal", "refusal": "No."}


@pytest.mark.parametrize("finish_reason", ["length", "content_filter"])
@both_apis
@every_way
def test_a_call_of_an_unfinished_answer_is_not_handed_to_an_agent(
    ask: Ask, api: str, finish_reason: str
) -> None:
    """Arguments that parse may still lack an item of a list: `create_agent` would run them."""
    with ScriptedModel([Call(("add", {"a": 1, "b": 2}), finish_reason=finish_reason)]) as model:
        chat = chat_model(model, api).bind_tools([add])
        message = ask(chat, [HumanMessage("Add.")])
    assert message.tool_calls == []
    assert [call["name"] for call in message.invalid_tool_calls] == ["add"]


@pytest.mark.parametrize("status", ["cancelled", "in_progress", "queued", "incomplete"])
def test_a_call_of_a_response_that_is_not_completed_is_not_handed_to_an_agent(status: str) -> None:
    call = {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "c1",
        "name": "add",
        "arguments": "{}",
    }
    body = {"id": "r1", "object": "response", "status": status, "model": "m", "output": [call]}
    with ScriptedModel([Raw(json.dumps(body), "application/json")]) as model:
        chat = chat_model(model, "responses").bind_tools([add])
        message = invoke(chat, [HumanMessage("Add.")])
    assert message.tool_calls == []
