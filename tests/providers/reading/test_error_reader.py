"""Errors in every form become a ProviderError that says what to do and holds no key."""

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given, strategies as st

from turngraph.providers.reading.error_reader import error_of_event, is_error, read_error
from turngraph.state.errors import ErrorKind, ProviderError, ResponsesAPIError


def error_for(
    status: int, body: Any = None, headers: dict[str, str] | None = None, **more: Any
) -> ProviderError:
    content = (
        body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    )
    return read_error(status, headers or {}, content, "acme", **more)


FORMS: list[tuple[str, int, Any, str, str | None, str | None]] = [
    (
        "OpenAI: nested",
        400,
        {
            "error": {
                "message": "No.",
                "type": "invalid_request_error",
                "param": "stop",
                "code": "unsupported_parameter",
            }
        },
        "No.",
        "unsupported_parameter",
        "invalid_request_error",
    ),
    (
        "Mistral: flat",
        400,
        {"object": "error", "message": "No.", "type": "invalid", "code": "1500"},
        "No.",
        "1500",
        "invalid",
    ),
    (
        "Gemini: a list",
        400,
        [{"error": {"code": 400, "message": "No.", "status": "INVALID"}}],
        "No.",
        "400",
        "INVALID",
    ),
    (
        "xAI: a string",
        400,
        {"code": "invalid-argument", "error": "No."},
        "No.",
        "invalid-argument",
        None,
    ),
    ("FastAPI: detail", 401, {"detail": "No."}, "No.", None, None),
    (
        "FastAPI: a list of details",
        422,
        {
            "detail": [
                {
                    "type": "extra_forbidden",
                    "loc": ["body", "seed"],
                    "msg": "Extra inputs are not permitted",
                }
            ]
        },
        "body.seed: Extra inputs are not permitted",
        None,
        None,
    ),
    ("a number for a code", 429, {"error": {"code": 429, "message": "No."}}, "No.", "429", None),
    ("a bare string", 500, "No.", "No.", None, None),
    (
        "Cloudflare: a list inside",
        400,
        {"success": False, "errors": [{"code": 7003, "message": "No."}]},
        "No.",
        "7003",
        None,
    ),
    (
        "OpenRouter: what its upstream said",
        429,
        {
            "error": {
                "code": 429,
                "message": "Provider returned error",
                "metadata": {"raw": "Slow down."},
            }
        },
        "Provider returned error; Slow down.",
        "429",
        None,
    ),
    (
        "Berget: in an event",
        401,
        b'data: {"error": {"message": "No.", "code": "X"}}\n\n',
        "No.",
        "X",
        None,
    ),
]


@pytest.mark.parametrize(
    ("status", "body", "message", "code", "type_"),
    [f[1:] for f in FORMS],
    ids=[f[0] for f in FORMS],
)
def test_every_form_of_error_is_read(
    status: int, body: Any, message: str, code: str | None, type_: str | None
) -> None:
    """A caller finds the message always in the same place."""
    error = error_for(status, body)
    assert (error.message, error.code, error.type, error.status, error.vendor) == (
        message,
        code,
        type_,
        status,
        "acme",
    )


def test_the_text_of_a_page_is_shown_shortened() -> None:
    """A gateway's 502 is HTML; its beginning names the gateway."""
    page = "<html><style>p {}</style><body><h1>Bad\ngateway</h1>" + "x " * 500
    error = error_for(502, page.encode())
    assert error.message.startswith("a page: Bad gateway x x")
    assert len(error.message) <= 200
    assert (error.kind, error.billed, error.retryable) == ("server", "unknown", True)


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, "bad_request", False),
        (401, "authentication", False),
        (402, "quota", False),
        (403, "permission", False),
        (404, "not_found", False),
        (408, "timeout", True),
        (409, "conflict", True),
        (413, "too_large", False),
        (418, "bad_request", False),
        (422, "bad_request", False),
        (429, "rate_limit", True),
        (500, "server", True),
        (502, "server", True),
        (503, "overloaded", True),
        (504, "timeout", True),
        (529, "overloaded", True),
    ],
)
@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b'{"error": {"message": "no"}}', b"\xff\xfe", b"[]", b"null"]
)
def test_every_status_has_a_kind(
    status: int, kind: ErrorKind, retryable: bool, body: bytes
) -> None:
    """Whatever the body holds; and the kind says whether to try again."""
    error = read_error(status, {}, body, "acme")
    assert (error.kind, error.retryable) == (kind, retryable)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (
            429,
            {"code": "insufficient_quota", "type": "insufficient_quota", "message": "Pay."},
            "quota",
        ),
        (400, {"code": "context_length_exceeded", "message": "Long."}, "context_length"),
        (
            400,
            {"code": 400, "type": "exceed_context_size_error", "message": "Long."},
            "context_length",
        ),
        (
            400,
            {
                "code": "invalid_request_error",
                "message": "This model's maximum context length is 5.",
            },
            "context_length",
        ),
        (
            400,
            {"message": "prompt too long; exceeded max context length by 7 tokens"},
            "context_length",
        ),
        (400, {"code": "content_filter", "message": "Filtered."}, "content_filter"),
        (400, {"code": "model_not_found", "message": "No model."}, "not_found"),
        (
            401,
            {"code": "invalid_request_error", "type": "authentication_error", "message": "Key?"},
            "authentication",
        ),
        (
            404,
            {"code": "DeploymentNotFound", "type": "invalid_request_error", "message": "?"},
            "not_found",
        ),
        (
            402,
            {
                "type": "unknown_error",
                "code": "invalid_request_error",
                "message": "Insufficient Balance",
            },
            "quota",
        ),
        (
            400,
            {"code": "tool_use_failed", "type": "invalid_request_error", "message": "?"},
            "bad_request",
        ),
        (503, {"type": "server_error", "message": "?"}, "overloaded"),
        (
            429,
            {
                "code": 429,
                "status": "RESOURCE_EXHAUSTED",
                "message": "You exceeded your current quota",
            },
            "rate_limit",
        ),
    ],
)
def test_the_vendors_words_overrule_the_status(
    status: int, error: dict[str, Any], kind: ErrorKind
) -> None:
    """A 429 for lack of money must not be retried; a 400 for length asks for a shorter prompt."""
    assert error_for(status, {"error": error}).kind == kind


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "1"}, 1.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "3600"}, 3600.0),
        (
            {
                "retry-after": "Wed, 21 Oct 2026 07:28:10 GMT",
                "date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            10.0,
        ),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, 60.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Wed, 99 Oct 9999"}, None),
        ({}, None),
    ],
    ids=str,
)
def test_a_wait_asked_for_is_read_in_every_form(
    headers: dict[str, str], seconds: float | None
) -> None:
    """Seconds, milliseconds or a date, by the clock of the answer; a negative wait is none."""
    assert error_for(429, {}, headers, now=40.0).retry_after_s == seconds


def test_geminis_wait_is_read_from_the_body() -> None:
    """It sends no header."""
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}]
    assert (
        error_for(429, [{"error": {"code": 429, "message": "?", "details": details}}]).retry_after_s
        == 34.0
    )


@pytest.mark.parametrize(
    "name", ["x-request-id", "X-Request-ID", "apim-request-id", "mistral-correlation-id"]
)
def test_the_request_id_is_kept(name: str) -> None:
    """A vendor's support asks for it."""
    assert error_for(500, {}, {name: "req_1"}).request_id == "req_1"


def test_the_server_may_say_itself_whether_to_try_again() -> None:
    """OpenAI sends `x-should-retry`."""
    assert error_for(500, {}, {"x-should-retry": "false"}).retryable is False
    assert error_for(400, {}, {"x-should-retry": "true"}).retryable is True


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_but_named(status: int) -> None:
    """Following it would send the prompt and the key to another server."""
    error = error_for(status, None, {"location": "https://other.example/v1"})
    assert (error.kind, error.retryable, error.billed) == ("protocol", False, "none")
    assert "https://other.example/v1" in error.message


@pytest.mark.parametrize(
    ("status", "body", "billed"),
    [
        (401, {}, "none"),
        (429, {}, "none"),
        (500, {"error": {"message": "?"}}, "none"),
        (500, b"<html>", "unknown"),
        (502, b"<html>", "unknown"),
        (503, b"<html>", "none"),
        (504, {"error": {"message": "?"}}, "unknown"),
        (408, {}, "unknown"),
        (529, b"", "none"),
    ],
)
def test_an_error_says_what_may_be_billed(status: int, body: Any, billed: str) -> None:
    """A refusal costs nothing; behind a gateway that gave up, the model may have done the work."""
    assert error_for(status, body).billed == billed


KEYS = [
    "sk-proj-abcDEF123456",
    "gsk_abcdefgh1234",
    "xai-abcdefgh1234",
    "AIzaSyA1234567890abc",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
    "hunter2-of-our-own",
]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("field", ["message", "code", "param", "type"])
def test_no_key_is_in_any_part_of_an_error(key: str, field: str) -> None:
    """A 401 quotes the key it refuses, and errors are logged, stored and shown."""
    error = error_for(
        401, {"error": {"message": "?", field: f"Got {key} here."}}, secrets=["hunter2-of-our-own"]
    )
    assert key not in "".join(map(str, [*error.__dict__.values(), *error.args, repr(error)]))
    assert "[redacted]" in str(getattr(error, field))


def test_a_key_of_unknown_form_is_hidden_where_openai_quotes_it() -> None:
    """`Incorrect API key provided: …`, whatever the key looks like."""
    error = error_for(
        401, {"error": {"message": "Incorrect API key provided: pa55w0rd. You can find yours at …"}}
    )
    assert "pa55w0rd" not in str(error)


def test_a_message_cannot_forge_a_log_line_or_fill_the_log() -> None:
    """Line breaks, escapes of a terminal, the right-to-left override; a megabyte."""
    error = error_for(400, {"error": {"message": "a\n2026 INFO ok\x1b[2J\u202e" + "x" * 10**6}})
    assert error.message.startswith(r"a\n2026 INFO ok\x1b[2J\u202ex")
    assert len(error.message) < 1100


def test_an_error_event_of_a_responses_stream_has_its_own_class() -> None:
    """It has its place in the stream, flat as documented or nested as it really comes."""
    flat = {
        "type": "error",
        "code": "rate_limit_exceeded",
        "message": "Slow.",
        "param": None,
        "sequence_number": 2,
    }
    nested = {
        "type": "error",
        "sequence_number": 2,
        "error": {
            "type": "tokens",
            "code": "rate_limit_exceeded",
            "message": "Slow.",
            "param": None,
        },
    }
    for event in (flat, nested):
        error = error_of_event(event, vendor="openai", api="responses")
        assert isinstance(error, ResponsesAPIError)
        assert (error.code, error.message, error.kind) == (
            "rate_limit_exceeded",
            "Slow.",
            "rate_limit",
        )
        assert (error.sequence_number, error.retryable, error.type) == (
            2,
            True,
            None if event is flat else "tokens",
        )


def test_an_error_that_explains_nothing_is_a_server_error() -> None:
    """An event called `error` that is empty, or not an object at all."""
    events: list[Any] = [{"type": "error"}, None, "down", 7, []]
    for event in events:
        assert error_of_event(event, vendor="acme", api="chat").kind == "server"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ({"error": {"message": "?"}}, "message"),
        ({"error": "?"}, "message"),
        ({"message": "?"}, "error"),
        ("?", "error"),
        ({"type": "error"}, "message"),
        ({"object": "error", "message": "?"}, "message"),
        ([{"error": {"code": 400}}], "message"),
        ({"choices": [{"error": {"code": 502}, "message": None}]}, "message"),
    ],
)
def test_an_error_is_recognized_in_every_form(value: Any, name: str) -> None:
    """With or without an event name, nested or not, in an event or in an answer with status 200."""
    assert is_error(value, name)


@pytest.mark.parametrize(
    "value",
    [{"error": None, "choices": []}, {"choices": [None]}, {"choices": None}, [], None, 1, "x"],
)
def test_an_answer_is_not_an_error(value: Any) -> None:
    """Every answer of Responses has `error: null`."""
    assert not is_error(value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "error",
                    "errors",
                    "message",
                    "detail",
                    "code",
                    "type",
                    "status",
                    "param",
                    "metadata",
                    "details",
                ]
            )
            | st.sampled_from(["loc", "msg", "choices", "raw", "retryDelay", "status_code"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.integers(300, 999),
    st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()),
)
def test_any_answer_of_any_status_is_an_error_of_a_kind(status: int, body: bytes) -> None:
    """Only ProviderError is raised, whatever was received."""
    error = read_error(status, {}, body, "acme")
    assert error.message
    assert {unicodedata.category(character) for character in str(error)}.isdisjoint(
        {"Cc", "Cs", "Zl", "Zp"}
    )


@given(JSON)
def test_any_event_is_an_error_of_a_kind(event: Any) -> None:
    """This holds for errors inside answers, too."""
    is_error(event)
    assert error_of_event(event, vendor="acme", api="responses").kind != "protocol"
