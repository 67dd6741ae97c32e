"""`POST /passthrough/{provider}/…`: a vendor's own requests, byte for byte."""

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from starlette.responses import Response

from turngraph.billing.pricing.worst_case import answer_caps, answer_count
from turngraph.interfaces.server.bodies import check_kind, json_object, read_body
from turngraph.interfaces.server.passthrough.kept_answers import KeptAnswer
from turngraph.interfaces.server.passthrough.metering import ForwardedRequest
from turngraph.interfaces.server.passthrough.request_checks import check_forwarded
from turngraph.interfaces.server.rate_limits.limiter import estimated_tokens
from turngraph.interfaces.server.service import CallerOf, ServiceOf, unless_gone
from turngraph.state.request import Api

__all__ = ["router"]

router: Final = APIRouter(tags=["passthrough"])
_REPLAYED: Final = "idempotent-replayed"
"""The header of an answer that was kept, as at Stripe: https://docs.stripe.com/api/idempotent_requests"""


@router.post("/passthrough/{provider}/{path:path}", response_class=Response)
async def passthrough(
    provider: str, path: str, request: Request, service: ServiceOf, caller: CallerOf
) -> Response:
    """Forwards a request to a vendor with the account's key in the place of this server's.

    The body and the answer are not changed. The most that the request can cost is held before it
    leaves, and what its answer used is charged. With an `Idempotency-Key` a repeated request gets
    the same answer, and is neither sent nor charged again.
    """
    gateway = service.passthrough
    vendor = gateway.vendor(provider, caller)
    given = await _request_in(request, vendor.api_of(path), service.config.server.body_bytes)
    caps = answer_caps(given.api, given.body)
    longest, answers = max(caps, default=None), answer_count(given.body)
    tokens = estimated_tokens(len(given.content), longest, answers)
    admitted = await service.limiter.admit(caller, tokens=tokens)
    answer = None
    try:
        answer = await gateway.forward(vendor, given, caller, admitted, request.headers)
    finally:
        if answer is None:
            await service.limiter.settle(admitted, tokens=0)
    if isinstance(answer, KeptAnswer):
        headers = {**admitted.headers, **answer.headers, _REPLAYED: "true"}
        return Response(answer.content, answer.status, headers)
    head = await unless_gone(request, answer.head())
    return StreamingResponse(answer.body(), head.status, {**admitted.headers, **head.headers})


async def _request_in(request: Request, api: Api, limit: int) -> ForwardedRequest:
    """Returns the client's request. Raises ServerError (400, 415) where it cannot be forwarded."""
    # A vendor that went by other headers would read something else than what is metered.
    check_kind(request)
    content = await read_body(request, limit)
    body = await json_object(content)
    check_forwarded(body)
    return ForwardedRequest(api, body, content)
