"""What the LangChain face hands on: reasoning, citations, structured answers, and what agents make
of it.
"""

import json
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai.chat_models.base import OpenAIRefusalError
from pydantic import BaseModel

from tests.providers.faces import Ask, add, astream, both_apis, every_way, face, invoke, stream
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
    'data: {"id":"c1","choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":"I should"}}]}',
    'data: {"id":"c1","choices":[{"index":0,"delta":{"reasoning_content":" add."}}]}',
    'data: {"id":"c1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function",'
    '"function":{"name":"add","arguments":"{\\"a\\":1,\\"b\\":2}"}}]}}]}',
    'data: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}',
    "data: [DONE]",
]


@pytest.mark.parametrize("blocks", [None, "v1"])
@every_way
def test_reasoning_is_kept_and_goes_back_where_the_vendor_wants_it(
    ask: Ask, blocks: str | None
) -> None:
    """DeepSeek answers 400 without it: https://github.com/langchain-ai/langchain/issues/37713"""
    whole = Raw(json.dumps(DEEPSEEK), "application/json")
    answer = Raw(DEEPSEEK_STREAM) if ask in (stream, astream) else whole
    with ScriptedModel([answer, whole]) as model:
        asked = face(
            model, vendor="deepseek", model="deepseek-reasoner", output_version=blocks
        ).bind_tools([add])
        message = ask(asked)
        invoke(asked, [HumanMessage("Q"), message, ToolMessage("3", tool_call_id="call_1")])
        sent = model.requests[1].body["messages"][1]
    shown: list[Any] = list(message.content_blocks)
    assert "I should add." in [block.get("reasoning") for block in shown]
    assert message.additional_kwargs["reasoning_content"] == "I should add."
    assert sent["reasoning_content"] == "I should add."
    assert sent["tool_calls"][0]["function"]["arguments"] == '{"a":1,"b":2}'


@pytest.mark.parametrize("blocks", [None, "v1"])
@every_way
def test_reasoning_items_go_back_as_they_came(ask: Ask, blocks: str | None) -> None:
    """A reasoning model goes on thinking where it was, through its tool's result."""
    said = [Call(("add", {"a": 1, "b": 2}, "call_1"), reasoning="A sum."), Say("Three.")]
    with ScriptedModel(said) as model:
        asked = face(
            model, "responses", reasoning={"effort": "low", "summary": "auto"}, store=False
        )
        bound = asked.model_copy(update={"output_version": blocks}).bind_tools([add])
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
def test_it_drives_langchains_agent(api: str, streaming: bool) -> None:
    """`create_agent` calls it with tools until there is an answer."""
    with ScriptedModel() as model:
        agent: Any = create_agent(face(model, api, streaming=streaming), [add])
        out = agent.invoke({"messages": [("user", "Please add 17 and 25.")]})
    assert [message.type for message in out["messages"]] == ["human", "ai", "tool", "ai"]
    assert out["messages"][2].content == "42"
    assert "42" in out["messages"][3].text


@both_apis
def test_its_agent_gives_structured_answers(api: str) -> None:
    """By the vendor's own means, since the model's profile says that it has them."""
    with ScriptedModel() as model:
        agent: Any = create_agent(face(model, api), [add], response_format=Joke)
        out = agent.invoke({"messages": [("user", "Tell a joke.")]})
        body = model.requests[0].body
    assert isinstance(out["structured_response"], Joke)
    assert (
        "response_format" in body
        if api == "chat"
        else body["text"]["format"]["type"] == "json_schema"
    )


def test_its_agents_tokens_are_seen() -> None:
    """LangGraph's `messages` stream shows the pieces of a model that is asked inside a graph."""
    with ScriptedModel([Say("one two three")]) as model:
        agent: Any = create_agent(face(model), [])
        pieces = [
            chunk
            for chunk, _ in agent.stream({"messages": [("user", "Q")]}, stream_mode="messages")
        ]
    assert "".join(piece.text for piece in pieces) == "one two three"
    assert len(pieces) > 2


@both_apis
@pytest.mark.parametrize("include_raw", [False, True])
def test_a_structured_answer_is_an_instance(api: str, include_raw: bool) -> None:
    """Bound to the schema by the vendor, read by pydantic."""
    with ScriptedModel([Say('{"setup": "Why?", "punchline": "Because."}')]) as model:
        asked = face(model, api).with_structured_output(
            Joke, method="json_schema", include_raw=include_raw
        )
        out = asked.invoke("A joke.")
    joke = Joke(setup="Why?", punchline="Because.")
    assert (out["parsed"], out["parsing_error"]) == (joke, None) if include_raw else out == joke


def test_a_structured_refusal_is_an_error() -> None:
    """It is not an empty joke."""
    with ScriptedModel([Refuse("No jokes.")]) as model:
        asked = face(model).with_structured_output(Joke, method="json_schema")
        with pytest.raises(OpenAIRefusalError, match="No jokes"):
            asked.invoke("A joke.")


def test_a_structured_answer_that_does_not_fit_is_told_beside_it() -> None:
    """With `include_raw` nothing is raised."""
    with ScriptedModel([Say('{"setup": 1}')]) as model:
        asked = face(model).with_structured_output(
            Joke, method="json_schema", include_raw=True, strict=False
        )
        out = asked.invoke("A joke.")
    assert out["parsed"] is None
    assert out["parsing_error"] is not None


PAGE = {"url": "https://e.com", "title": "E", "start_index": 0, "end_index": 3}


def test_blocks_carry_citations_and_refusals() -> None:
    """What a front end shows is in LangChain's own words."""
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
        asked = face(model, "responses", output_version="v1")
        for message in (invoke(asked), stream(asked)):
            [block] = [block for block in message.content if block["type"] == "text"]
            assert block["text"] == "See here."
            assert block["annotations"] == [
                {"type": "citation", **PAGE},
                {
                    "type": "non_standard_annotation",
                    "value": {"type": "file_citation", "file_id": "f1"},
                },
            ]
        [refusal] = [block for block in stream(asked).content if block["type"] == "non_standard"]
    assert refusal["value"] == {"type": "refusal", "refusal": "No."}
