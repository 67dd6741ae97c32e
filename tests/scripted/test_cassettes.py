"""Recorded exchanges are played back byte for byte, in order."""

import gzip
import http.client
import json
from pathlib import Path
from typing import Any

import openai
import pytest

from turngraph.scripted import Cassette, RecordedExchange

EVENTS = ['event: a\ndata: {"n": 1}', ": a comment", "data: [DONE]"]


def line(n: int, *, api: str = "chat", path: str | None = None, **response: Any) -> str:
    path = path or {"chat": "/v1/chat/completions", "responses": "/v1/responses"}[api]
    given = {"status": 200, "headers": {"x-request-id": f"req_{n}"}, **response}
    record = {
        "id": f"rec_{n}",
        "api": api,
        "request": {"method": "POST", "path": path},
        "response": given,
    }
    return json.dumps(
        {**record, "sequence": {"cassette": f"cas_{n // 10}", "index": n % 10, "count": 10}}
    )


def ask(cassette: Cassette, url: str, path: str = "/chat/completions") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", cassette.port, timeout=60)
    connection.request("POST", url.removeprefix(cassette.origin) + path, b"{}")
    reply = connection.getresponse()
    result = reply.status, reply.read()
    connection.close()
    return result


@pytest.mark.parametrize(
    ("response", "sent"),
    [
        ({"sse": EVENTS}, b'event: a\ndata: {"n": 1}\n\n: a comment\n\ndata: [DONE]\n\n'),
        (
            {"sse": EVENTS, "sse_eol": "crlf"},
            b'event: a\r\ndata: {"n": 1}\r\n\r\n: a comment\r\n\r\ndata: [DONE]\r\n\r\n',
        ),
        (
            {"sse": EVENTS, "sse_unterminated": True},
            b'event: a\ndata: {"n": 1}\n\n: a comment\n\ndata: [DONE]',
        ),
        ({"body": {"a": None}}, b'{"a": null}'),
        ({"body": [1], "body_leading_whitespace": 3}, b"   [1]"),
        ({"body_text": "<html>", "status": 502}, b"<html>"),
        ({}, b""),
    ],
)
def test_the_bytes_are_the_recorded_ones(response: dict[str, Any], sent: bytes) -> None:
    """A reader is only tested by what vendors really send."""
    with Cassette.load([line(1, **response)]) as cassette:
        assert ask(cassette, cassette.base_url) == (response.get("status", 200), sent)


def test_requests_are_matched_by_endpoint_and_order() -> None:
    """Not by their bodies, which other clients made; nor by the vendor's base path."""
    lines = [
        line(1, body=1, path="/api/v1/chat/completions"),
        line(2, body=2),
        line(3, api="responses", body=3),
    ]
    with Cassette.load(lines) as cassette:
        assert ask(cassette, cassette.base_url) == (200, b"1")
        assert ask(cassette, cassette.base_url, "/responses") == (200, b"3")
        assert ask(cassette, cassette.origin + "/openai/v1") == (200, b"2")
        assert cassette.left == 0
        assert [request.path for request in cassette.requests][-1] == "/openai/v1/chat/completions"


def test_a_request_after_the_last_exchange_is_a_404() -> None:
    """A client that asks once too often must not get the first answer again."""
    with Cassette.load([line(1, body=1)]) as cassette:
        ask(cassette, cassette.base_url)
        status, said = ask(cassette, cassette.base_url)
    assert (status, b"1 of 1 played" in said) == (404, True)


def test_one_cassette_or_one_exchange_can_be_played_alone() -> None:
    """One server for thousands of exchanges, in any order."""
    with Cassette.load([line(n, body=n) for n in (10, 11, 20, 21)]) as cassette:
        assert ask(cassette, cassette.base_url_of("cas_2")) == (200, b"20")
        assert ask(cassette, cassette.base_url_of("rec_11")) == (200, b"11")
        assert [ask(cassette, cassette.base_url)[1] for _ in range(2)] == [b"10", b"21"]


def test_files_are_read_packed_or_not(tmp_path: Path) -> None:
    """Large recordings are packed with gzip; small ones are not."""
    plain, packed = tmp_path / "a.jsonl", tmp_path / "a.jsonl.gz"
    plain.write_text(line(1, body=1) + "\n\n", encoding="utf-8")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert Cassette.load(plain).exchanges == Cassette.load(str(packed)).exchanges != ()


def test_an_answer_without_its_request_is_played_where_its_api_is() -> None:
    """Some recordings hold answers alone."""
    given = {
        "id": "rec",
        "api": "responses",
        "request": None,
        "response": {"status": 200, "headers": {}, "body": {}},
    }
    exchange = RecordedExchange.read(given)
    assert (exchange.method, exchange.endpoint) == ("POST", "responses")


def test_the_sdk_reads_what_is_played(connect: Any) -> None:
    """Status, headers and body arrive as an answer of the vendor would."""
    error = {
        "error": {
            "message": "Too many.",
            "type": "requests",
            "param": None,
            "code": "rate_limit_exceeded",
        }
    }
    asked: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    tape = Cassette.load([line(7, status=429, body=error)])
    with tape as cassette, pytest.raises(openai.RateLimitError, match="Too many") as refused:
        connect(cassette).chat.completions.create(**asked)
    assert refused.value.request_id == "req_7"


@pytest.mark.parametrize("headers", [{"x-a": "a\r\nx-b: c"}, {"x\x00": "a"}])
def test_headers_that_could_not_be_sent_are_refused_when_they_are_read(headers: Any) -> None:
    """The server would break off in the middle of a replay."""
    response = {"status": 200, "headers": headers, "body": {}}
    line = json.dumps({"id": "r", "api": "chat", "request": None, "response": response})
    with pytest.raises(ValueError, match="control character"):
        Cassette.load([line])


@pytest.mark.parametrize(
    "status", ["Infinity", "NaN", "1e999", "99", "1000", "true", "200.0", '"200"']
)
def test_a_status_that_is_none_is_refused_when_it_is_read(status: str) -> None:
    """Python reads more numbers as JSON than there are, and a server cannot send them."""
    line = '{"id": "r", "api": "chat", "request": null, "response": {"status": %s, "headers": {}}}'
    with pytest.raises(ValueError, match="A recorded status is"):
        Cassette.load([line % status])
