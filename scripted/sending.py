"""Puts answers on the wire through aiohttp: whole, in events, raw, failing, or cut off."""

import asyncio
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from turngraph.scripted.envelope import dump
from turngraph.scripted.script import Cut, Fail, Raw

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["send_cut", "send_events", "send_failure", "send_json", "send_nothing", "send_raw"]

SSE: Final = "text/event-stream; charset=utf-8"
JSON: Final = "application/json"
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
"""Type, code and words of each status. Source: https://platform.openai.com/docs/guides/error-codes
"""


def send_json(body: Any, headers: Mapping[str, str], status: int = 200) -> "web.StreamResponse":
    """A JSON body."""
    from aiohttp import web

    return web.Response(
        body=dump(body).encode(), status=status, headers={**headers, "Content-Type": JSON}
    )


async def send_events(
    request: "web.Request", events: Iterable[str], headers: Mapping[str, str], delay_s: float
) -> "web.StreamResponse":
    """The events of a stream: at once, or one after each delay."""
    response = await _begin(request, {**headers, "Content-Type": SSE})
    if not delay_s:
        await response.write("".join(events).encode())
        return response
    for event in events:
        await response.write(event.encode())
        await asyncio.sleep(delay_s)
    return response


def send_failure(step: Fail, headers: Mapping[str, str]) -> "web.StreamResponse":
    """A scripted HTTP error."""
    from aiohttp import web

    if isinstance(step.body, str):
        told = {**headers, "Content-Type": "text/html; charset=utf-8", **step.headers}
        return web.Response(body=step.body.encode(), status=step.status, headers=told)
    kind, code, message = FAILURES.get(
        step.status, ("server_error", None, f"Scripted failure {step.status}.")
    )
    usual = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return send_json(
        usual if step.body is None else step.body, {**headers, **step.headers}, step.status
    )


def send_raw(step: Raw, headers: Mapping[str, str]) -> "web.StreamResponse":
    """Bytes as they are."""
    from aiohttp import web

    told = {**headers, "Content-Type": step.content_type, **step.headers}
    return web.Response(body=step.bytes, status=step.status, headers=told)


async def send_cut(
    request: "web.Request",
    step: Cut,
    written: Mapping[str, Any] | Iterable[str],
    headers: Mapping[str, str],
) -> "web.StreamResponse":
    """The beginning of an answer: some of its events, or some bytes of its JSON; then the
    connection is closed.
    """
    if step.after is None:
        return send_nothing(request)
    if isinstance(written, Mapping):
        whole = dump(written).encode()
        told = {"Content-Type": JSON} | ({} if step.clean else {"Content-Length": str(len(whole))})
        sent = whole[: len(whole) // 2] if step.after else b""
    else:
        told = {"Content-Type": SSE}
        sent = "".join(islice(written, step.after)).encode()
    response = await _begin(request, {**headers, **told})
    await response.write(sent)
    response.force_close()
    if not step.clean:
        _hang_up(request)
    return response


def send_nothing(request: "web.Request") -> "web.StreamResponse":
    """Close the connection without a word."""
    from aiohttp import web

    _hang_up(request)
    return web.Response()


async def _begin(request: "web.Request", headers: Mapping[str, str]) -> "web.StreamResponse":
    from aiohttp import web

    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    return response


def _hang_up(request: "web.Request") -> None:
    """What was written still goes out; what aiohttp would add to end the answer properly does not."""
    if request.transport is not None:
        request.transport.close()
