"""Errors as vendors send them, read into one form: nested, flat, a list, a string, a page, an event
in a stream.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

from turngraph.providers.reading.error_table import billed_for, kind_of
from turngraph.providers.reading.redact import shown
from turngraph.providers.reading.sse import SseDecoder
from turngraph.state.errors import ProviderError, ResponsesAPIError
from turngraph.state.request import Api

__all__ = ["error_of_event", "is_error", "located", "read_error", "request_id_of", "retry_after_s"]

REQUEST_IDS: Final = (
    "x-request-id",
    "request-id",
    "apim-request-id",  # Azure
    "mistral-correlation-id",
    "x-generation-id",  # OpenRouter
    "x-amzn-requestid",
    "cf-ray",
)
EXCERPT: Final = 200
"""Characters shown of a body that is no JSON."""
TAGS: Final = re.compile(r"<(style|script)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)


class Said(NamedTuple):
    """What an error says of itself."""

    message: str = ""
    code: str | None = None
    type: str | None = None
    param: str | None = None
    status: int | None = None


def read_error(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    vendor: str,
    *,
    secrets: Iterable[str] = (),
    now: float | None = None,
) -> ProviderError:
    """The error that an answer of `status` 300 or more stands for.

    `now` (seconds since 1970) is used for a Retry-After that is a date, where the answer has no
    `Date` of its own. `secrets` are kept out of every text, and so is whatever looks like a key.

        >>> error = read_error(429, {"retry-after": "2"}, b'{"error": {"message": "Slow down."}}', "openai")
        >>> error.kind, error.retry_after_s, error.message
        ('rate_limit', 2.0, 'Slow down.')
    """
    secrets = tuple(secrets)
    headers = {name.lower(): value for name, value in headers.items()}
    raw = json_of(body)
    said = said_by(raw) if raw is not None else Said(excerpt(body))
    if 300 <= status < 400:
        said = Said(
            f"A redirect to {headers.get('location', 'nowhere')[:200]}; redirects are not followed."
        )
    return ProviderError(
        shown(said.message or "no message", secrets=secrets),
        kind=kind_of(words=(said.code, said.type), message=said.message, status=status),
        vendor=vendor or None,
        status=status,
        code=word(said.code, secrets),
        type=word(said.type, secrets),
        param=word(said.param, secrets),
        request_id=request_id_of(headers),
        retry_after_s=retry_after_s(headers, now=now, body=raw),
        retryable={"true": True, "false": False}.get(headers.get("x-should-retry", "")),
        billed=billed_for(status, explained=raw is not None),
    )


def error_of_event(event: object, *, vendor: str, api: Api) -> ProviderError:
    """The error that an event of a stream, or a JSON answer with status 200, reports.

    >>> error_of_event({"error": {"code": 429, "message": "Busy."}}, vendor="openrouter", api="chat").kind
    'rate_limit'
    """
    said = said_by(event)
    kind = kind_of(words=(said.code, said.type), message=said.message, status=said.status)
    build = ResponsesAPIError if api == "responses" else ProviderError
    error = build(
        shown(said.message or "no message"),
        kind="server" if kind == "protocol" else kind,
        vendor=vendor or None,
        code=word(said.code),
        type=word(said.type),
        param=word(said.param),
        billed=billed_for(said.status or 500, explained=True),
    )
    number = event.get("sequence_number") if isinstance(event, Mapping) else None
    if isinstance(error, ResponsesAPIError) and isinstance(number, int):
        error.sequence_number = number
    return error


def is_error(value: Any, name: str = "message") -> bool:
    """Whether `value`, of an event called `name` or the body of an answer, reports an error.

    >>> is_error({"error": None, "choices": []}), is_error([{"error": {"code": 400}}])
    (False, True)
    """
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], dict) and bool(value[0].get("error"))
    if not isinstance(value, dict):
        return name == "error"
    if (
        value.get("error")
        or name == "error"
        or value.get("type") == "error"
        or value.get("object") == "error"
    ):
        return True
    choices = value.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return isinstance(first, dict) and bool(first.get("error"))


def located(
    error: ProviderError,
    *,
    vendor: str,
    status: int,
    request_id: str | None,
    secrets: Iterable[str] = (),
    begun: bool = False,
) -> ProviderError:
    """`error`, met while an answer was read, with where it came from; `begun` where a part had been
    given out.
    """
    placed = type(error)(
        shown(error.message, secrets=secrets),
        kind=error.kind,
        vendor=vendor or None,
        status=status,
        code=error.code and shown(error.code, secrets=secrets),
        type=error.type and shown(error.type, secrets=secrets),
        param=error.param and shown(error.param, secrets=secrets),
        request_id=error.request_id or request_id,
        retry_after_s=error.retry_after_s,
        retryable=error.retryable,
        billed="partial" if begun else error.billed,
    )
    if isinstance(error, ResponsesAPIError) and isinstance(placed, ResponsesAPIError):
        placed.sequence_number = error.sequence_number
    return placed


def request_id_of(headers: Mapping[str, str]) -> str | None:
    """The id under which the vendor's support finds a request, from headers in lower case."""
    found = next((headers[name] for name in REQUEST_IDS if headers.get(name)), None)
    return None if found is None else shown(found, most=200)


def retry_after_s(
    headers: Mapping[str, str], *, now: float | None, body: object = None
) -> float | None:
    """The seconds a vendor asks to wait: in milliseconds, seconds, as a date, or in Gemini's body.

    A wait below zero is no wait asked for, and so is one that is not a number.

        >>> retry_after_s({"retry-after-ms": "1500"}, now=None), retry_after_s({"retry-after": "-5"}, now=None)
        (1.5, None)
    """
    waits = (
        scaled(headers.get("retry-after-ms"), 0.001),
        scaled(headers.get("retry-after"), 1.0),
        until(headers.get("retry-after"), headers.get("date"), now),
        scaled(gemini_delay(body), 1.0),
    )
    return next((wait for wait in waits if wait is not None), None)


def scaled(text: str | None, factor: float) -> float | None:
    try:
        wait = float(text or "") * factor
    except ValueError:
        return None
    return wait if math.isfinite(wait) and wait >= 0 else None


def until(date: str | None, sent: str | None, now: float | None) -> float | None:
    """The answer's own `Date` is asked first: both are then of the same clock."""
    then = seconds_of(date)
    start = now if (of_answer := seconds_of(sent)) is None else of_answer
    return max(0.0, then - start) if then is not None and start is not None else None


def seconds_of(date: str | None) -> float | None:
    try:
        return parsedate_to_datetime(date or "").timestamp()
    except (ValueError, OverflowError, IndexError, TypeError):
        return None


def gemini_delay(body: object) -> str | None:
    """`{"error": {"details": [{"@type": "…RetryInfo", "retryDelay": "34s"}]}}`:
    https://ai.google.dev/gemini-api/docs.
    """
    body = body[0] if isinstance(body, list) and body else body
    error = body.get("error") if isinstance(body, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    found = (d["retryDelay"] for d in details or () if isinstance(d, dict) and "retryDelay" in d)
    return (
        next((str(delay).removesuffix("s") for delay in found), None)
        if isinstance(details, list)
        else None
    )


def json_of(body: bytes) -> Any:
    """The JSON of an error's body, which may also stand in an event; `None` where there is none."""
    text = body.decode("utf-8", "replace").strip("\ufeff \r\n\t")
    if text.startswith(("data:", "event:")):
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


def said_by(raw: object) -> Said:
    """What `raw` says, whichever of the forms it has."""
    if isinstance(raw, list):
        return said_by(raw[0]) if raw else Said()
    if not isinstance(raw, Mapping):
        return Said(raw) if isinstance(raw, str) else Said()
    inner = next((raw[name] for name in ("error", "errors") if raw.get(name)), None)
    inner = choice_error(raw) if inner is None else inner
    if inner is not None:
        return with_outer(said_by(inner), said_flat(raw))
    return said_flat(raw)


def choice_error(raw: Mapping[str, Any]) -> Any:
    """OpenRouter's errors of a single choice."""
    choices = raw.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first.get("error") if isinstance(first, dict) else None


def with_outer(inner: Said, outer: Said) -> Said:
    """What the error itself leaves open may stand beside it (xAI's `code`)."""
    return inner._replace(
        **{
            name: said
            for name, said in outer._asdict().items()
            if getattr(inner, name) in (None, "")
        }
    )


def said_flat(raw: Mapping[str, Any]) -> Said:
    code, type_ = raw.get("code"), raw.get("type") or raw.get("status")
    status = next(
        (
            n
            for n in map(number, (raw.get("status_code"), code, raw.get("status")))
            if n is not None
        ),
        None,
    )
    return Said(
        message=message_of(raw),
        code=None if code is None else str(code),
        type=type_ if isinstance(type_, str) and type_ != "error" else None,
        param=raw["param"] if isinstance(raw.get("param"), str) else None,
        status=status,
    )


def number(value: object) -> int | None:
    """An HTTP status, also where it is text (Azure's `"404"`)."""
    digits = str(value) if isinstance(value, int | str) else ""
    return int(digits) if re.fullmatch(r"[1-5]\d\d", digits, re.ASCII) else None


def message_of(raw: Mapping[str, Any]) -> str:
    said = raw.get("message") or raw.get("detail") or raw.get("msg")
    metadata = raw.get("metadata")
    upstream = metadata.get("raw") if isinstance(metadata, dict) else None
    return "; ".join(part for part in (sentence(said), sentence(upstream)) if part)


def sentence(said: object) -> str:
    """A message that is text, or FastAPI's list of what is wrong where."""
    if isinstance(said, str):
        return said
    if isinstance(said, list):
        return "; ".join(part for part in map(sentence, said[:10]) if part)
    if not isinstance(said, Mapping):
        return ""
    where = said.get("loc")
    place = ".".join(map(str, where)) if isinstance(where, list) else ""
    text = message_of(said)
    return f"{place}: {text}" if place else text


def word(text: str | None, secrets: Iterable[str] = ()) -> str | None:
    return None if text is None else shown(text, secrets=secrets, most=200)


def excerpt(body: bytes) -> str:
    """The beginning of a body that is no JSON; of a page, its text."""
    text = body[: 2**16].decode("utf-8", "replace").strip()
    if text.startswith("<"):
        text = "a page: " + " ".join(TAGS.sub(" ", text).split())
    return text[:EXCERPT] if text else "an empty body"
