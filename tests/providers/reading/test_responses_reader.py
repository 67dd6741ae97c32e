"""Responses answers as vendors send them: read with all their items, or marked as truncated."""

from typing import Any

import pytest

from turngraph.providers.reading.asked import Asked
from turngraph.providers.reading.read_limits import ReadLimits
from turngraph.providers.reading.responses_reader import ResponsesReader, read_responses
from turngraph.state.errors import ProviderError, ResponsesAPIError
from turngraph.state.reply import ProviderReply, StreamChunk
from turngraph.state.usage import Usage

JsonObject = dict[str, Any]

REASONING = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [
        {"type": "summary_text", "text": "Add."},
        {"type": "summary_text", "text": "Check."},
    ],
    "encrypted_content": "b3Blbg==",
}
CITATION = {
    "type": "url_citation",
    "url": "https://a.example",
    "title": "A",
    "start_index": 0,
    "end_index": 2,
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [
        {
            "type": "output_text",
            "text": "Hello",
            "annotations": [CITATION],
            "logprobs": [{"token": "Hello", "logprob": 0}],
        }
    ],
}
CALL = {
    "id": "fc_1",
    "type": "function_call",
    "call_id": "call_1",
    "name": "add",
    "arguments": '{"x":1}',
    "status": "completed",
}
USAGE = {
    "input_tokens": 5,
    "output_tokens": 2,
    "total_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 1},
}


def response(*output: JsonObject, status: str | None = "completed", **more: Any) -> JsonObject:
    return {
        "id": "resp_1",
        "object": "response",
        "status": status,
        "model": "m",
        "output": list(output),
        **more,
    }


def state(kind: str, *output: JsonObject, **more: Any) -> JsonObject:
    return {"type": f"response.{kind}", "response": response(*output, **({"status": kind} | more))}


def delta(kind: str, text: str, place: int = 0, **more: Any) -> JsonObject:
    return {"type": f"response.{kind}.delta", "output_index": place, "delta": text, **more}


def added(item: JsonObject, place: int = 0) -> JsonObject:
    return {"type": "response.output_item.added", "output_index": place, "item": item}


def done(item: JsonObject, place: int = 0) -> JsonObject:
    return {"type": "response.output_item.done", "output_index": place, "item": item}


def stream(
    *events: JsonObject, limits: ReadLimits | None = None
) -> tuple[ProviderReply, list[StreamChunk]]:
    reader = ResponsesReader(vendor="acme", limits=limits)
    chunks = [chunk for event in events for chunk in reader.feed(event)]
    return reader.finish(), chunks


def test_a_stream_and_its_json_read_the_same() -> None:
    """A reply does not show whether it was streamed."""
    final = response(REASONING, MESSAGE, CALL, usage=USAGE, service_tier="default")
    streamed, chunks = stream(
        state("created", status="in_progress"),
        delta("reasoning_summary_text", "Add.", summary_index=0),
        delta("reasoning_summary_text", "Che", summary_index=1),
        delta("reasoning_summary_text", "ck.", summary_index=1),
        delta("output_text", "Hel", 1, content_index=0),
        delta("output_text", "lo", 1, content_index=0),
        delta("function_call_arguments", '{"x":1}', 2),
        {"type": "response.completed", "response": final},
    )
    assert streamed == read_responses(final)
    assert (streamed.text, streamed.reasoning) == ("Hello", "Add.\n\nCheck.")
    assert (
        "".join(chunk.text for chunk in chunks if chunk.type == "reasoning") == streamed.reasoning
    )
    assert [chunk.type for chunk in chunks[-2:]] == ["tool_call", "usage"]


def test_everything_an_answer_holds_is_read() -> None:
    """Items stay whole, because a later request may send them back."""
    reply = read_responses(response(REASONING, MESSAGE, CALL, usage=USAGE, service_tier="default"))
    assert list(reply.items) == [REASONING, MESSAGE, CALL]
    assert reply.usage == Usage(input_tokens=5, output_tokens=2, total_tokens=7, reasoning_tokens=1)
    assert (reply.citations, reply.logprobs) == ((CITATION,), ({"token": "Hello", "logprob": 0},))
    assert (reply.response_id, reply.model, reply.service_tier) == ("resp_1", "m", "default")
    [call] = reply.tool_calls
    assert (call.id, call.name, call.arguments, call.extra) == (
        "call_1",
        "add",
        '{"x":1}',
        {"item_id": "fc_1"},
    )


def test_a_custom_tool_and_a_namespace_are_kept_with_the_call() -> None:
    """The result of a free-text tool has a type of its own; a namespace goes back unchanged."""
    custom = {
        "type": "custom_tool_call",
        "id": "ctc_1",
        "call_id": "call_1",
        "name": "math",
        "input": "4 + 4",
    }
    [call] = read_responses(response(custom)).tool_calls
    assert (call.arguments, call.extra) == (
        "4 + 4",
        {"item_id": "ctc_1", "type": "custom_tool_call"},
    )
    [call] = read_responses(response(CALL | {"namespace": "crm"})).tool_calls
    assert call.extra == {"item_id": "fc_1", "namespace": "crm"}


@pytest.mark.parametrize(
    "kind",
    ["web_search_call", "mcp_call", "file_search_call", "code_interpreter_call", "image_call"],
)
def test_a_tool_that_the_vendor_runs_is_not_a_call(kind: str) -> None:
    """It is kept among the items and not run again."""
    reply = read_responses(
        response({"type": kind, "id": "x", "name": "search", "arguments": "{}", "call_id": "c"})
    )
    assert (reply.tool_calls, reply.finish_reason, len(reply.items)) == ((), "stop", 1)


@pytest.mark.parametrize(
    ("status", "details", "output", "reason"),
    [
        ("completed", None, MESSAGE, "stop"),
        ("completed", None, CALL, "tool_calls"),
        (None, None, MESSAGE, "stop"),
        ("incomplete", {"reason": "max_output_tokens"}, MESSAGE, "length"),
        ("incomplete", {"reason": "content_filter"}, MESSAGE, "content_filter"),
        ("incomplete", {"reason": "out_of_credit"}, CALL, "incomplete"),
        ("expired", None, CALL, "incomplete"),
        ("incomplete", None, MESSAGE, "incomplete"),
        ("queued", None, MESSAGE, "queued"),
        ("in_progress", None, MESSAGE, "in_progress"),
        ("cancelled", None, MESSAGE, "cancelled"),
    ],
)
def test_the_status_becomes_a_finish_reason(
    status: str, details: Any, output: JsonObject, reason: str
) -> None:
    """Both APIs use the same words; a response in the background is not an empty success."""
    reply = read_responses(response(output, status=status, incomplete_details=details))
    assert (reply.finish_reason, reply.truncated) == (reason, False)


def test_a_refusal_is_not_the_text() -> None:
    """It is kept and billed like any answer."""
    refused = MESSAGE | {"content": [{"type": "refusal", "refusal": "I cannot."}]}
    reply, chunks = stream(
        delta("refusal", "I cannot.", content_index=0), state("completed", refused)
    )
    assert (reply.refusal, reply.text, chunks) == (
        "I cannot.",
        "",
        [StreamChunk(type="refusal", text="I cannot.")],
    )


def test_reasoning_in_full_is_read_like_its_summary() -> None:
    """Open models give `reasoning_text`, OpenAI a summary."""
    item = {
        "type": "reasoning",
        "id": "rs",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": "2+2"}],
    }
    reply, chunks = stream(
        delta("reasoning_text", "2+2", content_index=0), state("completed", item, MESSAGE)
    )
    assert (reply.reasoning, chunks[0]) == ("2+2", StreamChunk(type="reasoning", text="2+2"))


@pytest.mark.parametrize(
    "events", [[], [state("in_progress")], [delta("output_text", "Hel", content_index=0)]]
)
def test_without_a_terminal_event_nothing_is_complete(events: list[JsonObject]) -> None:
    """The end of the connection is not the end of the response; a call may lack its end."""
    reply, chunks = stream(state("created", status="in_progress"), *events, done(CALL, 1))
    assert (reply.truncated, reply.finish_reason) == (True, None)
    assert reply.text == ("Hel" if events and "delta" in events[0] else "")
    assert [call.arguments for call in reply.tool_calls] == ['{"x":1}']
    assert all(chunk.type != "tool_call" for chunk in chunks)


def test_an_item_that_was_cut_off_is_built_from_its_pieces() -> None:
    """It was paid for, and somebody may have seen it."""
    reply, _ = stream(
        added({"type": "reasoning", "id": "rs", "summary": []}),
        delta("reasoning_summary_text", "Add.", 0, summary_index=0),
        added({"type": "message", "id": "msg", "role": "assistant", "content": []}, 1),
        delta("output_text", "Hel", 1, content_index=0),
        added(
            {
                "type": "function_call",
                "id": "fc",
                "call_id": "call_9",
                "name": "add",
                "arguments": "",
            },
            2,
        ),
        delta("function_call_arguments", '{"x":', 2),
    )
    assert (reply.text, reply.reasoning, reply.truncated) == ("Hel", "Add.", True)
    assert [(call.id, call.name, call.arguments) for call in reply.tool_calls] == [
        ("call_9", "add", '{"x":')
    ]


def test_a_final_response_without_output_keeps_what_was_streamed() -> None:
    """ChatGPT's Codex endpoint sends the items, and an empty list at the end."""
    reply, _ = stream(added(MESSAGE), done(MESSAGE), done(CALL, 1), state("completed", usage=USAGE))
    assert (reply.text, [call.id for call in reply.tool_calls], reply.finish_reason) == (
        "Hello",
        ["call_1"],
        "tool_calls",
    )
    assert reply.usage is not None
    assert reply.notes == ("The final response lacks its output; what was streamed is kept.",)


def test_ids_may_change_from_event_to_event() -> None:
    """GitHub Copilot encrypts them anew for each event; places do not change."""
    other = response(MESSAGE) | {"id": "resp_2"}
    reply, _ = stream(
        state("created", status="in_progress"),
        added(MESSAGE | {"id": "a", "content": []}),
        delta("output_text", "Hello", content_index=0, item_id="b"),
        done(MESSAGE | {"id": "c"}),
        {"type": "response.completed", "response": other},
    )
    assert (reply.text, reply.response_id) == ("Hello", "resp_2")
    assert reply.notes == ("The response's id changed within the stream; the last is kept.",)


@pytest.mark.parametrize("kind", ["response.new_thing", "ping", "response.audio.delta", "None"])
def test_an_unknown_event_is_ignored(kind: str) -> None:
    """The API grows, and a new event must not break the reading of known ones."""
    reply, _ = stream(
        {"type": kind, "delta": "?", "response": "?"}, {}, state("completed", MESSAGE)
    )
    assert reply.text == "Hello"


def test_a_gap_in_the_numbers_is_noted() -> None:
    """An event may be missing; the final response has everything."""
    reply, _ = stream(
        delta("output_text", "Hel", content_index=0, sequence_number=4),
        state("completed", MESSAGE) | {"sequence_number": 6},
    )
    assert (reply.text, reply.notes) == ("Hello", ("The events' sequence numbers have a gap.",))


def test_an_error_event_and_a_failed_response_are_raised() -> None:
    """The SDK returns both as if nothing had happened."""
    error = {
        "type": "error",
        "code": "server_error",
        "message": "Down.",
        "param": None,
        "sequence_number": 3,
    }
    with pytest.raises(ResponsesAPIError) as caught:
        stream(delta("output_text", "Hel", content_index=0), error)
    assert (caught.value.code, caught.value.message, caught.value.sequence_number) == (
        "server_error",
        "Down.",
        3,
    )
    failed = state("failed", error={"code": "rate_limit_exceeded", "message": "Slow."}) | {
        "sequence_number": 4
    }
    for events in ([failed], [failed["response"]]):
        with pytest.raises(ResponsesAPIError) as caught:
            stream(*events) if "type" in events[0] else read_responses(events[0])
        assert (caught.value.code, caught.value.message, caught.value.kind) == (
            "rate_limit_exceeded",
            "Slow.",
            "rate_limit",
        )


def test_a_failure_without_words_is_still_a_failure() -> None:
    """`error: null` beside `status: failed`."""
    with pytest.raises(ResponsesAPIError) as caught:
        read_responses(response(status="failed", error=None))
    assert caught.value.kind == "server"


@pytest.mark.parametrize("body", [{}, {"output": None}, {"object": "response", "output": "?"}])
def test_a_body_without_output_is_an_error(body: JsonObject) -> None:
    """It is no response of this API."""
    with pytest.raises(ProviderError, match="no output") as caught:
        read_responses(body)
    assert caught.value.kind == "protocol"


def test_calls_without_ids_get_one() -> None:
    """A tool's result is sent back under the id of its call."""
    nameless = {"type": "function_call", "name": "f", "arguments": "{}"}
    assert [call.id for call in read_responses(response(nameless, CALL, CALL)).tool_calls] == [
        "call_0",
        "call_1",
        "call_1#2",
    ]


def test_too_many_calls_and_too_long_arguments_are_refused() -> None:
    """In a stream and in a JSON answer."""
    limits = ReadLimits(tool_calls=2, argument_chars=10)
    many = [CALL | {"call_id": f"c{n}"} for n in range(3)]
    long = CALL | {"arguments": "x" * 11}
    for output in (many, [long]):
        with pytest.raises(ProviderError) as caught:
            read_responses(response(*output), limits=limits)
        assert caught.value.kind == "too_large"
        with pytest.raises(ProviderError) as caught:
            stream(*(done(item, place) for place, item in enumerate(output)), limits=limits)
        assert caught.value.kind == "too_large"
    with pytest.raises(ProviderError) as caught:
        stream(*[delta("function_call_arguments", "12345678")] * 2, limits=limits)
    assert caught.value.kind == "too_large"


SEARCH = {"type": "custom_tool_call", "call_id": "xs_1", "name": "x_search", "input": "{}"}


def test_a_custom_call_of_a_tool_nobody_offered_was_served_by_the_vendor() -> None:
    """xAI lists the searches that it ran itself as finished `custom_tool_call` items."""
    body = {"status": "completed", "output": [SEARCH, MESSAGE]}
    reply = read_responses(body, asked=Asked.of({"tools": [{"type": "x_search"}]}))
    assert (reply.tool_calls, reply.text, reply.finish_reason) == ((), "Hello", "stop")
    offered = Asked.of({"tools": [{"type": "custom", "name": "x_search"}]})
    assert len(read_responses(body, asked=offered).tool_calls) == 1


def test_a_call_whose_result_is_in_the_answer_was_served() -> None:
    """Whatever its name, nobody waits for a second result."""
    result = {"type": "function_call_output", "call_id": "call_1", "output": "3"}
    assert read_responses({"status": "completed", "output": [CALL, result]}).tool_calls == ()


@pytest.mark.parametrize("item", [CALL, MESSAGE])
def test_an_item_that_is_incomplete_leaves_the_answer_incomplete(item: JsonObject) -> None:
    """The response may call itself completed all the same."""
    cut = {**item, "status": "incomplete"}
    reply = read_responses({"status": "completed", "output": [cut]})
    assert reply.finish_reason == "incomplete"


@pytest.mark.parametrize(
    ("pieces", "reasoning", "text"),
    [
        (["<think>2+2", "</think>\n\n", "4"], "2+2", "4"),
        (["2+2</th", "ink>4"], "2+2", "4"),
        (["Write `</think>`", " here."], None, "Write `</think>` here."),
        (["a <", " b"], None, "a < b"),
    ],
)
def test_think_tags_in_the_text_are_read_as_in_chat_completions(
    pieces: list[str], reasoning: str | None, text: str
) -> None:
    """Servers of open models have this API too, and not all of them take the tags out."""
    item = {"type": "message", "content": [{"type": "output_text", "text": "".join(pieces)}]}
    whole = read_responses(response(item))
    reader = ResponsesReader()
    delta = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0}
    events = [*({**delta, "delta": piece} for piece in pieces)]
    chunks = [chunk for event in events for chunk in reader.feed(event)]
    chunks += reader.feed({"type": "response.completed", "response": response(item)})
    for reply in (whole, reader.finish()):
        assert (reply.reasoning, reply.text, reply.items) == (reasoning, text, (item,))
    assert "".join(chunk.text or "" for chunk in chunks if chunk.type == "text").endswith(text)
