"""`create_app`: the server as an ASGI application. Routes and middlewares only."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from turngraph.interfaces.server import chat_completions, models_list
from turngraph.interfaces.server.api_page import ERRORS
from turngraph.interfaces.server.caller import Callers
from turngraph.interfaces.server.caller_route import DirectRoutes
from turngraph.interfaces.server.config import ServerConfig
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.local_caller import check_reach
from turngraph.interfaces.server.middleware import RequestGuard, error_response
from turngraph.interfaces.server.passthrough import endpoint as passthrough
from turngraph.interfaces.server.responses import endpoint as responses
from turngraph.interfaces.server.service import CallerOf, Service, ServiceOf, open_service
from turngraph.interfaces.server.trace_context import TraceContext
from turngraph.interfaces.telemetry.opentelemetry import OpenTelemetry
from turngraph.state.errors import TurngraphError

if TYPE_CHECKING:
    from turngraph.interfaces.server.studio.sessions import Sessions

__all__ = ["create_app"]

_BELOW_V1: Final = ("/models", "/chat/", "/responses", "/conversations")
"""How the paths of OpenAI's clients go on behind `/v1`."""


def create_app(
    config: ServerConfig,
    *,
    callers: Callers | None = None,
    folder: Path | None = None,
    environ: MutableMapping[str, str] | None = None,
    reread: Callable[[], ServerConfig] | None = None,
    telemetry: OpenTelemetry | None = None,
) -> FastAPI:
    """Returns the server of `config`. Databases are opened and models built when it starts.

    Args:
        callers: knows who sends a request; by default, the API keys in the database. Where it has
            none, and only this machine reaches the server, every request is the account `local`'s.
        folder: where the paths in the configuration begin; the working directory by default.
        reread: reads the configuration again, on SIGHUP.
        environ: where vendors' keys are looked for; the environment of the process by default.
        telemetry: follows the turns; by default as the configuration says.

    Raises TurnConfigurationError for a configuration that cannot be served.
    """
    if callers is None:
        check_reach(config)
    if telemetry is None and config.telemetry.opentelemetry:
        telemetry = OpenTelemetry(content=config.telemetry.content)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        env = os.environ if environ is None else environ
        where = folder or Path()
        async with open_service(config, callers, where, env, telemetry) as service:
            app.state.service = service
            if studio is not None:
                # Open pages hold streams, for which uvicorn would wait.
                loop = asyncio.get_running_loop()
                service.signals.on_stop = partial(loop.call_soon_threadsafe, studio.end_all)
            service.signals.listen(None if reread is None else partial(_reload, service, reread))
            yield
            if studio is not None:
                studio.end_all()

    app = FastAPI(
        title="turngraph", docs_url=None, redoc_url=None, lifespan=lifespan, responses=ERRORS
    )
    app.add_middleware(
        DirectRoutes, routes=[*chat_completions.router.routes, *responses.creating.routes]
    )
    if telemetry is not None:
        app.add_middleware(TraceContext, telemetry=telemetry)
    app.add_middleware(RequestGuard)
    app.add_exception_handler(TurngraphError, _answer_error)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.get("/", tags=["operations"])(about)
    app.get("/healthz", tags=["operations"])(healthz)
    app.get("/readyz", tags=["operations"])(readyz)
    app.get("/metrics", tags=["operations"])(metrics)
    app.include_router(models_list.router)
    app.include_router(chat_completions.router)
    app.include_router(responses.router)
    app.include_router(passthrough.router)
    studio = _mount_studio(app, config) if config.studio.enabled else None
    return app


async def about() -> dict[str, str]:
    """Says what answers here, to a person who has opened the address in a browser."""
    return {
        "message": "This is turngraph, a server for OpenAI's clients. Its API is at `/v1`: their "
        "`base_url` is this address with `/v1` at its end. `/openapi.json` describes it."
    }


def _mount_studio(app: FastAPI, config: ServerConfig) -> "Sessions":
    from turngraph.interfaces.server.studio.mount import studio_mount
    from turngraph.interfaces.server.studio.sessions import Sessions

    sessions = Sessions()
    app.mount("/studio", studio_mount(sessions, config.server.port))
    return sessions


async def healthz() -> dict[str, str]:
    """Says that the process answers."""
    return {"status": "ok"}


async def readyz(service: ServiceOf) -> dict[str, str]:
    """Says that the databases answer too. Raises ServerError (503) if they do not."""
    await service.check_ready()
    return {"status": "ready"}


async def metrics(service: ServiceOf, caller: CallerOf) -> Response:
    """What Prometheus reads. Raises ServerError (403) for a key without the scope `reports`."""
    if "reports" not in caller.scopes:
        raise ServerError(403, "This key may not read reports.")
    return service.metrics.page()


async def _reload(service: Service, reread: Callable[[], ServerConfig]) -> None:
    await service.reload(reread())


def _answer_error(request: Request, exc: Any) -> Response:
    return error_response(exc)


def _answer_http_error(request: Request, exc: Any) -> Response:
    path = f"{request.method} {request.url.path}"[:200]
    hint = _about_v1(request.url.path)
    messages = {404: f"There is nothing at `{path}`.{hint}", 405: f"`{path}` is not allowed."}
    message = messages.get(exc.status_code, str(exc.detail))
    return _answer_error(request, ServerError(exc.status_code, message, headers=exc.headers))


def _about_v1(path: str) -> str:
    """What a client should hear whose `base_url` ends wrongly, if that is why nothing was found."""
    if path.startswith("/v1/v1/"):
        return " The `base_url` has `/v1` twice: it must end in one."
    if path.startswith(_BELOW_V1):
        return " The API is at `/v1`: the `base_url` must end in it."
    return ""
