"""Messages in the Chat Completions format, and what is refused before it is written."""

from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)

from turngraph.providers.writing.chat_converter import OpenAIChatConverter
from turngraph.providers.writing.from_chat import from_chat
from turngraph.state.errors import TurnValueError

CONVERT = OpenAIChatConverter()
CALL = {"id": "call_1", "name": "add", "args": {"a": 1}}
PNG = "data:image/png;base64,AAAA"
PDF = "data:application/pdf;base64,AAAA"


def asks(raw: str | None = None, **fields: Any) -> AIMessage:
    """An answer that calls a tool. `raw` is the text of the arguments that the model wrote."""
    wire = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": raw}}
    kwargs = {} if raw is None else {"tool_calls": [wire]}
    return AIMessage(**{"content": "", "tool_calls": [CALL], "additional_kwargs": kwargs, **fields})


def arguments(message: AIMessage) -> str:
    return str(CONVERT.convert_assistant(message)["tool_calls"][0]["function"]["arguments"])


def test_an_answer_of_calls_alone_has_no_content() -> None:
    """Some vendors refuse null, some want it; the default is to send neither."""
    assert "content" not in CONVERT.convert_assistant(asks())
    assert (
        OpenAIChatConverter(remove_empty_content=False).convert_assistant(asks())["content"] is None
    )
    assert CONVERT.convert_assistant(asks(content="Let me see."))["content"] == "Let me see."


def test_an_empty_answer_is_still_an_answer() -> None:
    """A model may say nothing; a message without content and calls would be refused."""
    assert CONVERT.convert_assistant(AIMessage("")) == {"role": "assistant", "content": ""}


def test_content_that_is_an_object_is_sent_as_json() -> None:
    """Callers pass forms and records; a model reads text."""
    record: Any = {"stadt": "Zürich"}
    message = HumanMessage.model_construct(content=record, type="human", name=None)
    assert CONVERT.convert_user(message)["content"] == '{"stadt": "Zürich"}'
    assert (
        from_chat([{"role": "user", "content": {"stadt": "Zürich"}}])[0].content
        == '{"stadt": "Zürich"}'
    )


def test_arguments_go_back_as_the_model_wrote_them() -> None:
    """A prompt cache compares bytes."""
    assert arguments(asks('{ "a":1 }')) == '{ "a":1 }'


def test_edited_arguments_take_effect() -> None:
    """The model is told the corrected arguments, as if it had written them."""
    assert arguments(asks('{ "a":2 }')) == '{"a": 1}'
    assert arguments(asks()) == '{"a": 1}'


def test_a_removed_call_is_not_sent() -> None:
    """A person may remove a call; the stored bytes of it must not bring it back."""
    message = asks('{"a": 1}').model_copy(update={"tool_calls": []})
    assert CONVERT.convert_assistant(message) == {"role": "assistant", "content": ""}


def test_calls_keep_the_order_the_model_made_them_in() -> None:
    """Valid and invalid calls are in two lists on the message, and are sent in one."""
    wire = [
        {"id": "b", "type": "function", "function": {"name": "f", "arguments": "{"}},
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
    ]
    message = AIMessage(
        "",
        tool_calls=[{"id": "a", "name": "f", "args": {}}],
        invalid_tool_calls=[
            {"type": "invalid_tool_call", "id": "b", "name": "f", "args": "{", "error": "cut"}
        ],
        additional_kwargs={"tool_calls": wire},
    )
    assert CONVERT.convert_assistant(message)["tool_calls"] == wire


def test_a_call_without_an_id_is_refused() -> None:
    """No result could refer to it."""
    with pytest.raises(TurnValueError, match="id"):
        CONVERT.convert_assistant(AIMessage("", tool_calls=[{"id": None, "name": "f", "args": {}}]))


def test_a_refusal_is_sent_as_a_refusal() -> None:
    """As text it would look like an answer."""
    refused = AIMessage("", additional_kwargs={"refusal": "I cannot."})
    assert CONVERT.convert_assistant(refused)["content"] == [
        {"type": "refusal", "refusal": "I cannot."}
    ]


def test_an_artifact_is_never_sent() -> None:
    """It is for the program: rows, images, secrets."""
    result = ToolMessage("3 rows", tool_call_id="call_1", artifact={"rows": ["secret"]}, name="add")
    assert CONVERT.convert_tool_result(result) == {
        "role": "tool",
        "tool_call_id": "call_1",
        "content": "3 rows",
    }


def test_the_developer_role_and_names_are_kept() -> None:
    """LangChain notes the developer role in `additional_kwargs`."""
    developer = SystemMessage("Be brief.", additional_kwargs={"__openai_role__": "developer"})
    assert CONVERT.convert_system(developer) == {"role": "developer", "content": "Be brief."}
    assert CONVERT.convert_system("Be brief.") == {"role": "system", "content": "Be brief."}
    assert CONVERT.convert_user(HumanMessage("Hi", name="ada"))["name"] == "ada"


def test_vendor_fields_are_sent_only_if_asked_for() -> None:
    """A strict vendor refuses the field that another one demands."""
    answer = AIMessage(
        "Yes.",
        additional_kwargs={
            "reasoning_content": "Hm.",
            "extra": {"reasoning_field": "reasoning", "x": 1},
        },
    )
    assert CONVERT.convert_assistant(answer) == {"role": "assistant", "content": "Yes."}
    full = OpenAIChatConverter(vendor_fields=True).convert_assistant(answer)
    assert full == {"role": "assistant", "content": "Yes.", "reasoning": "Hm.", "x": 1}


def test_thinking_parts_are_sent_around_the_current_text() -> None:
    """Mistral's answers are lists of parts; an edit of the text is an edit of the answer."""
    kwargs = {"content_parts": [{"type": "thinking", "thinking": []}, {"type": "text"}]}
    content = OpenAIChatConverter(vendor_fields=True).convert_assistant(
        AIMessage("Hi", additional_kwargs=kwargs)
    )["content"]
    assert content == [{"type": "thinking", "thinking": []}, {"type": "text", "text": "Hi"}]


IMAGE = {"type": "image_url", "image_url": {"url": PNG}}
FILE = {"type": "file", "file": {"filename": "document.pdf", "file_data": PDF}}
AUDIO = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}}


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ("Hi", {"type": "text", "text": "Hi"}),
        ({"type": "input_text", "text": "Hi"}, {"type": "text", "text": "Hi"}),
        ({"type": "text-plain", "text": "Hi", "mime_type": "text/plain"},
         {"type": "text", "text": "Hi"}),
        ({"type": "json", "json": {"a": 1}}, {"type": "text", "text": '{"a": 1}'}),
        (IMAGE, IMAGE),
        ({"type": "image_url", "image_url": PNG}, IMAGE),
        ({"type": "image", "base64": "AAAA", "mime_type": "image/png"}, IMAGE),
        ({"type": "image", "url": PNG}, IMAGE),
        ({"type": "image", "source_type": "base64", "data": "AAAA", "mime_type": "image/png"},
         IMAGE),
        ({"type": "image",
          "source": {"type": "base64", "data": "AAAA", "media_type": "image/png"}},
         IMAGE),
        ({"type": "input_image", "image_url": PNG}, IMAGE),
        ({"type": "image", "base64": "AAAA", "mime_type": "image/png", "extras": {"detail": "low"}},
         {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}}),
        (AUDIO, AUDIO),
        ({"type": "audio", "base64": "AAAA", "mime_type": "audio/mpeg"}, AUDIO),
        (FILE, FILE),
        ({"type": "file", "base64": "AAAA", "mime_type": "application/pdf"}, FILE),
        ({"type": "input_file", "file_data": PDF}, FILE),
        ({"type": "file", "file": {"file_id": "file-1"}},
         {"type": "file", "file": {"file_id": "file-1"}}),
        ({"type": "file", "file_id": "file-1"}, {"type": "file", "file": {"file_id": "file-1"}}),
        ({"type": "non_standard", "value": {"type": "mine"}}, {"type": "mine"}),
        ({"type": "document_url", "document_url": PDF},
         {"type": "document_url", "document_url": PDF}),
    ],
)  # fmt: skip
def test_every_spelling_of_a_block_is_understood(block: Any, part: dict[str, Any]) -> None:
    """Those of both OpenAI APIs, of LangChain old and new, and of Anthropic."""
    assert CONVERT.convert_user(HumanMessage([block]))["content"] == [part]


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"type": "hologram"}, "no vendor knows the block type `hologram`"),
        ({"text": "Hi"}, "block type `None`"),
        ({"type": "text"}, "lacks 'text'"),
        ({"type": "text", "text": 3}, "malformed"),
        ({"type": "image_url", "image_url": {"url": []}}, "malformed: `url` is a `list`"),
        ({"type": "image_url", "image_url": {"url": "data:,", "detail": 1}}, "`detail` is a `int`"),
        ({"type": "input_image", "image_url": {}}, "malformed"),
        ({"type": "input_image", "file_id": 7}, "`file_id` is a `int`"),
        ({"type": "file", "file": {"file_id": "f", "filename": {}}}, "`filename` is a `dict`"),
        ({"type": "refusal", "refusal": 3}, "`refusal` is a `int`"),
        ({"type": "image"}, "url, base64 or file_id"),
        ({"type": "image", "file_id": "file-1"}, "a URL or base64"),
        ({"type": "audio", "url": "https://example.com/a.mp3"}, "base64 only"),
        ({"type": "file", "url": "https://example.com/a.pdf"}, "base64 or a file id"),
    ],
)
def test_an_error_names_a_block_that_cannot_be_sent(block: dict[str, Any], said: str) -> None:
    """Leaving it out would change the message."""
    with pytest.raises(TurnValueError, match=said):
        CONVERT.convert_user(HumanMessage([block], id="m7"))


@pytest.mark.parametrize("content", [{"a": b"x"}, {"a": float("inf")}, {"a": float("nan")}])
def test_content_that_is_no_json_is_refused(content: dict[str, Any]) -> None:
    """An object is sent as its JSON; what has none is a mistake of the caller."""
    with pytest.raises(TurnValueError, match="holds a value that JSON cannot express"):
        from_chat([{"role": "user", "content": content}])


@pytest.mark.parametrize(
    "message",
    [
        FunctionMessage(content="x", name="f"),
        RemoveMessage(id="m1"),
        ChatMessage(content="x", role="critic"),
    ],
)
def test_an_error_numbers_a_message_that_cannot_be_sent(message: BaseMessage) -> None:
    """In a history of four hundred messages, the number is what helps."""
    with pytest.raises(TurnValueError, match="Message 2"):
        CONVERT.convert_all([HumanMessage("Hi"), message])


@pytest.mark.parametrize(
    ("role", "sent"), [("human", "user"), ("ai", "assistant"), ("developer", "system")]
)
def test_a_message_may_name_its_role(role: str, sent: str) -> None:
    """LangChain's ChatMessage does."""
    assert CONVERT.convert_all([ChatMessage(content="x", role=role)])[0]["role"] == sent


@pytest.mark.parametrize(
    ("wire", "said"),
    [
        (
            {"role": "critic", "content": "x"},
            "role `critic`; allowed: system, developer, user, assistant, tool",
        ),
        ({"content": "x"}, "role `None`"),
        ("Hi", "role `None`"),
        ({"role": ["user"], "content": "x"}, "role"),
        ({"role": "user", "content": 3}, "content of type `int`"),
        ({"role": "user"}, "content of type `NoneType`"),
        ({"role": "user", "content": [{"type": "hologram"}]}, "hologram"),
        ({"role": "tool", "content": "x"}, "tool_call_id"),
        ({"role": "assistant", "function_call": {"name": "f"}}, "deprecated"),
        ({"role": "assistant", "tool_calls": [{"id": "1"}]}, "tool call without"),
        ({"role": "assistant", "tool_calls": ["f"]}, "tool call without"),
        ({"role": "assistant", "tool_calls": "f"}, "of type `str`"),
        ({"role": "user", "content": "x", "name": 3}, "`name` of type `int`"),
    ],
)
def test_wire_messages_are_read_strictly(wire: Any, said: str) -> None:
    """They come from outside: the error names the message, what was seen and what is allowed."""
    with pytest.raises(TurnValueError, match=said):
        from_chat([wire])


def test_the_callers_messages_are_not_changed() -> None:
    """The history belongs to the state."""
    message = HumanMessage([dict(IMAGE), "Hi"])
    before = message.model_copy(deep=True)
    wire = CONVERT.convert_user(message)
    wire["content"][0]["image_url"] = "changed"
    assert message == before


def test_edited_arguments_are_written_anew_where_the_same_text_was_sent_before() -> None:
    """What a text stands for is remembered; what the message says must still win."""
    text = '{"city": "Oslo"}'
    sent = {"id": "1", "type": "function", "function": {"name": "f", "arguments": text}}
    written = [
        OpenAIChatConverter().convert_assistant(
            AIMessage(
                "",
                tool_calls=[{"id": "1", "name": "f", "args": {"city": city}}],
                additional_kwargs={"tool_calls": [sent]},
            )
        )["tool_calls"][0]["function"]["arguments"]
        for city in ("Oslo", "Rome", "Oslo")
    ]
    assert written == [text, '{"city": "Rome"}', text]
