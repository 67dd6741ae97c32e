"""Messages in the Responses format: instructions, answers as items, and edited messages."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from turngraph.providers.writing.chat_converter import OpenAIChatConverter
from turngraph.providers.writing.from_chat import from_chat
from turngraph.providers.writing.from_responses import from_responses
from turngraph.providers.writing.messages import to_ai_message
from turngraph.providers.writing.responses_converter import OpenAIResponsesConverter
from turngraph.state.errors import TurnValueError
from turngraph.state.reply import ProviderReply, ToolCall

CONVERT = OpenAIResponsesConverter()
THOUGHT: dict[str, Any] = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [],
    "encrypted_content": "gAAA",
}
SEARCH: dict[str, Any] = {
    "type": "web_search_call",
    "id": "ws_1",
    "status": "completed",
    "action": {"type": "search", "query": "q"},
}
CALL: dict[str, Any] = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "add",
    "arguments": '{ "a":1 }',
    "status": "completed",
}


def said(text: str, **more: Any) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [part],
        **more,
    }


def answer(*items: dict[str, Any], vendor: str = "openai") -> AIMessage:
    """A message as it is made of an answer with `items`."""
    text = "".join(
        part["text"] for item in items if item["type"] == "message" for part in item["content"]
    )
    calls = [i for i in items if i["type"] == "function_call"]
    tool_calls = tuple(
        ToolCall(id=c["call_id"], name=c["name"], arguments=c["arguments"]) for c in calls
    )
    reply = ProviderReply(text=text, tool_calls=tool_calls, items=items)
    return to_ai_message(reply, message_id="m1", vendor=vendor, api="responses")


def test_instructions_have_the_developer_role() -> None:
    """That role has replaced `system` in this API."""
    expected = {"role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]}
    assert (
        CONVERT.convert_system(SystemMessage("Be brief."))
        == CONVERT.convert_system("Be brief.")
        == expected
    )


def test_an_answer_becomes_several_items() -> None:
    """Text, then calls; `convert_all` joins the items of all messages."""
    message = AIMessage(
        "Let me see.", tool_calls=[{"id": "call_1", "name": "add", "args": {"a": 1}}]
    )
    items = CONVERT.convert_all(
        [HumanMessage("1+1?"), message, ToolMessage("2", tool_call_id="call_1")]
    )
    assert items == [
        {"role": "user", "content": [{"type": "input_text", "text": "1+1?"}]},
        {"role": "assistant", "content": [{"type": "output_text", "text": "Let me see."}]},
        {"type": "function_call", "call_id": "call_1", "name": "add", "arguments": '{"a": 1}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "2"},
    ]


def test_all_items_are_sent_back_in_order() -> None:
    """Reasoning, searches, ids and arguments, byte for byte."""
    items = [THOUGHT, SEARCH, said("It is 2."), CALL]
    assert CONVERT.convert_assistant(answer(*items)) == items


def test_an_edited_text_takes_effect() -> None:
    """The text is stored in one place, so no old copy of it is sent."""
    message = answer(THOUGHT, said("It is 2.")).model_copy(update={"content": "It is 3."})
    assert CONVERT.convert_assistant(message)[1]["content"][0]["text"] == "It is 3."


def test_an_edited_text_of_several_items_becomes_one() -> None:
    """It is not known which item was edited."""
    message = answer(said("It "), THOUGHT, said("is 2.")).model_copy(update={"content": "It is 3."})
    assert CONVERT.convert_assistant(message) == [
        {"role": "assistant", "content": [{"type": "output_text", "text": "It is 3."}]}
    ]


def test_edited_arguments_take_effect() -> None:
    """The call keeps its item, with the new arguments."""
    message = answer(THOUGHT, CALL)
    message.tool_calls[0]["args"] = {"a": 2}
    assert CONVERT.convert_assistant(message) == [THOUGHT, {**CALL, "arguments": '{"a": 2}'}]


def test_with_a_removed_call_its_reasoning_is_left_out() -> None:
    """The API refuses reasoning without the item that followed it."""
    message = answer(THOUGHT, said("Wait."), CALL).model_copy(update={"tool_calls": []})
    assert CONVERT.convert_assistant(message) == [
        {"role": "assistant", "content": [{"type": "output_text", "text": "Wait."}]}
    ]


def test_without_storage_only_encrypted_reasoning_is_sent_back() -> None:
    """An id that was not stored is answered with `rs_… not found`."""
    bare = {"type": "reasoning", "id": "rs_2", "summary": []}
    items = OpenAIResponsesConverter(stored=False).convert_assistant(
        answer(THOUGHT, bare, said("Hi"), CALL)
    )
    assert [item.get("id") for item in items] == ["rs_1", None, None]


def test_a_model_that_does_not_reason_gets_no_reasoning() -> None:
    """It refuses the items, and calls with the id of an item that came with them."""
    items = OpenAIResponsesConverter(reasoning=False).convert_assistant(answer(THOUGHT, CALL))
    assert items == [{name: value for name, value in CALL.items() if name != "id"}]


def test_items_are_not_sent_to_another_vendor() -> None:
    """Text and calls are; the encrypted reasoning and the ids mean nothing to it."""
    message = answer(THOUGHT, SEARCH, said("It is 2."), CALL, vendor="xai")
    items = OpenAIResponsesConverter(vendor="openai").convert_assistant(message)
    assert items == [
        {"role": "assistant", "content": [{"type": "output_text", "text": "It is 2."}]},
        {"type": "function_call", "call_id": "call_1", "name": "add", "arguments": '{ "a":1 }'},
    ]
    assert OpenAIResponsesConverter(vendor="xai").convert_assistant(message)[0] == THOUGHT


def test_nulls_are_not_sent_back() -> None:
    """A server writes them into its answers, and refuses them in a request."""
    null = {**SEARCH, "results": None, "action": {"type": "search", "sources": None}}
    assert CONVERT.convert_assistant(answer(null)) == [{**SEARCH, "action": {"type": "search"}}]


def test_a_result_may_hold_an_image_and_never_an_artifact() -> None:
    """This API shows a tool's image to the model."""
    picture = {"type": "image", "base64": "AAAA", "mime_type": "image/png"}
    result = ToolMessage(["See:", picture], tool_call_id="call_1", artifact="secret")
    assert CONVERT.convert_tool_result(result)["output"] == [
        {"type": "input_text", "text": "See:"},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"},
    ]


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (
            {"type": "image", "file_id": "file-1"},
            {"type": "input_image", "file_id": "file-1", "detail": "auto"},
        ),
        (
            {"type": "file", "url": "https://example.com/a.pdf"},
            {"type": "input_file", "file_url": "https://example.com/a.pdf"},
        ),
        (
            {"type": "file", "file": {"file_id": "file-1"}},
            {"type": "input_file", "file_id": "file-1"},
        ),
        (
            {
                "type": "file",
                "base64": "AAAA",
                "mime_type": "application/pdf",
                "extras": {"filename": "a.pdf"},
            },
            {
                "type": "input_file",
                "filename": "a.pdf",
                "file_data": "data:application/pdf;base64,AAAA",
            },
        ),
    ],
)
def test_media_are_written_in_the_form_of_responses(
    block: dict[str, Any], part: dict[str, Any]
) -> None:
    """Only this API takes files by URL and images by id."""
    assert CONVERT.convert_user(HumanMessage([block]))["content"] == [part]


@pytest.mark.parametrize("kind", ["document_url", "video_url", "input_audio", "audio"])
def test_an_error_names_what_this_api_does_not_take(kind: str) -> None:
    """It names the API that does."""
    block = {
        "type": kind,
        kind: {"data": "AAAA", "format": "wav"},
        "base64": "AAAA",
        "mime_type": "audio/wav",
    }
    with pytest.raises(TurnValueError, match="Chat Completions"):
        CONVERT.convert_user(HumanMessage([block]))


@pytest.mark.parametrize(
    ("item", "complaint"),
    [
        ({"role": "critic", "content": "x"}, "role `critic`"),
        ("Hi", "is a `str`"),
        ({"role": "user"}, "content of type `NoneType`"),
        ({"type": "function_call_output", "output": "x"}, "without a `call_id`"),
        ({"type": "function_call", "call_id": "1"}, "needs text in call_id, name"),
        ({"role": "user", "content": [{"type": "hologram"}]}, "hologram"),
    ],
)
def test_wire_items_are_read_strictly(item: Any, complaint: str) -> None:
    """They come from outside, so the error says what is wrong."""
    with pytest.raises(TurnValueError, match=complaint):
        from_responses([item])


def test_the_items_of_one_answer_become_one_message() -> None:
    """LangChain's graphs expect one AIMessage for one answer."""
    output = {"type": "function_call_output", "call_id": "call_1", "output": "2"}
    messages = from_responses(
        [
            {"role": "user", "content": "1+1?"},
            THOUGHT,
            said("Wait."),
            CALL,
            output,
            said("It is 2."),
        ]
    )
    assert [message.type for message in messages] == ["human", "ai", "tool", "ai"]
    assert isinstance(messages[1], AIMessage)
    assert (messages[1].content, messages[1].tool_calls[0]["args"]) == ("Wait.", {"a": 1})


def test_the_call_and_result_of_a_custom_tool_keep_their_type() -> None:
    """Its input is free text and not JSON; turngraph runs no such tool and passes it on."""
    call = {
        "type": "custom_tool_call",
        "id": "ctc_1",
        "call_id": "call_1",
        "name": "sql",
        "input": "SELECT 1",
    }
    reply = ProviderReply(
        tool_calls=(
            ToolCall(
                id="call_1", name="sql", arguments="SELECT 1", extra={"type": "custom_tool_call"}
            ),
        ),
        items=(call,),
    )
    message = to_ai_message(reply, message_id="m1", vendor="openai", api="responses")
    assert message.tool_calls == []
    history = [HumanMessage("?"), message, ToolMessage("1", tool_call_id="call_1")]
    items = CONVERT.convert_all(history)
    assert items[1:] == [
        call,
        {"type": "custom_tool_call_output", "call_id": "call_1", "output": "1"},
    ]
    assert CONVERT.convert_all(from_responses(items)) == items
    wire = OpenAIChatConverter().convert_all(history)
    assert wire[1]["tool_calls"] == [
        {"id": "call_1", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}
    ]
    assert OpenAIChatConverter().convert_all(from_chat(wire)) == wire


def test_reasoning_with_nothing_after_it_is_not_sent_back() -> None:
    """OpenAI refuses it, and with it every later request of the thread."""
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    cut = {"type": "message", "id": "m_1", "role": "assistant", "status": "incomplete"}
    for items in ([thought], [thought, {**cut, "content": []}]):
        message = AIMessage("", additional_kwargs={"output_items": items})
        for stored in (True, False):
            assert OpenAIResponsesConverter(stored=stored).convert_assistant(message) == []
