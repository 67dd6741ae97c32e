"""Goes on with the trace of a client: its W3C headers become the parent of the turn's spans."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from turngraph.interfaces.telemetry.opentelemetry import OpenTelemetry

__all__ = ["TraceContext"]


class TraceContext:
    """Runs each request in the trace that its headers name.

    An instrumentation of the web server that has begun a span of its own has read them already.
    """

    def __init__(self, app: ASGIApp, telemetry: OpenTelemetry) -> None:
        self._app, self._telemetry = app, telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with self._telemetry.continued(Headers(scope=scope)):
            await self._app(scope, receive, send)
