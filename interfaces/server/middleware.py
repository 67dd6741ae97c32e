"""Around every request: an id, limits on its headers, and an answer where the code fails."""

import asyncio
import logging
import time
from secrets import token_hex
from typing import Final

from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from turngraph.interfaces.server.errors import ServerError, error_of, server_stopping
from turngraph.interfaces.server.logs import note

__all__ = ["REQUEST_ID", "RequestGuard", "error_response", "new_request_id"]

REQUEST_ID: Final = "x-request-id"
HEADER_BYTES: Final = 65_536
"""How long all headers of a request may be together."""

_ONCE: Final = frozenset(
    {b"authorization", b"api-key", b"x-api-key", b"host", b"idempotency-key", b"origin"}
)
"""Headers of which a proxy in front might read another one than the server does."""

_log: Final = logging.getLogger("turngraph.server")


def new_request_id() -> str:
    """Returns the id of one more request."""
    return f"req_{token_hex(16)}"


class RequestGuard:
    """Gives each request an id, refuses too many headers (431) and HTTP/0.9 (505), and answers a
    bug with a 500.

    Plain ASGI: Starlette's base class for middlewares would run each request in a second task, and
    keep the endpoint from seeing that its client has left.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = new_request_id()
        scope.setdefault("state", {})["request_id"] = request_id
        status, began = 0, time.monotonic()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        try:
            _check_version(scope)
            _check_headers(scope)
            await self._app(scope, receive, send_with_id)
        except asyncio.CancelledError:
            # uvicorn ends so what is left when the server stops, such as a body that still comes.
            if status or not _is_stopping(scope):
                raise
            await error_response(server_stopping())(scope, receive, send_with_id)
        except Exception as exc:
            if not isinstance(exc, ServerError):
                _log.exception("Request %s has failed", request_id)
            if status:
                raise
            await error_response(exc)(scope, receive, send_with_id)
        finally:
            _note(scope, request_id, status, time.monotonic() - began)


def error_response(exc: Exception) -> JSONResponse:
    """The answer to a request that raised `exc`."""
    error = error_of(exc)
    return JSONResponse(error.body, error.status, error.headers)


def _is_stopping(scope: Scope) -> bool:
    service = getattr(scope["app"].state, "service", None)
    return service is not None and service.signals.stopped_at is not None


def _note(scope: Scope, request_id: str, status: int, seconds: float) -> None:
    """Logs and counts a request, without its body, its headers and its query."""
    caller = scope["state"].get("caller")
    path = getattr(scope.get("route"), "path", None)
    service = getattr(scope["app"].state, "service", None)
    if service is not None:
        service.metrics.count_request(path or "other", status, seconds)
    told = {
        "request_id": request_id,
        "method": scope["method"],
        "path": path or scope["path"][:200],
        "status": status,
        "seconds": round(seconds, 4),
        "account": None if caller is None else caller.account,
        "key_id": None if caller is None else caller.key_id,
    }
    note(_log, "request", told)


def _check_version(scope: Scope) -> None:
    # A line without a version is HTTP/0.9, whose answer has no status: nobody would see an error.
    if scope["http_version"] not in ("1.0", "1.1"):
        raise ServerError(505, "Send the request with HTTP/1.1.")


def _check_headers(scope: Scope) -> None:
    once = [(name, value) for name, value in scope["headers"] if name in _ONCE]
    for name, value in once:
        if any(other != value for same, other in once if same == name):
            shown = name.decode()
            raise ServerError(
                400,
                f"The header `{shown}` came twice, with different values. Send it once.",
                code="repeated_header",
            )
    # With the four bytes that separate them, as they came.
    size = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
    if size > HEADER_BYTES:
        raise ServerError(431, f"The headers are too long: at most {HEADER_BYTES:,} bytes.")
