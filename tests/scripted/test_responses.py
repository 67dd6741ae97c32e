"""Responses on the scripted model, asked by the real SDK."""

import json
from typing import Any

import openai
import pytest
from openai.types.responses import (
    FunctionToolParam,
    Response,
    ResponseFunctionToolCall,
    ResponseInputItemParam,
    ResponseOutputItem,
    ResponseOutputRefusal,
    ResponseOutputText,
    ResponseReasoningItem,
    ResponseTextConfigParam,
    ResponseUsage,
)

from turngraph.scripted import Call, Refuse, Say, ScriptedModel


def async_client(model: ScriptedModel) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=model.base_url, api_key="any", max_retries=0)


def function_call(item: ResponseOutputItem) -> ResponseFunctionToolCall:
    """`item`, which must be a function call."""
    assert isinstance(item, ResponseFunctionToolCall)
    return item


def function_calls(reply: Response) -> list[ResponseFunctionToolCall]:
    """The function calls of a response."""
    return [item for item in reply.output if isinstance(item, ResponseFunctionToolCall)]


def reasoning(reply: Response) -> ResponseReasoningItem:
    """The reasoning that a response begins with."""
    assert isinstance(reply.output[0], ResponseReasoningItem)
    return reply.output[0]


def part_of(item: ResponseOutputItem) -> ResponseOutputText | ResponseOutputRefusal:
    """The first part of a message."""
    assert item.type == "message"
    return item.content[0]


def usage_of(reply: Response) -> ResponseUsage:
    """The usage of a response that has one."""
    assert reply.usage is not None
    return reply.usage


def output(call: ResponseFunctionToolCall, text: str) -> ResponseInputItemParam:
    return {"type": "function_call_output", "call_id": call.call_id, "output": text}


def test_a_tool_loop_by_previous_response_id(
    client: openai.OpenAI, responses_tools: list[FunctionToolParam]
) -> None:
    """Only the results are sent; the conversation is remembered."""
    first = client.responses.create(model="m", input="What is 6 times 7?", tools=responses_tools)
    [call] = map(function_call, first.output)
    assert (call.name, json.loads(call.arguments)) == ("calculator", {"expression": "6 * 7"})
    second = client.responses.create(
        model="m", previous_response_id=first.id, input=[output(call, "42")], tools=responses_tools
    )
    assert "calculator says: 42" in second.output_text
    third = client.responses.create(
        model="m", previous_response_id=second.id, input="Thanks", tools=responses_tools
    )
    assert "Thanks" in third.output_text
    assert usage_of(third).input_tokens > usage_of(second).input_tokens
    assert client.responses.retrieve(first.id).output == first.output


def test_a_tool_loop_by_sending_everything_again(
    client: openai.OpenAI, responses_tools: list[FunctionToolParam]
) -> None:
    """What stateless vendors ask for: every item, reasoning in its encrypted form."""
    asked: dict[str, Any] = {
        "model": "m",
        "tools": responses_tools,
        "store": False,
        "reasoning": {"effort": "low"},
        "include": ["reasoning.encrypted_content"],
    }
    items: list[Any] = [{"role": "user", "content": "Weather in Oslo and Rome?"}]
    first = client.responses.create(**asked, input=items)
    assert [item.type for item in first.output] == ["reasoning", "function_call", "function_call"]
    items += [item.model_dump(exclude_none=True) for item in first.output]
    items += [output(function_call(item), "mild") for item in first.output[1:]]
    assert (
        "get_current_weather says: mild"
        in client.responses.create(**asked, input=items).output_text
    )


def test_what_was_not_stored_cannot_be_continued(client: openai.OpenAI) -> None:
    """The trap of `store=False`: its ids lead nowhere."""
    unstored = client.responses.create(
        model="m", input="Hi", store=False, reasoning={"effort": "low"}
    )
    with pytest.raises(openai.BadRequestError, match="not found") as refused:
        client.responses.create(model="m", input="And?", previous_response_id=unstored.id)
    assert refused.value.code == "previous_response_not_found"
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(unstored.id)
    items: list[Any] = [
        *(item.model_dump(exclude_none=True) for item in unstored.output),
        {"role": "user", "content": "And?"},
    ]
    with pytest.raises(openai.NotFoundError, match="not persisted when `store` is set to false"):
        client.responses.create(model="m", input=items)


@pytest.mark.parametrize("question", ["Hello!", "What is 6 times 7?", "Weather in Oslo and Rome?"])
def test_a_stream_ends_in_the_answer(
    client: openai.OpenAI, responses_tools: list[FunctionToolParam], question: str
) -> None:
    """The deltas add up to the items, and the last event holds the whole response."""
    asked: dict[str, Any] = {"model": "m", "input": question, "tools": responses_tools}
    asked["reasoning"] = {"effort": "medium", "summary": "auto"}
    with client.responses.stream(**asked) as stream:
        events = list(stream)
        added_up = stream.get_final_response()
    whole = client.responses.create(**asked)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
    assert added_up.output_text == whole.output_text
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == whole.output_text
    assert added_up.usage == whole.usage
    assert reasoning(added_up).summary == reasoning(whole).summary != []
    assert [call.arguments for call in function_calls(added_up)] == [
        call.arguments for call in function_calls(whole)
    ]


def test_reasoning_stays_hidden_unless_a_summary_is_asked_for(client: openai.OpenAI) -> None:
    """Its tokens are billed all the same."""
    reply = client.responses.create(model="m", input="Think.", reasoning={"effort": "low"})
    assert reasoning(reply).summary == []
    assert usage_of(reply).output_tokens_details.reasoning_tokens > 0


def test_a_capped_answer_is_incomplete(client: openai.OpenAI) -> None:
    """`incomplete` is this API's `length`."""
    question = "word " * 60
    reply = client.responses.create(model="m", input=question, max_output_tokens=16)
    assert reply.incomplete_details is not None
    assert (reply.status, reply.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert usage_of(reply).output_tokens == 16
    with client.responses.stream(model="m", input=question, max_output_tokens=16) as stream:
        assert [event.type for event in stream][-1] == "response.incomplete"


def test_a_refusal_has_a_field_of_its_own(connect: Any) -> None:
    """A refusal read as an answer would look like consent."""
    with ScriptedModel([Refuse("I will not."), Refuse("I will not.")]) as model:
        client = connect(model)
        reply = client.responses.create(model="m", input="Do harm.")
        with client.responses.stream(model="m", input="Do harm.") as stream:
            events = list(stream)
    assert reply.output[0].content[0].refusal == "I will not."
    assert (
        "".join(event.delta for event in events if event.type == "response.refusal.delta")
        == "I will not."
    )


def test_structured_answers_fit_their_schema(client: openai.OpenAI) -> None:
    """`text.format`, with the schema one level higher than in Chat Completions."""
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    wanted: ResponseTextConfigParam = {
        "format": {"type": "json_schema", "name": "n", "schema": schema, "strict": True}
    }
    reply = client.responses.create(model="m", input="I have 3 cats.", text=wanted)
    assert json.loads(reply.output_text) == {"n": 3}


def test_instructions_belong_to_one_request(connect: Any) -> None:
    """They are not carried over to the next response."""
    with ScriptedModel([Say("a"), Say("b")]) as model:
        client = connect(model)
        first = client.responses.create(model="m", input="Hi", instructions="Be brief and kind.")
        second = client.responses.create(model="m", input="Hi", previous_response_id=first.id)
    assert first.usage.input_tokens == 1 + 4
    assert second.usage.input_tokens == 1 + 1 + 1
    assert (first.instructions, second.instructions) == ("Be brief and kind.", None)


def test_a_scripted_call_can_be_anything(connect: Any) -> None:
    """Models write arguments that are no JSON, and ids of their own."""
    with ScriptedModel(
        [Call(("weather", "{oops"), ("weather", {"city": "Åse"}, "call_mine"), text="Let me see.")]
    ) as model:
        reply = connect(model).responses.create(model="m", input="Hi")
    text, first, second = reply.output
    assert text.content[0].text == "Let me see."
    assert (first.arguments, json.loads(second.arguments), second.call_id) == (
        "{oops",
        {"city": "Åse"},
        "call_mine",
    )


async def test_the_async_client_is_served_the_same() -> None:
    """The graph runs sync and async."""
    async with ScriptedModel([Say("one two three")]) as model, async_client(model) as client:
        stream = await client.responses.create(model="m", input="Count.", stream=True)
        pieces = [
            event.delta async for event in stream if event.type == "response.output_text.delta"
        ]
    assert pieces == ["one", " two", " three"]
