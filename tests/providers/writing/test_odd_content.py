"""Content and ids of other models' and tools' making, which must not cost a thread."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from turngraph.providers.vendors.profiles import VENDORS
from turngraph.providers.writing.payload import Payload, build_payload
from turngraph.state.request import Api, ChatRequest, ToolSpec

BOTH = pytest.mark.parametrize("api", ["chat", "responses"])
VIDEO: Any = {"type": "video", "url": "https://a.example/v.mp4"}


def build(*messages: BaseMessage, vendor: str = "openai", **asked: Any) -> Payload:
    request = ChatRequest(**{"vendor": vendor, "api": "chat", "model": "gpt-4.1", **asked})
    return build_payload(request, messages, VENDORS[vendor])


def loop(call_id: str, content: Any = "2") -> list[BaseMessage]:
    asks = AIMessage("", tool_calls=[{"id": call_id, "name": "add", "args": {}}])
    return [HumanMessage("Hi"), asks, ToolMessage(content, tool_call_id=call_id)]


def ids_in(payload: Payload) -> list[str]:
    if payload.api == "responses":
        return [item["call_id"] for item in payload.body["input"] if "call_id" in item]
    _, asks, result = payload.body["messages"]
    return [asks["tool_calls"][0]["id"], result["tool_call_id"]]


def output_of(payload: Payload) -> Any:
    if payload.api == "responses":
        return payload.body["input"][2]["output"]
    return payload.body["messages"][2]["content"]


@BOTH
@pytest.mark.parametrize("call_id", ["functions.add:0", "call_1__thought__" + "A" * 900, "a b"])
def test_ids_that_a_vendor_refuses_are_rewritten_in_call_and_result(api: Api, call_id: str) -> None:
    """OpenAI takes 40 characters (Responses: 64), Anthropic letters, digits, `_` and `-`."""
    made, told = ids_in(build(*loop(call_id), api=api))
    assert made == told != call_id
    assert len(made) <= 40
    assert made.replace("_", "").isalnum()


@BOTH
@pytest.mark.parametrize(("length", "kept"), [(40, ("chat", "responses")), (64, ("responses",))])
def test_ids_that_a_vendor_takes_stay_as_they_are(
    api: Api, length: int, kept: tuple[str, ...]
) -> None:
    call_id = "c" * length
    assert (ids_in(build(*loop(call_id), api=api)) == [call_id] * 2) == (api in kept)


def test_long_ids_that_begin_alike_are_told_apart() -> None:
    ids = ["x" * 90 + end for end in "ab"]
    asks = AIMessage("", tool_calls=[{"id": i, "name": "add", "args": {}} for i in ids])
    results = [ToolMessage(i, tool_call_id=i) for i in ids]
    wire = build(HumanMessage("Hi"), asks, *results).body["messages"]
    made = [call["id"] for call in wire[1]["tool_calls"]]
    assert made == [message["tool_call_id"] for message in wire[2:]]
    assert len(set(made)) == 2


def test_the_result_that_continues_a_response_keeps_the_vendors_id() -> None:
    """Only by its own id does the vendor know the call."""
    call_id = "call.1:" + "x" * 70
    asks = AIMessage(
        "",
        tool_calls=[{"id": call_id, "name": "add", "args": {}}],
        response_metadata={"id": "resp_1"},
    )
    conversation = [HumanMessage("Hi"), asks, ToolMessage("2", tool_call_id=call_id)]
    payload = build(*conversation, api="responses", previous_response_id="resp_1")
    assert payload.body["input"][0]["call_id"] == call_id


@BOTH
@pytest.mark.parametrize(
    ("block", "named"),
    [
        ({"type": "hologram", "data": 1}, "hologram"),
        ({"type": "image", "base64": "AA"}, "image"),
        ({"type": "non_standard", "value": {"type": "foo"}}, ""),
        (VIDEO, ""),
    ],
)
def test_a_block_of_a_tool_that_an_api_cannot_carry_is_a_note(
    api: Api, block: Any, named: str
) -> None:
    """An error would be raised in every later request of the thread."""
    output = output_of(build(*loop("c1", ["Seen.", block]), api=api))
    assert output[0]["text"] == "Seen."
    assert "left out" in output[1]["text"]
    assert named in output[1]["text"]


SOUND: Any = {"type": "audio", "base64": "UklGRg==", "mime_type": "audio/wav"}


@BOTH
@pytest.mark.parametrize(
    ("block", "kind"), [(SOUND, "audio"), (VIDEO, "video"), ({"type": "hologram"}, "hologram")]
)
def test_a_note_in_place_of_a_tools_media_is_a_warning(api: Api, block: Any, kind: str) -> None:
    """The Responses API got its note, and whoever ran the turn was not told."""
    [warning] = build(*loop("c1", ["Seen.", block]), api=api).warnings
    assert "is sent as a note: openai does not take it" in warning
    assert kind in warning


@BOTH
def test_an_empty_list_of_a_tool_is_an_empty_text(api: Api) -> None:
    assert output_of(build(*loop("c1", []), api=api)) == ""


@BOTH
@pytest.mark.parametrize(
    "block",
    [
        {"type": "server_tool_call", "id": "s", "name": "web_search", "args": {}},
        {"type": "server_tool_result", "tool_call_id": "s", "status": "success", "output": 1},
        {"type": "non_standard", "value": {"type": "foo"}},
        VIDEO,
    ],
)
def test_blocks_that_only_another_model_can_read_are_left_out_of_its_answer(
    api: Api, block: Any
) -> None:
    answer = AIMessage([{"type": "text", "text": "Four."}, block])
    payload = build(HumanMessage("2+2?"), answer, HumanMessage("And?"), api=api)
    [part] = payload.body["messages" if api == "chat" else "input"][1]["content"]
    assert part["text"] == "Four."


def test_a_video_goes_where_videos_are_taken() -> None:
    sent = build(HumanMessage([VIDEO]), vendor="openrouter").body["messages"][0]["content"]
    assert sent == [{"type": "video_url", "video_url": {"url": VIDEO["url"]}}]


def test_a_document_of_anthropics_form_is_a_file_or_a_text() -> None:
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "AA"}
    text = {"type": "text", "media_type": "text/plain", "data": "Hi"}
    blocks: list[Any] = [
        {"type": "document", "title": "a.pdf", "source": pdf},
        {"type": "document", "source": text},
    ]
    first, second = build(HumanMessage(blocks)).body["messages"][0]["content"]
    assert first["file"] == {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"}
    assert second == {"type": "text", "text": "Hi"}


def test_empty_texts_are_left_out_beside_others_and_make_an_answer_empty() -> None:
    """Mistral and Anthropic refuse them."""
    empty: Any = {"type": "text", "text": ""}
    asks = HumanMessage([empty, {"type": "text", "text": "Hi"}])
    payload = build(asks, AIMessage([empty]), HumanMessage("And?"), vendor="mistral")
    assert payload.body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "user", "content": "And?"},
    ]
    assert "An answer without text is left out" in payload.warnings[0]


def test_log_probabilities_are_not_asked_for_where_they_are_left_out() -> None:
    """A model that reasons refuses them, through `include` too."""
    asked: dict[str, Any] = {"api": "responses", "logprobs": True, "top_logprobs": 2}
    assert "include" not in build(HumanMessage("Hi"), model="gpt-5-mini", **asked).body
    sent = build(HumanMessage("Hi"), model="gpt-4.1", **asked).body
    assert sent["include"] == ["message.output_text.logprobs"]


@pytest.mark.parametrize("vendor", ["openai", "mistral", "groq"])
def test_a_tool_choice_of_any_is_required(vendor: str) -> None:
    """Other programs call it so. A tool of that name is still a tool."""
    tool = ToolSpec(name="add", parameters={})
    asked: dict[str, Any] = {"vendor": vendor, "tools": (tool,)}
    choices = [
        build(HumanMessage("Hi"), tool_choice=word, **asked).body["tool_choice"]
        for word in ("any", "required")
    ]
    assert choices[0] == choices[1]
    named = build(
        HumanMessage("Hi"), tools=(ToolSpec(name="any", parameters={}),), tool_choice="any"
    )
    assert named.body["tool_choice"] == {"type": "function", "function": {"name": "any"}}


@pytest.mark.parametrize("vendor", ["mistral", "openai", "deepseek"])
def test_the_thinking_of_an_answer_goes_back_where_it_is_taken(vendor: str) -> None:
    """Each later turn of a thread of a Mistral model that reasons has it."""
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    answer = AIMessage(
        "Four.",
        additional_kwargs={"content_parts": [thinking, {"type": "text"}]},
        response_metadata={"model_provider": "mistral"},
    )
    payload = build(HumanMessage("2+2?"), answer, HumanMessage("And?"), vendor=vendor)
    content = payload.body["messages"][1]["content"]
    text = {"type": "text", "text": "Four."}
    assert content == ([thinking, text] if vendor == "mistral" else "Four.")
    assert not payload.warnings
