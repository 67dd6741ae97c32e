"""Reads the body of a request: JSON within limits of size, time and nesting."""

import asyncio
import json
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request

from turngraph.interfaces.server.errors import ServerError
from turngraph.state.json_types import JsonObject

__all__ = ["read_body", "read_json"]

BODY_SECONDS: Final = 60.0
"""How long a client may take to send its body."""
NESTING: Final = 64
"""How deep lists and objects may stand in each other. Schemas of tools have about ten levels."""


async def read_body(request: Request, limit: int) -> bytes:
    """Returns the body. Raises ServerError (413) above `limit` bytes, (408) for one that stalls."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    raise _too_large(limit)
                parts.append(part)
    except TimeoutError as exc:
        raise ServerError(
            408, f"The body did not arrive within {BODY_SECONDS:.0f} seconds."
        ) from exc
    except ClientDisconnect as exc:
        raise ServerError(499, "The client left before its body had arrived.") from exc
    return b"".join(parts)


async def read_json(request: Request, limit: int) -> JsonObject:
    """Returns the body as a JSON object. Raises ServerError (400) for anything else."""
    body = await read_body(request, limit)
    request.state.body_bytes = len(body)
    try:
        value: Any = json.loads(body)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as exc:
        raise ServerError(400, f"The body is not JSON: {exc}.", code="invalid_json") from exc
    if not isinstance(value, dict):
        raise ServerError(400, "The body must be a JSON object.", code="invalid_json")
    _check_nesting(value)
    return value


def _check_nesting(value: JsonObject) -> None:
    level: list[Any] = [value]
    for _ in range(NESTING):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> ServerError:
    return ServerError(
        400,
        f"The body is nested too deeply: at most {NESTING} levels of lists and objects.",
        code="invalid_json",
    )


def _too_large(limit: int) -> ServerError:
    return ServerError(
        413, f"The body is too large: at most {limit:,} bytes.", code="body_too_large"
    )
