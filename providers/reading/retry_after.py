"""How long a vendor asks its caller to wait, in whichever of four forms it says so."""

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from turngraph.providers.reading.json_values import objects_in
from turngraph.state.json_types import member_at

__all__ = ["retry_after_s"]


def retry_after_s(
    headers: Mapping[str, str], *, now: float | None, body: object = None
) -> float | None:
    """The seconds to wait, or None if the vendor does not say.

    headers: those of the response, with names in lower case.
    now: seconds since 1970, for a date in an answer that has no `Date` of its own.
    body: the parsed JSON of the answer, where Gemini says it.

    `retry-after-ms` (OpenAI, Azure) is exact and so comes first; `Retry-After` is seconds or a date
    (https://www.rfc-editor.org/rfc/rfc9110#field.retry-after). A negative wait, or one that is not
    a number, counts as not said.

        >>> retry_after_s({"retry-after-ms": "1500"}, now=None)
        1.5
        >>> retry_after_s({"retry-after": "-5"}, now=None) is None
        True
    """
    waits = (
        seconds_from(headers.get("retry-after-ms"), unit_s=0.001),
        seconds_from(headers.get("retry-after")),
        seconds_until(headers.get("retry-after"), headers.get("date"), now),
        seconds_from(gemini_delay(body)),
    )
    return next((wait for wait in waits if wait is not None), None)


def seconds_from(text: str | None, *, unit_s: float = 1.0) -> float | None:
    try:
        wait = float(text or "") * unit_s
    except ValueError:
        return None
    return wait if math.isfinite(wait) and wait >= 0 else None


def seconds_until(date: str | None, sent: str | None, now: float | None) -> float | None:
    """The seconds from when the answer was sent to `date`."""
    then = timestamp_of(date)
    # The answer's own `Date` is of the same clock as `date`; ours may be wrong.
    sent_at = timestamp_of(sent)
    start = now if sent_at is None else sent_at
    return max(0.0, then - start) if then is not None and start is not None else None


def timestamp_of(date: str | None) -> float | None:
    try:
        return parsedate_to_datetime(date or "").timestamp()
    except (ValueError, OverflowError, IndexError, TypeError):
        return None


def gemini_delay(body: object) -> str | None:
    """The `retryDelay` in an error of Gemini's, without its unit.

    https://ai.google.dev/gemini-api/docs/troubleshooting

        >>> detail = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}
        >>> gemini_delay([{"error": {"details": [detail]}}])
        '34'
    """
    # Gemini's compatible endpoint wraps its error in a list.
    error = body[0] if isinstance(body, list) and body else body
    delays = (
        detail["retryDelay"]
        for detail in objects_in(member_at(error, "error.details"))
        if "retryDelay" in detail
    )
    return next((str(delay).removesuffix("s") for delay in delays), None)
