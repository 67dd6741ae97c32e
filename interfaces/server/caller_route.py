"""Routes that cost little: for the endpoints that nearly all requests are for."""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from turngraph.interfaces.server.middleware import error_response
from turngraph.interfaces.server.service import identify, service_of
from turngraph.state.errors import TurngraphError

__all__ = ["CallerRoute", "DirectRoutes"]


class CallerRoute(APIRoute):
    """Calls `endpoint(request, caller, service)`, whose Response is the answer.

    FastAPI would look at the endpoint's dependencies anew for each request, and keep two stacks for
    what they leave open.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request. See https://fastapi.tiangolo.com/how-to/custom-request-and-route/"""
        return self.answer

    async def answer(self, request: Request) -> Response:
        """Answers a request. Raises what the endpoint raises."""
        service = await service_of(request)
        caller = await identify(request, service)
        response: Response = await self.endpoint(request, caller, service)
        return response


class DirectRoutes:
    """Finds some routes by their whole path. The application's router, which tries one route after
    another, and its layers around each answer are for all other requests.

    Args:
        app: the application.
        routes: the routes. They have no parameters in their paths.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[Any]) -> None:
        self._app = app
        self._routes = {
            (method, route.path): route
            for route in routes
            if isinstance(route, CallerRoute)
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        route = self._routes.get((scope.get("method", ""), scope.get("path", "")))
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        request = Request(scope, receive, send)
        try:
            response = await route.answer(request)
        except TurngraphError as exc:
            response = error_response(exc)
        await response(scope, receive, send)
