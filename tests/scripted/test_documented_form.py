"""Every answer of the scripted model has the form that OpenAI documents, where its published
schemas are at hand.
"""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema
import pytest

from tests.paths import SHARED
from turngraph.scripted.checks import RequestError
from turngraph.scripted.envelope import Envelope
from turngraph.scripted.exchange import ChatExchange, ResponsesExchange
from turngraph.scripted.prompt import Answer, RequestedCall
from turngraph.scripted.responses.response_store import ResponseStore
from turngraph.state.usage import Usage

SCHEMAS = SHARED / "openapi" / "chat-responses.schemas.json"
needs_schemas = pytest.mark.skipif(not SCHEMAS.exists(), reason="../shared/openapi is not here")

ENVELOPE = Envelope("resp_1", 1_700_000_000, "gpt-4o")
MEMORY = ResponseStore()
USAGE = Usage(
    input_tokens=10, output_tokens=5, cache_read_tokens=4, reasoning_tokens=2, cache_write_tokens=1
)
CALL = RequestedCall("f", '{"x": 1}', "call_1")
ANSWERS = {
    "text": Answer("Hello there, friend."),
    "empty": Answer(),
    "calls": Answer(calls=(CALL, CALL)),
    "text and calls": Answer("Let me see.", (CALL,)),
    "reasoning": Answer("Hello.", reasoning="I think so."),
    "refusal": Answer(refusal="I will not."),
    "length": Answer("Hello", finish_reason="length"),
    "cut call": Answer(calls=(RequestedCall("f", '{"x":', "call_1"),), finish_reason="length"),
    "content filter": Answer("", finish_reason="content_filter"),
}
FUNCTION = {"name": "f", "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}}}
CHAT: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "Hi"}],
    "tools": [{"type": "function", "function": FUNCTION}],
    "logprobs": True,
    "top_logprobs": 2,
}
RESPONSES: dict[str, Any] = {
    "model": "gpt-4o",
    "input": "Hi",
    "tools": [{"type": "function", "strict": False, **FUNCTION}, {"type": "web_search"}],
    "instructions": "Be kind.",
    "reasoning": {"effort": "low", "summary": "auto"},
    "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
}


@cache
def fits(name: str) -> jsonschema.Draft202012Validator:
    """A validator of one of the published schemas; their `nullable` is read as what it means."""
    document = json.loads(SCHEMAS.read_text(), object_hook=_without_nullable)
    return jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/{name}", **document})


def _without_nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.pop("nullable", None) is True:
        return {"anyOf": [schema, {"type": "null"}]}
    return schema


def problems(name: str, value: Any) -> list[str]:
    return [f"{error.json_path}: {error.message[:200]}" for error in fits(name).iter_errors(value)]


def events(rendered: Any) -> Iterator[Any]:
    for block in rendered:
        data = block.rpartition("data: ")[2]
        if data != "[DONE]\n\n":
            yield json.loads(data)


@needs_schemas
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_completion_is_as_documented(answer: Answer) -> None:
    """Clients generated from the schemas read it."""
    rendered = ChatExchange.read(CHAT, ()).render(answer, USAGE, ENVELOPE)
    assert problems("CreateChatCompletionResponse", rendered) == []


@needs_schemas
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_every_chunk_is_as_documented(answer: Answer) -> None:
    """Each on its own: readers validate chunk by chunk."""
    body = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
    for chunk in events(ChatExchange.read(body, ()).render(answer, USAGE, ENVELOPE)):
        assert problems("CreateChatCompletionStreamResponse", chunk) == []


@needs_schemas
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_response_is_as_documented(answer: Answer) -> None:
    """With all its echoes of the request."""
    rendered = ResponsesExchange.read(RESPONSES, MEMORY, ()).render(answer, USAGE, ENVELOPE)
    assert problems("Response", rendered) == []


@needs_schemas
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_every_event_is_as_documented(answer: Answer) -> None:
    """The full sequence, whatever is in the answer."""
    body = {**RESPONSES, "stream": True}
    for event in events(ResponsesExchange.read(body, MEMORY, ()).render(answer, USAGE, ENVELOPE)):
        assert problems("ResponseStreamEvent", event) == [], event["type"]


@needs_schemas
def test_an_error_is_as_documented() -> None:
    """The one form of all refusals."""
    with pytest.raises(RequestError) as refused:
        ChatExchange.read({**CHAT, "temperature": 3}, ())
    assert problems("ErrorResponse", refused.value.body) == []


@needs_schemas
@pytest.mark.parametrize(
    ("name", "body"), [("CreateChatCompletionRequest", CHAT), ("CreateResponse", RESPONSES)]
)
def test_the_requests_of_these_tests_are_documented_too(name: str, body: dict[str, Any]) -> None:
    """The tests must not rest on requests that the vendor would refuse."""
    assert problems(name, body) == []


@needs_schemas
def test_the_schemas_refuse_a_wrong_object() -> None:
    """Schemas that take everything would prove nothing."""
    assert problems("CreateChatCompletionResponse", {"id": "c"})
    assert problems("ResponseStreamEvent", {"type": "response.created", "sequence_number": 0})


def test_a_prompt_is_the_same_by_either_api() -> None:
    """One responder answers both APIs."""
    flat = {**RESPONSES["tools"][0]}
    by_chat = ChatExchange.read({**CHAT, "reasoning_effort": "low"}, ()).prompt
    asked = {
        "model": "m",
        "input": "Hi",
        "tools": [flat],
        "reasoning": {"effort": "low"},
        "top_logprobs": 2,
    }
    by_responses = ResponsesExchange.read(
        {**asked, "include": ["message.output_text.logprobs"]}, MEMORY, ()
    ).prompt
    assert by_chat == by_responses
