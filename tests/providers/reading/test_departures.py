"""Departures from the documented format that servers were reported to make, and that mean only one
thing: the answer is read as it was meant.
"""

import json
from typing import Any

import pytest

from turngraph.providers.reading.answer_reader import AnswerReader
from turngraph.providers.reading.asked import Asked
from turngraph.state.errors import ProviderError
from turngraph.state.reply import ProviderReply
from turngraph.state.request import Api
from turngraph.state.usage import Usage

JsonObject = dict[str, Any]

OAK = '{"item":"oak"}'
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
TOOLS = Asked(tools=frozenset({"weigh"}))


def read(data: bytes, *, api: Api = "chat", streaming: bool = True) -> ProviderReply:
    reader = AnswerReader(
        api, vendor="acme", status=200, headers={}, streaming=streaming, asked=TOOLS
    )
    reader.feed(data, 0.0)
    return reader.finish()


def chunk(delta: JsonObject, finish: str | None = None, **choice: Any) -> JsonObject:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish, **choice}]}


def sse(*events: Any) -> bytes:
    texts = (each if isinstance(each, str) else json.dumps(each) for each in events)
    return b"".join(f"data: {text}\n\n".encode() for text in texts)


def body(finish: str | None = "stop", **message: Any) -> bytes:
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return json.dumps({"choices": [choice], "usage": USAGE}).encode()


def piece(**members: Any) -> JsonObject:
    """A piece of a call; `name` and `arguments` are those of its function."""
    function = {key: members.pop(key) for key in ("name", "arguments") if key in members}
    return {**members, "type": "function", "function": function}


def streamed_arguments(*pieces: JsonObject) -> list[str]:
    deltas = [chunk({"tool_calls": [each]}) for each in pieces]
    reply = read(sse(*deltas, chunk({}, "tool_calls"), "[DONE]"))
    return [call.arguments for call in reply.tool_calls]


TWICE = json.dumps(OAK)
MEANT_AS_OAK = {
    "JSON within JSON text": TWICE,
    "three times the same": OAK * 3,
    "an empty object before it": "{}" + OAK,
    "spaces between": f"{OAK} \n {OAK}",
}


@pytest.mark.parametrize("written", MEANT_AS_OAK.values(), ids=MEANT_AS_OAK)
def test_arguments_that_mean_one_object_are_that_object(written: str) -> None:
    """https://github.com/Soju06/codex-lb/issues/284, https://github.com/BerriAI/litellm/issues/4537"""
    call = {"id": "a", "type": "function", "function": {"name": "weigh", "arguments": written}}
    item = {"type": "function_call", "call_id": "a", "name": "weigh", "arguments": written}
    answers = [
        read(body("tool_calls", tool_calls=[call]), streaming=False),
        read(sse(chunk({"tool_calls": [{"index": 0, **call}]}, "tool_calls"), "[DONE]")),
        read(
            json.dumps({"status": "completed", "output": [item]}).encode(),
            api="responses",
            streaming=False,
        ),
    ]
    for reply in answers:
        assert [json.loads(call.arguments) for call in reply.tool_calls] == [{"item": "oak"}]
        assert "Arguments that were not one JSON object were read as one." in reply.notes


def test_a_line_break_within_an_argument_is_read() -> None:
    """Models write `\\n` as it is; every other parser stops there."""
    call = piece(id="a", name="weigh", arguments='{"item":"oak\nand elm"}')
    reply = read(body("tool_calls", tool_calls=[call]), streaming=False)
    assert json.loads(reply.tool_calls[0].arguments) == {"item": "oak\nand elm"}


@pytest.mark.parametrize("written", [OAK + '{"item":"elm"}', OAK + "</tool_call>", '"oak"', "[1]"])
def test_arguments_that_mean_nothing_or_two_things_stay_as_they_are(written: str) -> None:
    """A tool acts on them, so nothing is guessed."""
    call = piece(id="a", name="weigh", arguments=written)
    reply = read(body("tool_calls", tool_calls=[call]), streaming=False)
    assert [call.arguments for call in reply.tool_calls] == [written]


def test_the_input_of_a_custom_tool_is_not_read_as_arguments() -> None:
    """It is any text, and two objects in it are two."""
    call = {"id": "a", "type": "custom", "custom": {"name": "weigh", "input": OAK * 2}}
    reply = read(body("tool_calls", tool_calls=[call]), streaming=False)
    assert [call.arguments for call in reply.tool_calls] == [OAK * 2]


def test_a_call_with_name_and_arguments_of_its_own_is_a_call() -> None:
    """Cloudflare's own models: https://developers.cloudflare.com/workers-ai/features/function-calling/"""
    call = {"name": "weigh", "arguments": {"item": "oak"}}
    reply = read(body("tool_calls", tool_calls=[call]), streaming=False)
    assert [(call.name, json.loads(call.arguments)) for call in reply.tool_calls] == [
        ("weigh", {"item": "oak"})
    ]


@pytest.mark.parametrize("zero", ["0", 0.0], ids=repr)
def test_an_index_that_is_text_or_a_float_is_an_index(zero: Any) -> None:
    """Calls that come by turns would flow together."""
    one = type(zero)(1)
    assert streamed_arguments(
        piece(index=zero, id="a", name="weigh", arguments='{"item":'),
        piece(index=one, id="b", name="weigh", arguments='{"item":'),
        piece(index=zero, arguments='"oak"}'),
        piece(index=one, arguments='"elm"}'),
    ) == [OAK, '{"item":"elm"}']


def test_an_id_used_twice_for_whole_calls_makes_two() -> None:
    """Without an index, and with one index for both."""
    for index in ({}, {"index": 0}):
        calls = [
            piece(id="a", name="weigh", arguments=text, **index) for text in (OAK, '{"item":"elm"}')
        ]
        assert streamed_arguments(*calls) == [OAK, '{"item":"elm"}']


def test_a_call_repeated_whole_at_the_end_is_one_call() -> None:
    """Some servers end a stream with the whole message."""
    pieces = [
        piece(index=0, id="a", name="weigh", arguments='{"item":'),
        piece(index=0, arguments='"oak"}'),
    ]
    for last in (
        piece(index=0, id="a", name="weigh", arguments=OAK),
        piece(id="a", name="weigh", arguments=OAK),
    ):
        assert [json.loads(text) for text in streamed_arguments(*pieces, last)] == [{"item": "oak"}]


ANSWER = [chunk({"content": "hi "}), chunk({"content": "there"}), chunk({}, "stop")]
ENDED = [*ANSWER, {"choices": [], "usage": USAGE}]


def lines(*events: Any, prefix: str = "data: ", eol: str = "\n") -> bytes:
    return "".join(f"{prefix}{json.dumps(each)}{eol}" for each in events).encode()


@pytest.mark.parametrize(
    "data",
    [
        lines(*ENDED) + b"data: [DONE]\n",
        lines(*ENDED, eol="\r\n") + b"data: [DONE]\r\n",
        lines(*ENDED),
        lines(*ENDED, prefix=""),
        lines(*ENDED, prefix="") + b"[DONE]\n",
        lines(*ENDED, prefix="event: message\ndata: ") + b"data: [DONE]\n",
    ],
    ids=["LF", "CRLF", "no end", "NDJSON", "NDJSON with an end", "named"],
)
def test_events_without_blank_lines_between_them_are_read(data: bytes) -> None:
    """Proxies that print one line an event, and servers that send bare lines of JSON."""
    reply = read(data)
    assert (reply.text, reply.truncated) == ("hi there", False)
    assert reply.usage == Usage(input_tokens=3, output_tokens=2, total_tokens=5)


def test_the_name_of_an_event_without_blank_lines_is_its_own() -> None:
    """An `error` that follows must not make the piece before it an error."""
    error = {"message": "The upstream died."}
    data = lines(ANSWER[0]) + b"event: error\n" + lines(error)
    reader = AnswerReader("chat", vendor="acme", status=200, headers={}, streaming=True)
    told = reader.feed(data, 0.0)
    assert [chunk.text for chunk in told] == ["hi "]
    with pytest.raises(ProviderError, match="The upstream died"):
        reader.finish()


def test_one_object_over_several_lines_of_data_is_one_event() -> None:
    """The standard joins the lines of an event."""
    data = "".join(
        "".join(f"data: {line}\n" for line in json.dumps(each, indent=1).split("\n")) + "\n"
        for each in ENDED
    )
    assert read(data.encode()).text == "hi there"


@pytest.mark.parametrize("ping", ["ping", "[PING]", "keep-alive", "heartbeat"])
def test_a_ping_that_is_a_word_is_no_error(ping: str) -> None:
    """Proxies keep a connection open with an event of their own."""
    assert read(sse(ping, *ENDED, ping, "[DONE]")).text == "hi there"


def test_an_error_event_that_is_text_is_the_vendors_error() -> None:
    """Its text was replaced by `This is not JSON`."""
    reader = AnswerReader("chat", vendor="acme", status=200, headers={}, streaming=True)
    with pytest.raises(ProviderError, match="The upstream died") as caught:
        reader.feed(b"event: error\ndata: The upstream died.\n\n", 0.0)
    assert caught.value.kind == "server"


@pytest.mark.parametrize("usage_after", [True, False])
def test_a_broken_event_after_the_finish_reason_spoils_nothing(usage_after: bool) -> None:
    """In one segment with the answer, or after it: the answer is whole and paid for."""
    events = [*ANSWER, '{"choices": [}', *([ENDED[-1]] if usage_after else []), "[DONE]"]
    reply = read(sse(*events))
    assert (reply.text, reply.truncated) == ("hi there", False)
    assert (reply.usage is not None) is usage_after
    assert "An error came after the end of the answer; it was ignored." in reply.notes


def test_a_broken_event_before_the_finish_reason_is_an_error() -> None:
    """A piece of the answer is missing."""
    with pytest.raises(ProviderError) as caught:
        read(sse(ANSWER[0], '{"choices": [}', *ENDED[1:], "[DONE]"))
    assert caught.value.kind == "protocol"


@pytest.mark.parametrize(
    "content",
    [
        {"type": "text", "text": "hi there"},
        [{"type": "text", "text": {"value": "hi there", "annotations": []}}],
        [{"type": "output_text", "text": "hi there"}],
    ],
)
def test_parts_of_text_in_other_shapes_are_text(content: Any) -> None:
    """Gateways to other APIs keep their parts."""
    assert read(body(content=content), streaming=False).text == "hi there"


FENCED = "Write:\n```html\n</think>\n```\nDone."


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_a_think_tag_within_a_block_of_code_is_code(size: int) -> None:
    """Cut anywhere; everything before it would be taken for reasoning."""
    pieces = [FENCED[n : n + size] for n in range(0, len(FENCED), size)]
    reply = read(sse(*(chunk({"content": each}) for each in pieces), chunk({}, "stop"), "[DONE]"))
    assert (reply.text, reply.reasoning) == (FENCED, None)


def test_a_block_of_code_within_the_reasoning_does_not_hide_its_end() -> None:
    """The block is closed before the reasoning ends."""
    reply = read(body(content="So:\n```\n1\n```\nYes.</think>4"), streaming=False)
    assert (reply.text, reply.reasoning) == ("4", "So:\n```\n1\n```\nYes.")


UNFINISHED = {
    "length": ["max_tokens", "MAX_TOKENS", "token_limit", "ERROR_LIMIT", "max_length", "truncated"],
    "content_filter": [
        "SAFETY",
        "content_filter: RECITATION",
        "BLOCKLIST",
        "guardrail_intervened",
        "content_filtered",
        "content-filter",
        "ERROR_TOXIC",
        "refusal",
    ],
    "incomplete": [
        "function_call_filter: MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "FinishReason.MALFORMED_FUNCTION_CALL",
        "malformed_tool_use",
        "time_limit",
        "repetition",
        "OTHER",
    ],
    "cancelled": ["USER_CANCEL", "canceled"],
}


@pytest.mark.parametrize(
    ("word", "reason"), [(word, reason) for reason, words in UNFINISHED.items() for word in words]
)
def test_a_word_for_a_cut_answer_runs_no_tool(word: str, reason: str) -> None:
    """Every vendor has words of its own; a call in such an answer may not be whole."""
    call = piece(id="a", name="weigh", arguments=OAK)
    for reply in (
        read(body(word, tool_calls=[call]), streaming=False),
        read(sse(chunk({"tool_calls": [{"index": 0, **call}]}, word), "[DONE]")),
    ):
        assert (reply.finish_reason, reply.unfinished) == (reason, True)


@pytest.mark.parametrize(
    "word", ["eos", "eos_token", "stop_sequence", "COMPLETE", "tool_use", "STOP"]
)
def test_a_word_for_a_whole_answer_is_kept(word: str) -> None:
    """It says more than `stop` does."""
    reply = read(body(word, content="hi there"), streaming=False)
    assert (reply.finish_reason, reply.unfinished) == (word, False)


MESSAGE = {"type": "message", "role": "assistant", "content": "hi there"}
CALL = {"type": "function_call", "call_id": "a", "name": "weigh", "arguments": OAK}


@pytest.mark.parametrize("item", [MESSAGE, CALL], ids=["message", "call"])
@pytest.mark.parametrize("status", ["incomplete", "failed", "cancelled"])
def test_an_item_that_is_not_completed_is_no_completed_answer(
    item: JsonObject, status: str
) -> None:
    """The response says `completed`; the item that is the answer does not."""
    body = {"status": "completed", "output": [{**item, "status": status}]}
    reply = read(json.dumps(body).encode(), api="responses", streaming=False)
    assert (reply.finish_reason, reply.unfinished) == ("incomplete", True)


def test_an_item_left_in_progress_is_whole_in_a_completed_response() -> None:
    """OpenAI's own answers have been recorded so: nothing more came, and the call was run."""
    body = {"status": "completed", "output": [{**CALL, "status": "in_progress"}]}
    reply = read(json.dumps(body).encode(), api="responses", streaming=False)
    assert (reply.finish_reason, reply.unfinished) == ("tool_calls", False)


def test_a_vendors_own_item_may_fail_in_a_completed_answer() -> None:
    """A search that failed leaves the answer whole."""
    search = {"type": "web_search_call", "id": "ws_1", "status": "failed"}
    body = {"status": "COMPLETED", "output": [search, MESSAGE]}
    reply = read(json.dumps(body).encode(), api="responses", streaming=False)
    assert (reply.text, reply.finish_reason) == ("hi there", "stop")


@pytest.mark.parametrize("end", ["response.completed", "response.done"])
@pytest.mark.parametrize("output", [[], None], ids=repr)
def test_texts_that_come_whole_are_read_where_nothing_else_has_them(end: str, output: Any) -> None:
    """Proxies that do not stream send the event that ends a text, without pieces before it."""
    started = {**CALL, "arguments": "", "status": "in_progress"}
    events = [
        {"type": "response.output_text.done", "output_index": 0, "text": "hi there"},
        {"type": "response.output_item.added", "output_index": 1, "item": started},
        {"type": "response.function_call_arguments.done", "output_index": 1, "arguments": OAK},
        {"type": end, "response": {"id": "r", "status": "completed", "output": output}},
    ]
    reply = read(sse(*events), api="responses")
    assert (reply.text, reply.finish_reason) == ("hi there", "tool_calls")
    assert [call.arguments for call in reply.tool_calls] == [OAK]


def test_pieces_and_the_whole_text_are_one_text() -> None:
    """The usual stream has both."""
    events = [
        {"type": "response.output_text.delta", "output_index": 0, "delta": "hi "},
        {"type": "response.output_text.delta", "output_index": 0, "delta": "there"},
        {"type": "response.output_text.done", "output_index": 0, "text": "hi there"},
        {"type": "response.completed", "response": {"id": "r", "status": "completed"}},
    ]
    assert read(sse(*events), api="responses").text == "hi there"
