"""Reads the errors that vendors send, as a response or inside a stream, into `ProviderError`."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from turngraph.providers.reading.error_fields import ErrorFields, error_fields_of
from turngraph.providers.reading.error_table import billed_for, kind_of
from turngraph.providers.reading.json_values import first_choice
from turngraph.providers.reading.redact import redact
from turngraph.providers.reading.retry_after import retry_after_s
from turngraph.providers.reading.sse import SseDecoder
from turngraph.state.errors import ErrorKind, ProviderError, ResponsesAPIError
from turngraph.state.json_types import member_at
from turngraph.state.request import Api

__all__ = ["error_of_event", "is_error", "read_error", "request_id_of", "unusable", "with_origin"]

REQUEST_IDS: Final = (
    "x-request-id",
    "request-id",
    "apim-request-id",  # Azure
    "mistral-correlation-id",
    "x-generation-id",  # OpenRouter
    "x-amzn-requestid",
    "cf-ray",
)
EXCERPT_CHARS: Final = 200
"""How much is shown of a body that is not JSON."""
FIELD_CHARS: Final = 200
"""How much is shown of a code, a type or an id."""
ANSWER_MEMBERS: Final = ("choices", "delta", "item", "output", "response", "usage")
TAGS: Final = re.compile(r"<(style|script)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)


def read_error(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    vendor: str,
    *,
    secrets: Iterable[str] = (),
    now: float | None = None,
) -> ProviderError:
    """The error that a response of `status` 300 or more stands for.

    secrets: texts kept out of every member, as is whatever looks like a key.
    now: seconds since 1970, for a Retry-After that is a date in an answer without a `Date`.

        >>> body = b'{"error": {"message": "Slow down."}}'
        >>> error = read_error(429, {"retry-after": "2"}, body, "openai")
        >>> error.kind, error.retry_after_s, error.message
        ('rate_limit', 2.0, 'Slow down.')
    """
    secrets = tuple(secrets)
    headers = {name.lower(): value for name, value in headers.items()}
    raw = error_json(body)
    fields = error_fields_of(raw) if raw is not None else ErrorFields(body_excerpt(body))
    if 300 <= status < 400:
        # A redirect could carry the key to another host, so none is followed.
        target = headers.get("location", "nowhere")[:FIELD_CHARS]
        fields = ErrorFields(f"A redirect to {target}; redirects are not followed.")
    return ProviderError(
        redact(fields.message or "no message", secrets=secrets),
        kind=kind_of(words=(fields.code, fields.type), message=fields.message, status=status),
        vendor=vendor or None,
        status=status,
        code=redact_field(fields.code, secrets),
        type=redact_field(fields.type, secrets),
        param=redact_field(fields.param, secrets),
        request_id=request_id_of(headers),
        retry_after_s=retry_after_s(headers, now=now, body=raw),
        retryable={"true": True, "false": False}.get(headers.get("x-should-retry", "")),
        billed=billed_for(status, explained=raw is not None),
    )


def error_of_event(event: object, *, vendor: str, api: Api) -> ProviderError:
    """The error reported by an event of a stream, or by a JSON answer of status 200.

    A `ResponsesAPIError` where `api` is `responses`.

        >>> event = {"error": {"code": 429, "message": "Busy."}}
        >>> error_of_event(event, vendor="openrouter", api="chat").kind
        'rate_limit'
    """
    fields = error_fields_of(event)
    kind = kind_of(words=(fields.code, fields.type), message=fields.message, status=fields.status)
    error_class = ResponsesAPIError if api == "responses" else ProviderError
    error = error_class(
        redact(fields.message or "no message"),
        # `protocol` would blame our reading, but the vendor said clearly that it failed.
        kind="server" if kind == "protocol" else kind,
        vendor=vendor or None,
        code=redact_field(fields.code),
        type=redact_field(fields.type),
        param=redact_field(fields.param),
        billed=billed_for(fields.status or 500, explained=True),
    )
    number = event.get("sequence_number") if isinstance(event, Mapping) else None
    if isinstance(error, ResponsesAPIError) and isinstance(number, int):
        error.sequence_number = number
    return error


def is_error(value: object, name: str = "message") -> bool:
    """Whether `value`, the body of an answer or an event called `name`, reports an error.

    >>> is_error({"error": None, "choices": []}), is_error([{"error": {"code": 400}}])
    (False, True)
    """
    if isinstance(value, list):  # Gemini
        return bool(value) and isinstance(value[0], dict) and bool(value[0].get("error"))
    if not isinstance(value, dict):
        return name == "error"
    # A null or empty `error` is no error: Responses has `"error": null` in every answer.
    marked = "error" in (name, value.get("type"), value.get("object"))
    if marked or value.get("error") or first_choice(value).get("error"):
        return True
    return not any(value.get(name) for name in ANSWER_MEMBERS) and says_that_it_failed(value)


def says_that_it_failed(value: Mapping[str, object]) -> bool:
    """Whether an object that has nothing of an answer is an error without an `error` member:
    Cerebras, Cohere, Alibaba, AWS; MiniMax (`base_resp`), Cloudflare (`success`).

        >>> says_that_it_failed({"message": "Slow down.", "code": "request_quota_exceeded"})
        True
    """
    failed = member_at(value, "base_resp.status_code")
    if value.get("success") is False or failed not in (None, 0):
        return True
    coded = any(value.get(name) for name in ("code", "status_code", "__type"))
    return coded and isinstance(value.get("message") or value.get("detail"), str)


def unusable(text: str, kind: ErrorKind = "protocol") -> ProviderError:
    """The error for an answer that began and cannot be used, for the caller to raise.

    A model may have answered and been paid for it, so what is billed is unknown. What has begun is
    not asked for again, not even after a timeout.

        >>> unusable("The answer is empty.").retryable
        False
    """
    return ProviderError(text, kind=kind, billed="unknown", retryable=False)


def with_origin(
    error: ProviderError,
    *,
    vendor: str,
    status: int,
    request_id: str | None,
    secrets: Iterable[str] = (),
    delivered_chunks: bool = False,
) -> ProviderError:
    """`error`, met while an answer was read, with where it came from.

    delivered_chunks: whether a part of the answer had been handed out; that part is billed, and
        another attempt would begin the answer again.
    """
    placed = type(error)(
        redact(error.message, secrets=secrets),
        kind=error.kind,
        vendor=vendor or None,
        status=status,
        code=error.code and redact(error.code, secrets=secrets),
        type=error.type and redact(error.type, secrets=secrets),
        param=error.param and redact(error.param, secrets=secrets),
        request_id=error.request_id or request_id,
        retry_after_s=error.retry_after_s,
        retryable=error.retryable and not delivered_chunks,
        billed="partial" if delivered_chunks else error.billed,
    )
    if isinstance(error, ResponsesAPIError) and isinstance(placed, ResponsesAPIError):
        placed.sequence_number = error.sequence_number
    return placed


def request_id_of(headers: Mapping[str, str]) -> str | None:
    """The id by which the vendor's support finds a request, from headers in lower case."""
    request_id = next((headers[name] for name in REQUEST_IDS if headers.get(name)), None)
    return redact_field(request_id)


def error_json(body: bytes) -> Any:
    """The JSON of an error's body, or None. It may stand in a server-sent event."""
    text = body.decode("utf-8", "replace").strip("\ufeff \r\n\t")
    if text.startswith(("data:", "event:")):
        # A refused request for a stream may be answered as a stream of one event.
        try:
            decoder = SseDecoder()
            events = [*decoder.feed(text.encode()), *decoder.finish()]
        except ProviderError:
            return None
        text = events[0].data if events else ""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list | str) else None


def redact_field(text: str | None, secrets: Iterable[str] = ()) -> str | None:
    return None if text is None else redact(text, secrets=secrets, max_chars=FIELD_CHARS)


def body_excerpt(body: bytes) -> str:
    """The beginning of a body that is not JSON; of a page, its text without the tags."""
    text = body[: 2**16].decode("utf-8", "replace").strip()
    if text.startswith("<"):
        text = "a page: " + " ".join(TAGS.sub(" ", text).split())
    return text[:EXCERPT_CHARS] if text else "an empty body"
