"""Bodies of an answer with status 200: what is no answer, and what is a damaged one."""

import json

from tests.faults.answers import Good, head
from tests.faults.fault import Fault
from tests.faults.script import End, Script, Wait


def sent(good: Good, body: bytes, kind: str | None = None) -> Script:
    """`body` as the answer, under its own content type or another."""
    kind = good.kind if kind is None else kind
    return [head(kind, f"Content-Length: {len(body)}") + body, End.KEEP]


def no_answer(name: str, body: bytes, ends: str = "protocol: held", **but: str) -> Fault:
    """A row for a body that is none of the two APIs' answers."""
    return Fault(name, lambda good: sent(good, body), ends, but)


def cut(good: Good, at: int = -60) -> bytes:
    """The body without its end; of a stream, all but the first event and a half."""
    if not good.stream:
        return good.body()[:at]
    whole = good.body()
    return whole[: whole.index(b"\n\n", whole.index(b'"-two')) - 20]


PAGE = b"<!doctype html><html><body>Sign in</body></html>"
MIDWAY = {"SSE": "truncated: estimate"}
DEEP = b'{"choices": ' + b"[" * 300 + b"]" * 300 + b"}"

ROWS = [
    no_answer("an empty body", b""),
    no_answer("a body of blanks", b" \n \n"),
    no_answer("`null`", b"null", SSE="truncated: held"),
    no_answer("a number", b"7", SSE="truncated: held"),
    no_answer("a text", b'"OK"', SSE="truncated: held"),
    no_answer("`OK`", b"OK", SSE="truncated: held"),
    no_answer("an empty list", b"[]"),
    no_answer("an empty object", b"{}"),
    no_answer("a page", PAGE, SSE="truncated: held"),
    no_answer("XML", b"<?xml version='1.0'?><a/>", SSE="truncated: held"),
    no_answer("bytes that are no text", bytes(range(128, 256)), SSE="truncated: held"),
    no_answer("UTF-16", '{"choices": []}'.encode("utf-16"), SSE="truncated: held"),
    no_answer("JSON 300 deep", DEEP, "too_large: held"),
    no_answer("JSON 100,000 deep", b"[" * 100_000, "too_large: held"),
    no_answer("a number of 5,000 digits", b'{"choices": ' + b"9" * 5_000 + b"}"),
    no_answer("JSON with a comma too many", b'{"choices": [],}'),
    no_answer("JSON with single quotes", b"{'choices': []}"),
    no_answer("an answer of the other kind", b'{"object": "list", "data": []}'),
    no_answer(
        "an error with status 200",
        b'{"error": {"message": "No.", "code": 429}}',
        "rate_limit: nothing x3",
    ),
    no_answer("an error text with status 200", b'{"error": "No."}', "server: nothing x3"),
    no_answer(
        "a list with an error, status 200",
        b'[{"error": {"code": 400, "message": "No."}}]',
        "bad_request: nothing",
    ),
    no_answer(
        "a refused key with status 200",
        b'{"error": {"message": "No.", "code": "invalid_api_key"}}',
        "authentication: nothing",
    ),
    Fault(
        "a page where JSON was announced, closed",
        lambda good: sent(good, PAGE, "Content-Type: text/html"),
        "protocol: held",
    ),
    Fault("no content type", lambda good: sent(good, good.body(), "X-A: b"), "completed: usage"),
    Fault(
        "text/plain",
        lambda good: sent(good, good.body(), "Content-Type: text/plain"),
        "completed: usage",
    ),
    Fault(
        "a content type that is none",
        lambda good: sent(good, good.body(), "Content-Type: ;;,"),
        "completed: usage",
    ),
    Fault(
        "a charset of Latin-1",
        lambda good: sent(good, good.body(), f"{good.kind}; charset=latin-1"),
        "completed: usage",
    ),
    Fault(
        "the content type of the other form",
        lambda good: sent(good, good.body(), Good(good.api, not good.stream).kind),
        "completed: usage",
    ),
    Fault(
        "the other form than was asked for",
        lambda good: sent(
            good, Good(good.api, not good.stream).body(), Good(good.api, not good.stream).kind
        ),
        "completed: usage",
    ),
    Fault(
        "a byte order mark",
        lambda good: sent(good, b"\xef\xbb\xbf" + good.body()),
        "completed: usage",
    ),
    Fault(
        "blanks and line breaks before it",
        lambda good: sent(good, b"\n  " * 200 + good.body()),
        "completed: usage",
    ),
    Fault(
        "cut by the end of the connection",
        lambda good: [head(good.kind, "Connection: close") + cut(good)],
        "truncated: held",
        MIDWAY,
    ),
    Fault(
        "cut under its length",
        lambda good: [head(good.kind, "Content-Length: 9000") + cut(good)],
        "truncated: held",
        MIDWAY,
    ),
    Fault(
        "cut within a chunk",
        lambda good: [head(good.kind, "Transfer-Encoding: chunked") + b"fff\r\n" + cut(good)],
        "truncated: held",
        MIDWAY,
    ),
    Fault(
        "cut by a reset",
        lambda good: [head(good.kind, "Content-Length: 9000") + cut(good), Wait(0.3), End.RESET],
        "truncated: held",
        MIDWAY,
    ),
    Fault(
        "cut within a character",
        lambda good: [
            head(good.kind, "Connection: close")
            + good.body(text="Forty-two \u2713 \u2713").split(b"\\u2713")[0]
            + b"\xe2\x9c"
        ],
        "protocol: held",
        MIDWAY,
    ),
    Fault(
        "silent in the middle",
        lambda good: [head(good.kind, "Content-Length: 9000") + cut(good), Wait()],
        "timeout: held",
        {"SSE": "timeout: estimate"},
        patience_s=1.0,
    ),
    Fault(
        "silent after the head",
        lambda good: [head(good.kind, "Content-Length: 9000"), Wait()],
        "timeout: held",
        patience_s=1.0,
    ),
    Fault(
        "silent in the middle, beyond the turn's limit",
        lambda good: [head(good.kind, "Content-Length: 9000") + cut(good), Wait()],
        "time_limit: held",
        {"SSE": "time_limit: estimate"},
        seconds=1.5,
    ),
    Fault(
        "silent, but alive and whole after a while",
        lambda good: [good.answer()[:-30], Wait(0.8), good.answer()[-30:]],
        "completed: usage",
    ),
    Fault(
        "an emoji in two halves",
        lambda good: sent(good, good.body(text="Forty\ud83d\ude00")),
        "completed: usage",
    ),
    Fault(
        "half an emoji", lambda good: sent(good, good.body(text="Forty\ud83d!")), "completed: usage"
    ),
    Fault(
        "NUL in the text",
        lambda good: sent(good, good.body(text="Forty\x00two")),
        "completed: usage",
    ),
    Fault("no text at all", lambda good: sent(good, good.body(text="")), "empty: usage"),
    Fault(
        "the same member twice",
        lambda good: sent(good, good.body().replace(b'"model":', b'"model": "other", "model":')),
        "completed: usage",
    ),
    Fault(
        "members that nobody knows",
        lambda good: sent(good, good.body(x_vendor={"a": [1, {"b": None}]})),
        "completed: usage",
    ),
    Fault(
        "a JSON body with a second one behind it",
        lambda good: sent(good, json.dumps(Good(good.api, False).whole()).encode() * 2),
        "protocol: held",
    ),
]
