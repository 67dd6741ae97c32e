"""Statuses of 300 and more: what they mean, what their bodies may be, and how long to wait."""

import json
from functools import partial

from tests.faults.answers import Good, head
from tests.faults.fault import Fault
from tests.faults.script import End, Endless, Script, Wait, in_turn

ERROR = {"error": {"message": "No.", "type": "t", "param": None, "code": None}}
HTML = b"<html><head><title>502</title></head><body><h1>Bad Gateway</h1></body></html>"
OTHER_HOST = "Location: http://127.0.0.1:9/v1/elsewhere"


def status(line: str, body: bytes, lines: tuple[str, ...], good: Good) -> Script:
    """A response with this status and body, after which the connection stays open."""
    length = f"Content-Length: {len(body)}"
    return [head("Content-Type: application/json", length, *lines, status=line) + body, End.KEEP]


def refusal(name: str, line: str, ends: str, *lines: str, body: object = ERROR) -> Fault:
    """A row for a status with a JSON body, or with the bytes `body`."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Fault(name, partial(status, line, raw, lines), ends)


def error(**members: object) -> dict[str, object]:
    """An error as OpenAI writes it."""
    return {"error": {"message": "No.", **members}}


STATUSES = [
    refusal("400 with an error of OpenAI's", "400 Bad Request", "bad_request: nothing"),
    refusal(
        "400, too long a conversation",
        "400 Bad Request",
        "context_length: nothing",
        body=error(code="context_length_exceeded"),
    ),
    refusal(
        "400, too long, said in words only",
        "400 Bad Request",
        "context_length: nothing",
        body=error(message="This model's maximum context length is 4096 tokens."),
    ),
    refusal(
        "400, refused by a filter",
        "400 Bad Request",
        "content_filter: nothing",
        body=error(code="content_filter"),
    ),
    refusal("401", "401 Unauthorized", "authentication: nothing"),
    refusal("402", "402 Payment Required", "quota: nothing"),
    refusal("403", "403 Forbidden", "permission: nothing"),
    refusal("404", "404 Not Found", "not_found: nothing"),
    refusal("405", "405 Method Not Allowed", "bad_request: nothing"),
    refusal(
        "407, a proxy wants a password",
        "407 Proxy Authentication Required",
        "authentication: nothing",
    ),
    refusal("408", "408 Request Timeout", "timeout: held x3"),
    refusal("409", "409 Conflict", "conflict: nothing x3"),
    refusal("410", "410 Gone", "not_found: nothing"),
    refusal("413", "413 Content Too Large", "too_large: nothing"),
    refusal("418", "418 I'm a teapot", "bad_request: nothing"),
    refusal(
        "422 of FastAPI",
        "422 Unprocessable",
        "bad_request: nothing",
        body={"detail": [{"loc": ["body", "n"], "msg": "extra"}]},
    ),
    refusal("429", "429 Too Many Requests", "rate_limit: nothing x3"),
    refusal(
        "429, out of money",
        "429 Too Many Requests",
        "quota: nothing",
        body=error(code="insufficient_quota"),
    ),
    refusal(
        "429 and `x-should-retry: false`",
        "429 Too Many Requests",
        "rate_limit: nothing",
        "x-should-retry: false",
    ),
    refusal(
        "400 and `x-should-retry: true`",
        "400 Bad Request",
        "bad_request: nothing x3",
        "x-should-retry: true",
    ),
    refusal("451", "451 Unavailable For Legal Reasons", "bad_request: nothing"),
    refusal("500 with an error of the API's", "500 Oops", "server: nothing x3"),
    refusal("500 with a page", "500 Oops", "server: held x3", body=HTML),
    refusal("501", "501 Not Implemented", "server: nothing x3"),
    refusal("502 with a page", "502 Bad Gateway", "server: held x3", body=HTML),
    refusal("503 with a page", "503 Unavailable", "overloaded: nothing x3", body=HTML),
    refusal("504", "504 Gateway Timeout", "timeout: held x3"),
    refusal(
        "520 of Cloudflare", "520 Web Server Error", "server: held x3", body=b"error code: 520"
    ),
    refusal("524 of Cloudflare", "524 A Timeout", "timeout: held x3", body=b"error code: 524"),
    refusal("529", "529 Overloaded", "overloaded: nothing x3"),
    refusal("599", "599 Network Timeout", "server: nothing x3"),
    refusal("a status of 999", "999 Request Denied", "server: nothing x3"),
]

BODIES = [
    refusal("400 without a body", "400 Bad Request", "bad_request: nothing", body=b""),
    refusal(
        "400 with bytes that are no text",
        "400 Bad Request",
        "bad_request: nothing",
        body=bytes(range(128, 256)),
    ),
    refusal("400 with a number", "400 Bad Request", "bad_request: nothing", body=7),
    refusal("400 with a list", "400 Bad Request", "bad_request: nothing", body=[error(code=400)]),
    refusal(
        "400 with a flat error",
        "400 Bad Request",
        "bad_request: nothing",
        body={"object": "error", "message": "No.", "code": 400},
    ),
    refusal(
        "400 whose members have other types",
        "400 Bad Request",
        "bad_request: nothing",
        body={"error": {"message": {"a": [1]}, "type": 3, "code": {"b": 2}, "param": [1]}},
    ),
    refusal(
        "400 with JSON cut off",
        "400 Bad Request",
        "bad_request: nothing",
        body=b'{"error": {"message": "No',
    ),
    refusal(
        "400 with JSON 20,000 deep",
        "400 Bad Request",
        "bad_request: nothing",
        body=b'{"error":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    ),
    refusal(
        "400 with a number of 6,000 digits",
        "400 Bad Request",
        "bad_request: nothing",
        body=b'{"error": {"code": ' + b"9" * 6_000 + b"}}",
    ),
    refusal(
        "400 with lone surrogates and NUL",
        "400 Bad Request",
        "bad_request: nothing",
        body=rb'{"error": {"message": "a\u0000b\ud800", "code": "\ud800", "param": "\u0000"}}',
    ),
    refusal(
        "400 that quotes the key",
        "400 Bad Request",
        "authentication: nothing",
        body=error(message="Wrong key sk-planted.", code="invalid_api_key"),
    ),
    refusal(
        "400 with an event in place of JSON",
        "400 Bad Request",
        "bad_request: nothing",
        body=b'data: {"error": {"message": "No."}}\n\n',
    ),
    refusal(
        "400 with a body of 3 MB",
        "400 Bad Request",
        "bad_request: nothing",
        body=b'{"error": "' + b"x" * 3_000_000 + b'"}',
    ),
    Fault(
        "400 whose body never comes",
        lambda good: [head("Content-Length: 50", status="400 No"), Wait()],
        "bad_request: nothing",
        patience_s=1.0,
    ),
    Fault(
        "400 whose body drips for ever",
        lambda good: [head("Connection: close", status="400 No"), Endless(b"x")],
        "bad_request: nothing",
        patience_s=1.0,
        total_s=2.0,
    ),
    Fault(
        "400 whose body is cut by a reset",
        lambda good: [head("Content-Length: 50", status="400 No") + b'{"err', End.RESET],
        "bad_request: nothing",
    ),
    Fault(
        "500 with a damaged gzip body",
        lambda good: [
            head("Content-Length: 5", "Content-Encoding: gzip", status="500 No") + b"abcde"
        ],
        "server: held x3",
    ),
    Fault(
        "400 with a bad chunk size",
        lambda good: [head("Transfer-Encoding: chunked", status="400 No") + b"ZZ\r\nab\r\n"],
        "protocol: held",
    ),
]

WAITS = [
    refusal(f"429, {name}", "429 Slow", ends, *lines)
    for name, ends, lines in [
        ("Retry-After of 0 seconds", "rate_limit: nothing x3", ["Retry-After: 0"]),
        ("Retry-After of half a second", "rate_limit: nothing x3", ["Retry-After: 0.5"]),
        ("Retry-After of an hour", "rate_limit: nothing", ["Retry-After: 3600"]),
        ("Retry-After below zero", "rate_limit: nothing x3", ["Retry-After: -5"]),
        ("Retry-After that is no number", "rate_limit: nothing x3", ["Retry-After: soon"]),
        ("Retry-After without an end", "rate_limit: nothing x3", ["Retry-After: inf"]),
        ("Retry-After that is NaN", "rate_limit: nothing x3", ["Retry-After: nan"]),
        ("Retry-After of 10^400", "rate_limit: nothing x3", ["Retry-After: 1" + "0" * 400]),
        ("Retry-After twice", "rate_limit: nothing x3", ["Retry-After: 0", "Retry-After: 0"]),
        ("Retry-After that is empty", "rate_limit: nothing x3", ["Retry-After:"]),
        ("retry-after-ms", "rate_limit: nothing x3", ["retry-after-ms: 20"]),
        (
            "a date that has passed",
            "rate_limit: nothing x3",
            ["Retry-After: Wed, 21 Oct 2015 07:28:00 GMT"],
        ),
        ("a date far away", "rate_limit: nothing", ["Retry-After: Wed, 21 Oct 2099 07:28:00 GMT"]),
        (
            "a date of a wrong clock, one second ahead",
            "rate_limit: nothing x3",
            ["Date: Wed, 21 Oct 2099 07:28:00 GMT", "Retry-After: Wed, 21 Oct 2099 07:28:01 GMT"],
        ),
        ("a date that is none", "rate_limit: nothing x3", ["Retry-After: Wed, 99 Foo 2015"]),
    ]
] + [
    Fault(
        "429 once, then the answer",
        lambda good: in_turn(status("429 Slow", b"{}", ("Retry-After: 0",), good), [good.answer()]),
        "completed: nothing usage",
    ),
    Fault(
        "503 twice, then the answer",
        lambda good: in_turn(*[status("503 Busy", b"{}", (), good)] * 2, [good.answer()]),
        "completed: nothing nothing usage",
    ),
    Fault(
        "429 with a wait beyond the turn's limit",
        lambda good: status("429 Slow", b"{}", ("Retry-After: 30",), good),
        "rate_limit: nothing",
        seconds=10,
    ),
]

REDIRECTS = [
    refusal(name, line, "protocol: nothing", *lines)
    for name, line, lines in [
        ("a redirect to another host", "307 Temporary Redirect", [OTHER_HOST]),
        ("301", "301 Moved Permanently", [OTHER_HOST]),
        ("302", "302 Found", [OTHER_HOST]),
        ("303", "303 See Other", [OTHER_HOST]),
        ("308", "308 Permanent Redirect", [OTHER_HOST]),
        ("a redirect to nowhere", "307 Temporary Redirect", []),
        ("a redirect to itself", "307 Temporary Redirect", ["Location: "]),
        ("a malformed redirect", "307 Temporary Redirect", ["Location: http://[::1/%zz"]),
        ("a redirect to a file", "302 Found", ["Location: file:///etc/passwd"]),
        ("a redirect with bytes that are no text", "302 Found", ["Location: /\xff\xfe"]),
        ("300 with choices", "300 Multiple Choices", []),
    ]
] + [refusal("304, not modified", "304 Not Modified", "protocol: nothing", body=b"")]

ROWS = [*STATUSES, *BODIES, *WAITS, *REDIRECTS]
