"""A model's answer as a LangChain message."""

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk

from turngraph.providers.writing.messages import to_ai_message, to_chunk, usage_metadata
from turngraph.state.reply import ProviderReply, StreamChunk, ToolCall
from turngraph.state.usage import Usage


def made(**fields: object) -> dict[str, object]:
    return to_ai_message(
        ProviderReply.model_validate(fields), message_id="m1", vendor="deepseek", api="chat"
    ).model_dump()


def test_a_message_says_who_answered_and_how_it_ended() -> None:
    """LangChain's ecosystem looks for it in `response_metadata`."""
    metadata = made(
        text="Hi", finish_reason="stop", response_id="r1", model="v4", service_tier="default"
    )["response_metadata"]
    assert metadata == {
        "model_name": "v4",
        "model_provider": "deepseek",
        "api": "chat",
        "id": "r1",
        "finish_reason": "stop",
        "service_tier": "default",
    }


def test_logprobs_and_citations_are_kept() -> None:
    """If the vendor sent them."""
    page = {"url": "https://a.example", "title": "A", "start_index": 0, "end_index": 2}
    cited = {"type": "url_citation", "url_citation": page}
    message = made(text="Hi", logprobs=[{"token": "Hi"}], citations=[cited])
    metadata, kwargs = message["response_metadata"], message["additional_kwargs"]
    assert isinstance(metadata, dict)
    assert isinstance(kwargs, dict)
    assert metadata["logprobs"] == {"content": [{"token": "Hi"}]}
    assert kwargs["annotations"] == [{"type": "citation", **page}]


def test_unreported_usage_stays_unreported() -> None:
    """A zero would claim that the call was free."""
    assert made(text="Hi")["usage_metadata"] is None
    assert usage_metadata(Usage(cost_usd=None)) is None


def test_reported_usage_keeps_its_parts() -> None:
    """Cached, written, reasoning and audio tokens have LangChain's names; a zero is kept."""
    usage = Usage(
        input_tokens=10,
        output_tokens=5,
        cache_read_tokens=0,
        cache_write_tokens=2,
        reasoning_tokens=3,
        input_audio_tokens=1,
        output_audio_tokens=4,
    )
    assert usage_metadata(usage) == {
        "input_tokens": 10,
        "output_tokens": 5,
        "total_tokens": 15,
        "input_token_details": {"cache_read": 0, "cache_creation": 2, "audio": 1},
        "output_token_details": {"reasoning": 3, "audio": 4},
    }


def test_broken_arguments_are_kept_with_an_error() -> None:
    """The model reads its mistake; no tool runs on a guess."""
    message = to_ai_message(
        ProviderReply(tool_calls=(ToolCall(id="1", name="f", arguments='{"a": NaN}'),)),
        message_id="m1",
        vendor="openai",
        api="chat",
    )
    assert message.tool_calls == []
    assert message.invalid_tool_calls[0]["args"] == '{"a": NaN}'
    assert (
        message.invalid_tool_calls[0]["error"]
        == "The arguments are not JSON: `NaN` is no number in JSON."
    )


def test_calls_of_a_truncated_answer_are_invalid() -> None:
    """Arguments that parse may have lost their end: `{"days": 1}` of `{"days": 1, "hard": 2}`."""
    call = ToolCall(id="1", name="f", arguments="{}")
    message = to_ai_message(
        ProviderReply(tool_calls=(call,), truncated=True),
        message_id="m1",
        vendor="openai",
        api="chat",
    )
    assert message.tool_calls == []
    assert str(message.invalid_tool_calls[0]["error"]).startswith("The answer stopped")


def test_reasoning_is_stored_once_with_the_name_it_came_under() -> None:
    """A vendor wants it back under that name."""
    kwargs = made(reasoning="Hm.", extra={"reasoning": "Hm.", "reasoning_details": [1]})[
        "additional_kwargs"
    ]
    assert kwargs == {
        "reasoning_content": "Hm.",
        "extra": {"reasoning_details": [1], "reasoning_field": "reasoning"},
    }


def test_pieces_add_up_to_the_answer() -> None:
    """A listener to tokens can add them as LangChain does."""
    pieces = [
        StreamChunk(type="reasoning", text="Hm."),
        StreamChunk(type="text", text="Fo"),
        StreamChunk(type="text", text="ur."),
        StreamChunk(type="tool_call", tool_call=ToolCall(id="1", name="f", arguments='{"a": 1}')),
        StreamChunk(type="tool_call", tool_call=ToolCall(id="2", name="f", arguments="{}")),
        StreamChunk(type="usage", usage=Usage(input_tokens=1, output_tokens=2)),
    ]
    whole, *rest = [to_chunk(piece, message_id="m1") for piece in pieces]
    for chunk in rest:
        whole = whole + chunk
    assert (whole.id, whole.content, whole.additional_kwargs) == (
        "m1",
        "Four.",
        {"reasoning_content": "Hm."},
    )
    assert [(call["id"], call["args"]) for call in whole.tool_calls] == [("1", {"a": 1}), ("2", {})]
    assert whole.usage_metadata == {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}


def test_an_error_is_a_piece_without_text() -> None:
    """It must not look like something the model wrote."""
    chunk = to_chunk(StreamChunk(type="error", text="overloaded"), message_id="m1")
    assert (chunk.content, chunk.response_metadata) == ("", {"error": "overloaded"})
    assert to_chunk(StreamChunk(type="refusal", text="No."), message_id="m1").additional_kwargs == {
        "refusal": "No."
    }


def test_a_piece_of_text_is_what_langchain_would_make_of_it() -> None:
    """It is copied, not validated; listeners add pieces up, dump them and put things into them."""
    piece, other = (to_chunk(StreamChunk(type="text", text="Fo"), message_id="m") for _ in range(2))
    new = AIMessageChunk(id="m", content="Fo")
    assert (piece, piece.model_dump(), piece + other) == (new, new.model_dump(), new + new)
    piece.additional_kwargs["seen"] = True
    piece.tool_call_chunks.append(tool_call_chunk(name="f"))
    assert other == new
