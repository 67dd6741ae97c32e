"""`create_app`: the server as an ASGI application. Routes and middlewares only."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from turngraph.interfaces.server.caller import Caller, Callers
from turngraph.interfaces.server.config import ServerConfig
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.local_caller import LocalCallers

__all__ = ["CallerOf", "create_app"]

REQUEST_ID: Final = "x-request-id"


async def _identify(request: Request) -> Caller:
    callers: Callers = request.app.state.callers
    caller = await callers.identify(dict(request.headers))
    request.state.caller = caller
    return caller


CallerOf = Annotated[Caller, Depends(_identify)]
"""The type of an endpoint's argument that is who sent the request."""


def create_app(config: ServerConfig, *, callers: Callers | None = None) -> FastAPI:
    """Returns the server of `config`.

    Args:
        callers: knows who sends a request. By default every request is the account `local`'s, and
            only a server on this machine's own address is allowed.

    Raises TurnConfigurationError for a configuration that cannot be served.
    """
    app = FastAPI(title="turngraph", docs_url=None, redoc_url=None)
    app.state.config = config
    app.state.callers = callers if callers is not None else LocalCallers.of(config)
    app.middleware("http")(_with_request_id)
    app.add_exception_handler(ServerError, _answer_error)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.get("/healthz", include_in_schema=False)(_healthz)
    return app


async def _healthz() -> dict[str, str]:
    return {"status": "ok"}


async def _with_request_id(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    request.state.request_id = f"req_{uuid.uuid4().hex}"
    response = await call_next(request)
    response.headers[REQUEST_ID] = request.state.request_id
    return response


def _answer_error(request: Request, error: Any) -> Response:
    return JSONResponse(error.body, status_code=error.status, headers=error.headers)


def _answer_http_error(request: Request, error: Any) -> Response:
    path = f"{request.method} {request.url.path}"[:200]
    messages = {404: f"There is nothing at `{path}`.", 405: f"`{path}` is not allowed."}
    message = messages.get(error.status_code, str(error.detail))
    return _answer_error(request, ServerError(error.status_code, message, headers=error.headers))
