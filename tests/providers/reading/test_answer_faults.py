"""Faults of answers on the wire: each ends in a reply or in a ProviderError that says what may be
billed.
"""

import json
from typing import Any

import pytest

from turngraph.providers.reading.answer_reader import AnswerReader, ReadLimits
from turngraph.providers.reading.body_reader import chunks_of
from turngraph.state.errors import ProviderError, ResponsesAPIError
from turngraph.state.reply import ProviderReply
from turngraph.state.request import Api
from turngraph.state.usage import Usage

JsonObject = dict[str, Any]
DONE = b"data: [DONE]\n\n"


def reader_of(
    api: Api = "chat", *, status: int = 200, streaming: bool = True, **options: Any
) -> AnswerReader:
    headers = {"content-type": options.pop("content_type", ""), "x-request-id": "req_1"}
    return AnswerReader(
        api, vendor="acme", status=status, headers=headers, streaming=streaming, **options
    )


def read(*pieces: bytes, **options: Any) -> ProviderReply:
    reader = reader_of(**options)
    for piece in pieces:
        reader.feed(piece, 0.0)
    return reader.finish()


def error_of(*pieces: bytes, **options: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        read(*pieces, **options)
    assert (caught.value.vendor, caught.value.status) == ("acme", options.get("status", 200))
    assert caught.value.request_id == "req_1"
    return caught.value


def sse(*events: JsonObject | str, name: str = "") -> bytes:
    texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return "".join(
        (f"event: {name}\n" if name else "") + f"data: {text}\n\n" for text in texts
    ).encode()


def chunk(content: str | None = None, finish: str | None = None, **delta: Any) -> JsonObject:
    return {
        "id": "c1",
        "choices": [{"index": 0, "delta": {"content": content, **delta}, "finish_reason": finish}],
    }


def usage(**counts: int) -> JsonObject:
    return {"choices": [], "usage": counts}


def body(content: Any = "4", finish: str | None = "stop", **more: Any) -> bytes:
    return json.dumps(
        {"choices": [{"message": {"content": content}, "finish_reason": finish}], **more}
    ).encode()


def nested(depth: int) -> bytes:
    return b'{"choices": ' + b"[" * depth + b"]" * depth + b"}"


def test_a_stream_that_ends_without_a_finish_reason_is_truncated() -> None:
    """Clients treat it as a success; a turn must not run its tools."""
    reply = read(sse(chunk("Hel"), chunk("lo")))
    assert (reply.text, reply.truncated, reply.usage) == ("Hello", True, None)


def test_keep_alives_alone_are_no_progress() -> None:
    """Comments that never end would keep a turn waiting forever."""
    reader = reader_of(idle_s=30, total_s=100)
    reader.feed(b": working\n\n", 50.0)
    reader.feed(sse(chunk("a")), 60.0)
    reader.feed(b": working\n\n", 90.0)
    with pytest.raises(ProviderError, match="No event came for 30 seconds") as caught:
        reader.feed(b": working\n\n", 90.1)
    assert (caught.value.kind, caught.value.billed) == ("timeout", "partial")


def test_nothing_lasts_longer_than_the_total() -> None:
    """Neither a body of blanks nor a stream of single letters; it is not asked for again."""
    for drip in (b" ", sse(chunk("a"))):
        reader = reader_of(total_s=100, started_at=1000)
        reader.feed(drip, 1100)
        told = reader.feed(drip, 1100.1) if drip != b" " else []
        assert len(told) == (drip != b" ")
        with pytest.raises(ProviderError, match="longer than 100 seconds") as caught:
            reader.feed(drip, 1100.2)
        assert (caught.value.kind, caught.value.retryable) == ("timeout", False)


def test_a_missing_done_harms_nothing() -> None:
    """The finish reason and the usage have come, so the answer is whole."""
    reply = read(sse(chunk("4", "stop"), usage(input_tokens=1)))
    assert (reply.truncated, reply.usage) == (False, Usage(input_tokens=1))


def test_a_missing_finish_reason_truncates_unless_the_vendor_is_known_for_it() -> None:
    """Some proxies send `[DONE]` even if the model behind them died."""
    wire = sse(chunk("4")) + DONE
    assert read(wire).truncated
    assert not read(wire, finish_reason_optional=True).truncated


def test_missing_usage_is_none() -> None:
    """Billing estimates it and marks it so; it never counts as zero."""
    assert read(sse(chunk("4", "stop")), DONE).usage is None


def test_of_usage_on_every_chunk_the_last_counts() -> None:
    """Adding the running totals would bill a thousand times the tokens."""
    pieces = [
        chunk("a") | {"usage": {"prompt_tokens": 10, "completion_tokens": n}} for n in range(1, 4)
    ]
    reply = read(sse(*pieces, chunk("", "stop")), DONE)
    assert reply.usage == Usage(input_tokens=10, output_tokens=3)


@pytest.mark.parametrize("wrong", ["-10", "1e30", '"many"', "1.5", "NaN", "Infinity", "[]", "true"])
def test_a_value_that_is_not_a_count_is_absent_and_noted(wrong: str) -> None:
    """It cannot be billed."""
    report = '{"choices": [], "usage": {"prompt_tokens": %s, "completion_tokens": 2}}' % wrong  # noqa: UP031
    reply = read(sse(chunk("4", "stop"), report), DONE)
    assert reply.usage == Usage(output_tokens=2)
    assert any("`input_tokens`" in note for note in reply.notes)


def test_usage_in_a_last_event_without_blank_line_is_read() -> None:
    """The SDK drops it."""
    wire = sse(chunk("4", "stop"), usage(input_tokens=7))
    for cut in (1, 2):
        assert read(wire[:-cut]).usage == Usage(input_tokens=7)


def test_an_error_about_broken_json_names_the_place_and_quotes_nothing() -> None:
    """The text of an answer is private; an error may end up in a log."""
    error = error_of(sse(chunk("secret"), '{"choices": [secret]}'))
    assert (error.kind, error.billed, "secret" in str(error)) == ("protocol", "partial", False)
    assert "event 2, line 1 column 14" in str(error)
    error = error_of(b'{"choices": [{"message": {"content": "sec', streaming=False)
    assert (error.kind, error.billed, "sec" in error.message) == ("truncated", "unknown", False)
    error = error_of(b'{"choices": [{]}', streaming=False)
    assert (error.kind, error.billed) == ("protocol", "unknown")


def test_bytes_that_are_not_utf8_are_refused() -> None:
    """Replacing them would change the answer."""
    error = error_of(sse(chunk("a")) + b'data: {"choices": "\xff"}\n\n')
    assert (error.kind, error.billed) == ("protocol", "partial")
    assert error_of(b'{"choices": "\xff"}', streaming=False).kind == "protocol"


def test_nul_and_lone_surrogates_are_replaced_and_noted() -> None:
    """PostgreSQL refuses the former and UTF-8 the latter, long after the answer was paid for."""
    wire = (
        rb'data: {"choices": [{"delta": {"content": "a\u0000b\ud800c"}, "finish_reason": "stop"}]}'
        + b"\n\n"
    )
    reply = read(wire, DONE)
    assert reply.text == "a\ufffdb\ufffdc"
    assert reply.notes == (
        "Text held NUL characters or lone surrogates; each was replaced by U+FFFD.",
    )
    arguments = json.dumps(
        {"q": "\ud800\x00"}
    )  # escaped twice: the arguments are text that holds no such character
    calls = [{"id": "a", "function": {"name": "f", "arguments": arguments}}]
    reply = read(sse(chunk(None, "tool_calls", tool_calls=calls)), DONE)
    assert (reply.tool_calls[0].arguments, reply.notes) == (arguments, ())


ERRORS: list[tuple[str, bytes]] = [
    ("an error object", sse({"error": {"code": 429, "message": "Busy."}})),
    ("named", sse({"error": {"code": "rate_limit_exceeded", "message": "Busy."}}, name="error")),
    ("of type error", sse({"type": "error", "message": "Busy.", "code": 429})),
    ("named, flat", sse({"message": "Busy.", "code": 429}, name="error")),
    ("a list", sse([{"error": {"code": 429, "message": "Busy.", "status": "RESOURCE_EXHAUSTED"}}])),  # type: ignore[arg-type]
    ("vLLM, flat", sse({"object": "error", "message": "Busy.", "code": 429})),
    ("beside a choice", sse(chunk("") | {"error": {"code": 429, "message": "Busy."}})),
    (
        "in a choice",
        sse(
            {
                "choices": [
                    {
                        "delta": {},
                        "finish_reason": "error",
                        "error": {"code": 429, "message": "Busy."},
                    }
                ]
            }
        ),
    ),
]


@pytest.mark.parametrize("wire", [row[1] for row in ERRORS], ids=[row[0] for row in ERRORS])
@pytest.mark.parametrize("begun", [True, False])
def test_an_error_in_a_stream_is_an_error(wire: bytes, begun: bool) -> None:
    """With or without an event name, and although the status was 200."""
    error = error_of(sse(chunk("Hel")) * begun + wire + DONE)
    assert (error.kind, error.message, error.billed) == (
        "rate_limit",
        "Busy.",
        "partial" if begun else "none",
    )


def test_pieces_that_came_with_the_error_are_returned_first() -> None:
    """However the network joins the bytes, a listener sees the same."""
    reader = reader_of()
    assert [piece.text for piece in reader.feed(sse(chunk("Hel"), {"error": "down"}), 0.0)] == [
        "Hel"
    ]
    with pytest.raises(ProviderError, match="down"):
        reader.finish()
    with pytest.raises(ProviderError, match="down"):
        reader.feed(b"", 0.0)


@pytest.mark.parametrize(
    "error", [{"message": "Busy.", "code": 429}, "Busy.", {"error": {"message": "Busy."}}]
)
@pytest.mark.parametrize("streaming", [True, False])
def test_an_error_with_status_200_is_an_error(error: Any, streaming: bool) -> None:
    """Berget answers a wrong key like this; the SDK makes an answer without choices of it."""
    raised = error_of(json.dumps({"error": error}).encode(), streaming=streaming)
    assert (raised.message, raised.billed) == ("Busy.", "none")


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"\n",
        b"null",
        b"[]",
        b"[1]",
        b'"text"',
        b"7",
        b"<html><body>Sign in</body></html>",
        b"\xef\xbb\xbf",
        b"OK",
        b"{}",
    ],
)
@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("content_type", ["application/json", "text/event-stream", "text/html", ""])
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_body_that_is_not_an_answer_is_an_error(
    wire: bytes, streaming: bool, content_type: str, api: Api
) -> None:
    """Clients that look only at the status make an empty answer of a proxy's page."""
    error = error_of(wire, streaming=streaming, content_type=content_type, api=api)
    assert (error.kind in ("protocol", "truncated"), error.billed, error.retryable) == (
        True,
        "unknown",
        False,
    )


def test_a_json_body_is_read_where_a_stream_was_asked_for() -> None:
    """Some vendors cannot stream with tools and send JSON instead."""
    reply = read(body(usage={"prompt_tokens": 1}), content_type="text/event-stream")
    assert (reply.text, reply.usage) == ("4", Usage(input_tokens=1))
    assert reply.notes == ("A JSON body came where a stream was asked for.",)
    assert [piece.type for piece in chunks_of(reply)] == ["text", "usage"]


def test_a_stream_is_read_where_a_json_body_was_asked_for() -> None:
    """Proxies of Mistral, and Codex, always stream."""
    for start in (b"", b": hello\n\n", b"\n", b"\xef\xbb\xbf"):
        reply = read(
            start + sse(chunk("4", "stop")), DONE, streaming=False, content_type="application/json"
        )
        assert (reply.text, reply.notes) == (
            "4",
            ("A stream came where a JSON body was asked for.",),
        )


def test_blanks_before_the_json_are_skipped() -> None:
    """OpenRouter sends hundreds, to keep the connection open while the model thinks."""
    assert read(b"\n         " * 300, body(), streaming=False).text == "4"


@pytest.mark.parametrize("end", [b"", DONE])
def test_a_call_that_was_cut_off_is_never_announced(end: bytes) -> None:
    """`{"to": "bob", "amount": 100` only lacks its end; repairing it could pay 100 of 100000."""
    piece = {
        "index": 0,
        "id": "a",
        "function": {"name": "pay", "arguments": '{"to": "bob", "amount": 100'},
    }
    reader = reader_of()
    told = reader.feed(sse(chunk(None, None, tool_calls=[piece])) + end, 0.0)
    reply = reader.finish()
    assert (told, reply.truncated, reply.tool_calls[0].arguments) == (
        [],
        True,
        '{"to": "bob", "amount": 100',
    )


@pytest.mark.parametrize(
    "arguments", ["", "{}", "[1]", "{a:1", '{"a": NaN}', '{"a": 1, "a": 2}', "not json"]
)
def test_arguments_come_out_as_they_came_in(arguments: str) -> None:
    """The toolbox judges whether they are valid, and tells the model."""
    calls = [{"index": 0, "id": "a", "function": {"name": "f", "arguments": arguments}}]
    assert (
        read(sse(chunk(None, "tool_calls", tool_calls=calls)), DONE).tool_calls[0].arguments
        == arguments
    )


@pytest.mark.parametrize(
    ("wire", "kind"),
    [
        (nested(100_000), "too_large"),
        (nested(150), "too_large"),
        (b'{"choices": 1' + b"0" * 5000 + b"}", "protocol"),
        (b'{"choices": "' + b"x" * 10_000 + b'"}', "too_large"),
    ],
    ids=["100000 deep", "150 deep", "an integer of 5000 digits", "10 kB"],
)
@pytest.mark.parametrize("streaming", [True, False])
def test_depth_digits_and_size_have_limits(wire: bytes, kind: str, streaming: bool) -> None:
    """One answer must not fill the memory or overflow the stack."""
    limits = ReadLimits(body_bytes=9_000 if b"xxx" in wire else 10**6)
    assert (
        error_of(
            b"data: " * streaming + wire + b"\n\n" * streaming, streaming=streaming, limits=limits
        ).kind
        == kind
    )


def test_a_stream_and_each_of_its_events_have_size_limits() -> None:
    """It may have endless small events, or one endless line."""
    assert (
        error_of(*[sse(chunk("a"))] * 100, limits=ReadLimits(body_bytes=2000)).kind == "too_large"
    )
    assert (
        error_of(b"data: " + b"x" * 2000, limits=ReadLimits(event_bytes=1000)).kind == "too_large"
    )
    blanks = [b" " * 100] * 100
    assert error_of(*blanks, limits=ReadLimits(body_bytes=2000)).kind == "too_large"


def test_an_errors_body_is_read_no_further_than_its_limit() -> None:
    """The body of a refusal may be endless, too."""
    limits = ReadLimits(error_bytes=100, body_bytes=200)
    error = error_of(*[b"x" * 60] * 10, status=500, limits=limits)
    assert (error.kind, error.message) == ("server", "x" * 100)


def test_an_empty_answer_is_an_answer_and_no_choices_are_an_error() -> None:
    """`content: null` is an answer that says nothing."""
    assert read(body(None), streaming=False).text == ""
    assert error_of(b'{"choices": []}', streaming=False).kind == "protocol"
    assert error_of(sse(usage(input_tokens=1)), DONE).kind == "protocol"


@pytest.mark.parametrize(
    "late", [b'data: {"error": "down"}\n\n', b"data: {broken\n\n", b"data: \xff\n\n"]
)
def test_nothing_after_a_whole_answer_spoils_it(late: bytes) -> None:
    """It is there, and paid for."""
    wire = sse(chunk("4", "stop"), usage(input_tokens=1)) + late
    reply = read(wire)
    assert (reply.text, reply.truncated) == ("4", False)
    assert "An error came after the end of the answer; it was ignored." in reply.notes


def test_an_error_after_reasoning_is_not_asked_for_again() -> None:
    """What was shown to someone would begin again."""
    error = error_of(sse(chunk(None, None, reasoning_content="Hm."), {"error": {"code": 429}}))
    assert (error.kind, error.retryable, error.billed) == ("rate_limit", False, "partial")


def test_what_comes_after_done_is_ignored_and_noted() -> None:
    """The answer has ended."""
    reply = read(sse(chunk("4", "stop")) + DONE + sse(chunk("2")) + b"data: {broken\n\n")
    assert (reply.text, reply.notes) == ("4", ("Something came after `[DONE]`; it was ignored.",))


def test_events_without_data_are_ignored() -> None:
    """The SDK raises a JSONDecodeError on them."""
    assert (
        read(
            b"event: ping\n\nid: 1\n\n", sse(chunk("4", "stop")), b"event: ping\ndata:\n\n", DONE
        ).text
        == "4"
    )


def test_an_event_that_is_not_an_object_is_ignored_and_noted() -> None:
    """A heartbeat of `null` or a number says nothing about the answer."""
    reply = read(sse("null", chunk("4", "stop"), "7"), DONE)
    assert (reply.text, reply.notes) == ("4", ("An event that is no JSON object was ignored.",))


@pytest.mark.parametrize(
    "status", [400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529]
)
@pytest.mark.parametrize("wire", [b"", b'{"error": {"message": "no"}}', b"<html>", b"data: {"])
def test_an_error_status_is_an_error(status: int, wire: bytes) -> None:
    """Whatever the body holds; the tests of the error reader check the kind."""
    assert error_of(wire, status=status).status == status


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_an_error(status: int) -> None:
    """It is neither followed nor read."""
    assert error_of(body(), status=status).kind == "protocol"


def test_no_key_survives_in_an_error_inside_an_answer() -> None:
    """Berget's 401 arrives as an event, and a vendor may quote any secret of ours."""
    said = {
        "message": "Key hunter2-hunter2 and sk-abcdefgh12345678 refused.",
        "code": "hunter2-hunter2",
    }
    error = error_of(sse({"error": said}), secrets=["hunter2-hunter2"])
    assert error.message == "Key [redacted] and [redacted] refused."
    assert "hunter2" not in repr(vars(error)) + str(error)


def test_an_error_of_responses_has_its_own_class_and_an_origin() -> None:
    """It has the status and the request id of the answer it came in."""
    event = {
        "type": "error",
        "code": "server_error",
        "message": "Down.",
        "param": None,
        "sequence_number": 7,
    }
    error = error_of(sse(event, name="error"), api="responses")
    assert isinstance(error, ResponsesAPIError)
    assert (error.sequence_number, error.code, error.kind) == (7, "server_error", "server")


def test_a_responses_event_without_a_type_takes_the_events_name() -> None:
    """Events have both a name and a type in the documentation; either is enough."""
    done = {"response": {"status": "completed", "output": []}}
    assert read(sse(done, name="response.completed"), api="responses").finish_reason == "stop"


def test_status_and_request_id_are_on_the_reply() -> None:
    """A vendor's support asks for the id, and the ledger stores both."""
    reply = read(body(), status=201, streaming=False)
    assert (reply.status, reply.request_id) == (201, "req_1")
