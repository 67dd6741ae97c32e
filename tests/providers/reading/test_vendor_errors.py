"""Errors that vendors report inside an answer of status 200, each in the form its API has."""

import json
from typing import Any

import pytest

from turngraph.providers.reading.answer_reader import AnswerReader
from turngraph.state.errors import ErrorKind, ProviderError
from turngraph.state.reply import ProviderReply

JsonObject = dict[str, Any]

ROWS: list[tuple[str, ErrorKind, Any]] = [
    ("TGI", "overloaded", {"error": "Model is overloaded", "error_type": "overloaded"}),
    ("Alibaba", "rate_limit", {"code": "Throttling.RateQuota", "message": "Slow."}),
    ("Alibaba", "quota", {"error": {"code": "Arrearage", "message": "No."}}),
    ("Alibaba", "content_filter", {"error": {"code": "data_inspection_failed", "message": "No."}}),
    ("Z.AI", "content_filter", {"error": {"code": "1301", "message": "No."}}),
    ("Z.AI", "rate_limit", {"error": {"code": "1302", "message": "Slow."}}),
    ("Z.AI", "quota", {"error": {"code": "1113", "message": "No."}}),
    (
        "MiniMax",
        "rate_limit",
        {"base_resp": {"status_code": 1002, "status_msg": "Slow."}, "choices": None},
    ),
    ("MiniMax", "quota", {"base_resp": {"status_code": 1008, "status_msg": "No."}}),
    ("Moonshot", "quota", {"error": {"type": "exceeded_current_quota_error", "message": "No."}}),
    ("Moonshot", "overloaded", {"error": {"type": "engine_overloaded_error", "message": "No."}}),
    ("Cerebras", "rate_limit", {"message": "Slow.", "code": "request_quota_exceeded"}),
    ("Cohere", "rate_limit", {"message": "Slow.", "id": "x", "status_code": 429}),
    (
        "Cloudflare",
        "overloaded",
        {"errors": [{"message": "Busy.", "code": 3040}], "success": False, "result": {}},
    ),
    ("AWS", "rate_limit", {"__type": "ThrottlingException", "message": "Slow."}),
    ("Copilot", "quota", {"error": {"code": "quota_exceeded", "message": "No."}}),
    ("a number", "rate_limit", {"error": 429, "message": "Slow."}),
    (
        "Together",
        "context_length",
        {"error": {"message": "`inputs` tokens + `max_new_tokens` must be <= 8193."}},
    ),
]


def read(data: bytes, *, streaming: bool) -> ProviderReply:
    reader = AnswerReader("chat", vendor="acme", status=200, headers={}, streaming=streaming)
    reader.feed(data, 0.0)
    return reader.finish()


def error_of(data: bytes, *, streaming: bool) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        read(data, streaming=streaming)
    return caught.value


@pytest.mark.parametrize(
    ("kind", "raw"), [row[1:] for row in ROWS], ids=[f"{row[0]} {row[1]}" for row in ROWS]
)
def test_an_error_inside_an_answer_has_its_kind_in_every_form(
    kind: ErrorKind, raw: JsonObject
) -> None:
    """As a body, as the first event, after a piece: the kind decides whether waiting helps."""
    event = f"data: {json.dumps(raw)}\n\n".encode()
    piece = b'data: {"choices": [{"index": 0, "delta": {"content": "Hi"}}]}\n\n'
    body = error_of(json.dumps(raw).encode(), streaming=False)
    assert (body.kind, body.billed) == (kind, "none")
    assert error_of(event, streaming=True).kind == kind
    late = error_of(piece + event, streaming=True)
    assert (late.kind, late.billed) == (kind, "partial")


@pytest.mark.parametrize(
    "beside",
    [
        {"base_resp": {"status_code": 0, "status_msg": ""}},
        {"code": 0, "message": "ok"},
        {"success": True, "errors": []},
        {"code": 200, "message": "ok", "status_code": 200},
    ],
)
def test_an_answer_that_also_says_that_it_went_well_is_an_answer(beside: JsonObject) -> None:
    """MiniMax, Z.AI's and others' gateways put such members beside `choices`."""
    choice = {"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}
    event = f"data: {json.dumps({'choices': [choice], **beside})}\n\n"
    assert read(event.encode(), streaming=True).text == "Hi"
