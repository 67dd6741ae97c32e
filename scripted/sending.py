"""Writes answers to the socket: whole, as a stream, as raw bytes, as an error, or cut off."""

import asyncio
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Final

from turngraph.scripted.envelope import compact_json
from turngraph.scripted.script import Cut, Fail, Raw

if TYPE_CHECKING:
    from aiohttp import web

__all__ = [
    "JSON_TYPE",
    "SSE_TYPE",
    "send_cut",
    "send_events",
    "send_failure",
    "send_json",
    "send_raw",
]

SSE_TYPE: Final = "text/event-stream; charset=utf-8"
JSON_TYPE: Final = "application/json"
HTML_TYPE: Final = "text/html; charset=utf-8"
FAILURES: Final[Mapping[int, tuple[str, str | None, str]]] = {
    400: ("invalid_request_error", None, "The request is malformed."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    402: ("insufficient_quota", "insufficient_quota", "The account is out of credit."),
    403: ("permission_error", None, "You have insufficient permissions for this operation."),
    404: (
        "invalid_request_error",
        "model_not_found",
        "The model does not exist or you do not have access to it.",
    ),
    408: ("timeout", None, "The request timed out."),
    409: ("conflict_error", None, "The request conflicts with another."),
    413: ("invalid_request_error", None, "The request is too large."),
    422: ("invalid_request_error", None, "The request could not be processed."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests."),
    500: ("server_error", None, "The server had an error while processing your request."),
    503: ("server_error", None, "The engine is currently overloaded, please try again later."),
}
"""Type, code and message of the error for each status.
Source: https://platform.openai.com/docs/guides/error-codes
"""


def send_json(body: object, headers: Mapping[str, str], status: int = 200) -> "web.StreamResponse":
    """Sends a JSON body."""
    from aiohttp import web

    content = compact_json(body).encode()
    return web.Response(body=content, status=status, headers={**headers, "Content-Type": JSON_TYPE})


async def send_events(
    request: "web.Request", events: Iterable[str], headers: Mapping[str, str], delay_s: float
) -> "web.StreamResponse":
    """Sends the events of a stream: all at once, or with `delay_s` seconds after each."""
    response = await _start_response(request, {**headers, "Content-Type": SSE_TYPE})
    if not delay_s:
        # One write for all events: a client sees the same, and a test is much faster.
        await response.write("".join(events).encode())
        return response
    for event in events:
        await response.write(event.encode())
        await asyncio.sleep(delay_s)
    return response


def send_failure(step: Fail, headers: Mapping[str, str]) -> "web.StreamResponse":
    """Sends a scripted HTTP error."""
    from aiohttp import web

    if isinstance(step.body, str):
        all_headers = {**headers, "Content-Type": HTML_TYPE, **step.headers}
        return web.Response(body=step.body.encode(), status=step.status, headers=all_headers)
    body = _default_error(step.status) if step.body is None else step.body
    return send_json(body, {**headers, **step.headers}, step.status)


def _default_error(status: int) -> dict[str, dict[str, str | None]]:
    unknown = ("server_error", None, f"Scripted failure {status}.")
    kind, code, message = FAILURES.get(status, unknown)
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def send_raw(step: Raw, headers: Mapping[str, str]) -> "web.StreamResponse":
    """Sends bytes as they are."""
    from aiohttp import web

    all_headers = {**headers, "Content-Type": step.content_type, **step.headers}
    return web.Response(body=step.bytes, status=step.status, headers=all_headers)


async def send_cut(
    request: "web.Request",
    step: Cut,
    rendered: Mapping[str, object] | Iterable[str],
    headers: Mapping[str, str],
) -> "web.StreamResponse":
    """Sends the beginning of an answer, then closes the connection.

    A stream loses its last events, JSON the second half of its bytes.
    """
    if step.after is None:
        return _send_nothing(request)
    if isinstance(rendered, Mapping):
        whole = compact_json(rendered).encode()
        content_headers = {"Content-Type": JSON_TYPE}
        if not step.clean:
            # The length of the whole body makes the missing half visible to the client.
            content_headers["Content-Length"] = str(len(whole))
        sent = whole[: len(whole) // 2] if step.after else b""
    else:
        content_headers = {"Content-Type": SSE_TYPE}
        sent = "".join(islice(rendered, step.after)).encode()
    response = await _start_response(request, {**headers, **content_headers})
    await response.write(sent)
    response.force_close()
    if not step.clean:
        _close_connection(request)
    return response


def _send_nothing(request: "web.Request") -> "web.StreamResponse":
    from aiohttp import web

    _close_connection(request)
    # aiohttp wants a response. The closed socket takes no byte of it.
    return web.Response()


async def _start_response(
    request: "web.Request", headers: Mapping[str, str]
) -> "web.StreamResponse":
    from aiohttp import web

    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    return response


def _close_connection(request: "web.Request") -> None:
    """Closes the socket after what was written, before aiohttp can end the HTTP body properly."""
    if request.transport is not None:
        request.transport.close()
