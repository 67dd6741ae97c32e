"""Messages written for either API and read again: nothing is lost, and what a model wrote is sent
back byte for byte.
"""

import json

from hypothesis import given, settings
from langchain_core.messages import AIMessage, BaseMessage

from tests.providers.wire_strategies import chat_replies, conversations, essence, responses_replies
from turngraph.providers.vendors.profiles import VENDORS
from turngraph.providers.writing.chat_converter import OpenAIChatConverter
from turngraph.providers.writing.from_chat import from_chat
from turngraph.providers.writing.from_responses import from_responses
from turngraph.providers.writing.messages import to_ai_message
from turngraph.providers.writing.payload import build_payload
from turngraph.providers.writing.responses_converter import OpenAIResponsesConverter
from turngraph.state.reply import ProviderReply
from turngraph.state.request import ChatRequest

CHAT = OpenAIChatConverter(vendor_fields=True)
RESPONSES = OpenAIResponsesConverter()


@given(conversations("chat"))
@settings(deadline=None, max_examples=60)
def test_chat_messages_survive_the_wire(messages: list[BaseMessage]) -> None:
    """Written for Chat Completions and read again, a conversation is the same."""
    wire = json.loads(json.dumps(CHAT.convert_all(messages)))
    assert [essence(m) for m in from_chat(wire)] == [essence(m) for m in messages]


@given(conversations("chat"))
@settings(deadline=None, max_examples=60)
def test_chat_json_is_the_same_after_reading_and_writing(messages: list[BaseMessage]) -> None:
    """A prompt cache recognizes it."""
    wire = CHAT.convert_all(messages)
    assert CHAT.convert_all(from_chat(wire)) == wire


@given(conversations("responses"))
@settings(deadline=None, max_examples=60)
def test_responses_messages_survive_the_wire(messages: list[BaseMessage]) -> None:
    """`system` becomes `developer`, and reading adds the text of the reasoning; the rest stays."""
    items = json.loads(json.dumps(RESPONSES.convert_all(messages)))
    back = from_responses(items)
    assert [{**essence(m), "kwargs": None} for m in back] == [
        {**essence(m), "kwargs": None} for m in messages
    ]
    assert RESPONSES.convert_all(back) == items


@given(responses_replies())
@settings(deadline=None, max_examples=60)
def test_output_items_are_sent_back_as_they_came(reply: ProviderReply) -> None:
    """The API refuses reasoning without the item that followed it, and the reverse."""
    message = to_ai_message(reply, message_id="m1", vendor="openai", api="responses")
    assert RESPONSES.convert_assistant(message) == list(reply.items)


@given(responses_replies())
@settings(deadline=None, max_examples=60)
def test_a_text_is_stored_once(reply: ProviderReply) -> None:
    """It is stored with every step of every turn."""
    message = to_ai_message(reply, message_id="m1", vendor="openai", api="responses")
    items = message.additional_kwargs["output_items"]
    if sum(item["type"] == "message" for item in items) == 1:
        assert not any("text" in part for item in items for part in item.get("content", ()))
    assert not any("arguments" in item for item in items)


@given(chat_replies())
@settings(deadline=None, max_examples=60)
def test_arguments_are_sent_back_byte_for_byte(reply: ProviderReply) -> None:
    """With their spaces and escapes, and whether they are JSON or not."""
    message = to_ai_message(reply, message_id="m1", vendor="openai", api="chat")
    calls = CHAT.convert_assistant(message).get("tool_calls", [])
    assert [call["function"]["arguments"] for call in calls] == [
        call.arguments for call in reply.tool_calls
    ]
    assert len(message.tool_calls) + len(message.invalid_tool_calls) == len(calls)


@given(conversations("responses"))
@settings(deadline=None, max_examples=60)
def test_a_conversation_may_change_the_api(messages: list[BaseMessage]) -> None:
    """Between two turns of a thread the API may change; the messages stay the same."""
    answers = [
        message.content
        for message in messages
        if isinstance(message, AIMessage) and message.content
    ]
    chat = build_payload(
        ChatRequest(vendor="openai", api="chat", model="gpt-4o"), messages, VENDORS["openai"]
    )
    assert [
        m["content"] for m in chat.body["messages"] if m["role"] == "assistant" and m.get("content")
    ] == answers
    other = [
        message.model_copy(update={"response_metadata": {"model_provider": "xai"}})
        for message in messages
    ]
    request = ChatRequest(vendor="openai", api="responses", model="gpt-5")
    payload = build_payload(request, other, VENDORS["openai"])
    items = payload.body["input"]
    assert any("left out" in warning for warning in payload.warnings) == any(
        map(_has_items, messages)
    )
    assert [i["content"][0]["text"] for i in items if i.get("role") == "assistant"] == answers
    assert {item.get("type") for item in items} <= {
        None,
        "function_call",
        "function_call_output",
    }, "no foreign items"


def _has_items(message: BaseMessage) -> bool:
    """Whether it has more than words and calls, which only its own vendor can read."""
    items = message.additional_kwargs.get("output_items", ())
    return any(item["type"] not in ("message", "function_call") for item in items)
