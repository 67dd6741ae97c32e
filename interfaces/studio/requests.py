"""Reads what the page sends, and answers in JSON; what is refused is refused in one sentence."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from turngraph.interfaces.plain_text import printable
from turngraph.interfaces.studio.security import MAX_BODY_BYTES
from turngraph.state.errors import TurngraphError
from turngraph.state.json_types import JsonObject

__all__ = ["Endpoint", "json_body", "refusing"]

Endpoint = Callable[[Request], Awaitable[Response]]


async def json_body(request: Request) -> JsonObject:
    """Returns the JSON object that was sent.

    Raises HTTPException (413, 415 or 400) for a body that is too long, no JSON, or no object.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(415, "The studio takes JSON: `Content-Type: application/json`.")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(
                413,
                f"That is more than {MAX_BODY_BYTES // 1_000_000} MB, the most that the studio "
                "takes. A program may give a graph any input: `TurnStepper(graph, input)`.",
            )
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise HTTPException(400, f"That is not valid JSON: {exc}.") from exc
    if not isinstance(value, dict):
        raise HTTPException(400, "That is JSON, but no object.")
    return value


def refusing(endpoint: Endpoint) -> Endpoint:
    """Returns `endpoint` with every refusal as `{"error": "a sentence"}`."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except HTTPException as exc:
            return JSONResponse({"error": printable(str(exc.detail))}, exc.status_code)
        except (TurngraphError, LookupError, ValueError) as exc:
            return JSONResponse({"error": printable(str(exc))}, 400)
        except Exception as exc:  # noqa: BLE001  the user's graph may raise anything
            return JSONResponse({"error": printable(f"{type(exc).__name__}: {exc}")}, 400)

    return answer
