"""A route that costs little: for the endpoints that nearly all requests are for."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from turngraph.interfaces.server.service import identify, service_of

__all__ = ["CallerRoute"]


class CallerRoute(APIRoute):
    """Calls `endpoint(request, caller, service)`, whose Response is the answer.

    FastAPI would look at the endpoint's dependencies anew for each request, and keep two stacks for
    what they leave open.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request. See https://fastapi.tiangolo.com/how-to/custom-request-and-route/"""
        endpoint = self.endpoint

        async def answer(request: Request) -> Response:
            service = await service_of(request)
            caller = await identify(request, service)
            response: Response = await endpoint(request, caller, service)
            return response

        return answer
