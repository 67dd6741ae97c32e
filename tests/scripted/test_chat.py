"""Chat Completions on the scripted model, asked by the real SDK."""

import json
from typing import Any

import openai
import pytest
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionFunctionToolParam,
    ChatCompletionMessage,
    ChatCompletionMessageFunctionToolCall,
    ChatCompletionMessageParam,
)
from openai.types.chat.completion_create_params import ResponseFormat

from turngraph.scripted import Say, ScriptedModel


def async_client(model: ScriptedModel) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=model.base_url, api_key="any", max_retries=0)


def user(text: str) -> ChatCompletionMessageParam:
    return {"role": "user", "content": text}


def text_of(reply: ChatCompletionMessage) -> str:
    """The text of an answer that has one."""
    assert reply.content is not None
    return reply.content


def calls_of(reply: ChatCompletionMessage) -> list[ChatCompletionMessageFunctionToolCall]:
    """The function calls of an answer."""
    return [call for call in reply.tool_calls or () if call.type == "function"]


def reasoning_tokens(reply: ChatCompletion) -> int | None:
    """The reasoning tokens that the usage of `reply` names."""
    assert reply.usage is not None
    assert reply.usage.completion_tokens_details is not None
    return reply.usage.completion_tokens_details.reasoning_tokens


def with_results(
    messages: list[ChatCompletionMessageParam], reply: ChatCompletionMessage, result: str
) -> list[ChatCompletionMessageParam]:
    """The conversation after `reply`, each of its calls answered with `result`."""
    conversation = list(messages)
    conversation.append(
        {
            "role": "assistant",
            "content": reply.content,
            "tool_calls": [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.function.name, "arguments": call.function.arguments},
                }
                for call in calls_of(reply)
            ],
        }
    )
    results: list[ChatCompletionMessageParam] = [
        {"role": "tool", "tool_call_id": call.id, "content": result} for call in calls_of(reply)
    ]
    return [*conversation, *results]


def test_it_says_plainly_that_it_is_scripted(client: openai.OpenAI) -> None:
    """Nobody should take its words for a model's."""
    answer = client.chat.completions.create(model="gpt-4o", messages=[user("Who wrote Faust?")])
    text = text_of(answer.choices[0].message)
    assert "scripted model, not a language model" in text
    assert "Who wrote Faust?" in text
    assert client.models.list().data[0].id == "scripted"


def test_a_tool_is_called_and_its_result_is_repeated(
    client: openai.OpenAI, chat_tools: list[ChatCompletionFunctionToolParam]
) -> None:
    """The call fits the question, and the answer holds what the tool said."""
    messages = [user("What is 17% of 2,340?")]
    first = client.chat.completions.create(
        model="scripted", messages=messages, tools=chat_tools
    ).choices[0]
    assert first.finish_reason == "tool_calls"
    [call] = calls_of(first.message)
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "calculator",
        {"expression": "17 / 100 * 2340"},
    )
    messages = with_results(messages, first.message, "397.8")
    second = client.chat.completions.create(
        model="scripted", messages=messages, tools=chat_tools
    ).choices[0]
    assert second.finish_reason == "stop"
    assert "calculator says: 397.8" in text_of(second.message)


def test_several_places_are_several_calls_at_once(
    client: openai.OpenAI, chat_tools: list[ChatCompletionFunctionToolParam]
) -> None:
    """Parallel calls are what the graph fans out."""
    asked = user("What is the weather in Oslo, New York and Rome?")
    reply = (
        client.chat.completions.create(model="scripted", messages=[asked], tools=chat_tools)
        .choices[0]
        .message
    )
    assert [json.loads(call.function.arguments)["location"] for call in calls_of(reply)] == [
        "Oslo",
        "New York",
        "Rome",
    ]
    assert len({call.id for call in calls_of(reply)}) == 3


def test_without_parallel_calls_they_come_one_after_another(
    client: openai.OpenAI, chat_tools: list[ChatCompletionFunctionToolParam]
) -> None:
    """A loop of several follow-ups, each with its own call."""
    messages, seen = [user("Weather in Oslo and Rome?")], list[str]()
    for _ in range(3):
        reply = client.chat.completions.create(
            model="scripted", messages=messages, tools=chat_tools, parallel_tool_calls=False
        )
        if reply.choices[0].finish_reason == "stop":
            break
        [call] = calls_of(reply.choices[0].message)
        seen.append(json.loads(call.function.arguments)["location"])
        messages = with_results(messages, reply.choices[0].message, "mild")
    assert seen == ["Oslo", "Rome"]


@pytest.mark.parametrize("question", ["Hello!", "What is 6 times 7?", "Weather in Oslo and Rome?"])
def test_a_stream_adds_up_to_the_answer(
    client: openai.OpenAI, chat_tools: list[ChatCompletionFunctionToolParam], question: str
) -> None:
    """Streamed or not, it is the same answer at the same price."""
    asked: dict[str, Any] = {"model": "scripted", "messages": [user(question)], "tools": chat_tools}
    whole = client.chat.completions.create(**asked)
    with client.chat.completions.stream(**asked, stream_options={"include_usage": True}) as stream:
        added_up = stream.get_final_completion()
    assert added_up.usage == whole.usage
    message, streamed = whole.choices[0].message, added_up.choices[0].message
    assert (message.content or "") == (streamed.content or "")
    assert [call.function.arguments for call in message.tool_calls or []] == [
        call.function.arguments for call in streamed.tool_calls or []
    ]
    assert added_up.choices[0].finish_reason == whole.choices[0].finish_reason


def test_usage_is_streamed_only_if_asked_for(client: openai.OpenAI) -> None:
    """Clients that forget to ask bill nothing; a model that sent it anyway would hide that."""
    chunks = list(client.chat.completions.create(model="m", messages=[user("Hi")], stream=True))
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


def test_tool_choice_is_honored(
    client: openai.OpenAI, chat_tools: list[ChatCompletionFunctionToolParam]
) -> None:
    """`none` forbids, `required` demands, a name decides which."""

    def called(choice: Any, question: str) -> list[str]:
        reply = client.chat.completions.create(
            model="m", messages=[user(question)], tools=chat_tools, tool_choice=choice
        )
        return [call.function.name for call in calls_of(reply.choices[0].message)]

    assert called("none", "What is 6 times 7?") == []
    assert called("auto", "Hello!") == []
    assert called("required", "Hello!") == ["get_current_weather"]
    assert called({"type": "function", "function": {"name": "calculator"}}, "Hello!") == [
        "calculator"
    ]


def test_structured_answers_fit_their_schema(client: openai.OpenAI) -> None:
    """Both kinds of response_format."""
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "degrees": {"type": "number"}},
        "required": ["city", "degrees"],
        "additionalProperties": False,
    }
    wanted: ResponseFormat = {
        "type": "json_schema",
        "json_schema": {"name": "report", "strict": True, "schema": schema},
    }
    asked = [user("It is 12 degrees in Oslo.")]
    reply = client.chat.completions.create(model="m", messages=asked, response_format=wanted)
    assert json.loads(text_of(reply.choices[0].message)) == {"city": "Oslo", "degrees": 12}
    asked = [user("A joke, as JSON with the keys 'setup' and 'punchline'.")]
    reply = client.chat.completions.create(
        model="m", messages=asked, response_format={"type": "json_object"}
    )
    assert set(json.loads(text_of(reply.choices[0].message))) == {"setup", "punchline"}


def test_caps_and_stops_end_an_answer(client: openai.OpenAI) -> None:
    """`length` must be seen to be handled."""
    asked: dict[str, Any] = {"model": "m", "messages": [user("Tell me everything.")]}
    cut = client.chat.completions.create(**asked, max_tokens=3)
    assert cut.choices[0].finish_reason == "length"
    assert cut.choices[0].message.content == "This is the"
    assert cut.usage is not None
    assert cut.usage.completion_tokens == 3
    stopped = client.chat.completions.create(**asked, stop=["scripted"])
    assert stopped.choices[0].message.content == "This is the "
    assert stopped.choices[0].finish_reason == "stop"


def test_a_cap_can_cut_a_calls_arguments(
    client: openai.OpenAI, chat_tools: list[ChatCompletionFunctionToolParam]
) -> None:
    """No tool may run on arguments that did not arrive whole; this is how a model sends them."""
    reply = client.chat.completions.create(
        model="m", messages=[user("What is 6 times 7?")], tools=chat_tools, max_tokens=2
    )
    assert reply.choices[0].finish_reason == "length"
    assert calls_of(reply.choices[0].message)[0].function.arguments == '{"expression":'


def test_reasoning_is_shown_and_counted_when_effort_is_asked_for(client: openai.OpenAI) -> None:
    """As vendors with a `reasoning_content` send it."""
    reply = client.chat.completions.create(
        model="m", messages=[user("Think.")], reasoning_effort="high"
    )
    thought = (reply.choices[0].message.model_extra or {})["reasoning_content"]
    assert reasoning_tokens(reply) == len(thought.split()) > 0
    plain = client.chat.completions.create(
        model="m", messages=[user("Think.")], reasoning_effort="none"
    )
    assert reasoning_tokens(plain) == 0


def test_a_prompt_seen_before_is_cached(connect: Any) -> None:
    """Prices of cached tokens differ; a long conversation is the rule, not the exception."""
    with ScriptedModel(cache_from=5) as model:
        asked = [user("one two three four five six")]
        client = connect(model)
        first = client.chat.completions.create(model="m", messages=asked)
        longer = [*asked, {"role": "assistant", "content": "seven eight"}, user("nine")]
        second = client.chat.completions.create(model="m", messages=longer)
    assert (first.usage.prompt_tokens, first.usage.prompt_tokens_details.cached_tokens) == (6, 0)
    assert (second.usage.prompt_tokens, second.usage.prompt_tokens_details.cached_tokens) == (9, 6)


def test_several_choices_and_log_probabilities(client: openai.OpenAI) -> None:
    """Rarely asked for, and read by strict clients."""
    reply = client.chat.completions.create(
        model="m", messages=[user("Hi")], n=2, logprobs=True, top_logprobs=2
    )
    assert [choice.index for choice in reply.choices] == [0, 1]
    logprobs = reply.choices[0].logprobs
    assert logprobs is not None
    entries = logprobs.content or []
    assert "".join(entry.token for entry in entries) == reply.choices[0].message.content
    assert all(len(entry.top_logprobs) == 2 for entry in entries)


async def test_the_async_client_is_served_the_same() -> None:
    """The graph runs sync and async."""
    async with ScriptedModel([Say("one two three")]) as model, async_client(model) as client:
        stream = await client.chat.completions.create(
            model="m", messages=[user("Count.")], stream=True
        )
        pieces = [chunk.choices[0].delta.content async for chunk in stream]
        reply = await client.chat.completions.create(model="m", messages=[user("Hi")])
    assert [piece for piece in pieces if piece] == ["one", " two", " three"]
    assert "scripted" in text_of(reply.choices[0].message)
