"""Reads the body of a request: JSON within limits of size, time and nesting."""

import asyncio
import re
from typing import Final

from starlette.requests import ClientDisconnect, Request

from turngraph.interfaces.server.errors import ServerError
from turngraph.state.json_types import JsonObject
from turngraph.state.strict_json import read_strictly

__all__ = ["check_kind", "json_object", "read_body", "read_json"]

BODY_SECONDS: Final = 60.0
"""How long a client may take to send its body."""
CONTAINERS: Final = 500_000
"""How many lists and objects a body may have. Millions take seconds to read; a long conversation
has some thousands. Counted are all opening brackets, also those in texts.
"""
_INTEGERS: Final = range(-(2**63), 2**64)
"""What a database or another program reads as an integer."""
_JSON: Final = re.compile(r"application/json|[\w!#$&^.+-]+/[\w!#$&^.+-]+\+json")
_CHARSET: Final = re.compile(r"charset\*?\s*=\s*[\"']?([^\";\s]*)")
_UTF_8: Final = ("utf-8", "utf8", "us-ascii")
_LARGE: Final = 100_000
"""Bytes from which a body is read in a thread, so that other requests go on meanwhile."""


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
    """Returns the body as a JSON object.

    Raises ServerError (415) for a body that says it is something else, and (400) for one that is.
    """
    check_kind(request)
    body = await read_body(request, limit)
    request.state.body_bytes = len(body)
    return await json_object(body)


def check_kind(request: Request) -> None:
    """Raises ServerError (415) for a request whose headers say that its body is not plain JSON.

    One that does not say what its body is may send JSON.
    """
    # A header may come twice, and of two values a vendor may go by the second one.
    for header in request.headers.getlist("content-type"):
        kind, _, more = header.lower().partition(";")
        kind = kind.strip()
        if kind and _JSON.fullmatch(kind) is None:
            raise _unsupported(
                f"The body is `{kind[:100]}`. Send JSON, with `Content-Type: application/json`."
            )
        for charset in _CHARSET.findall(more):
            if charset.strip("'") not in _UTF_8:
                raise _unsupported(f"The body is encoded in `{charset[:100]}`. Send JSON in UTF-8.")
    for header in request.headers.getlist("content-encoding"):
        coding = header.strip().lower()
        if coding != "identity":
            raise ServerError(
                415,
                f"The body is encoded with `{coding[:100]}`. Send it as it is.",
                code="unsupported_content_encoding",
            )


async def json_object(body: bytes) -> JsonObject:
    """Returns `body` as a JSON object that every program reads alike.

    Raises ServerError (400) for anything else: two members of one name, NaN, numbers and
    characters that cannot be stored, and too many or too deeply nested lists and objects.
    """
    if len(body) < _LARGE:
        return _parse(body)
    return await asyncio.to_thread(_parse, body)


def _parse(body: bytes) -> JsonObject:
    if body.count(b"[") + body.count(b"{") > CONTAINERS:
        raise _invalid(f"The body has too many lists and objects: at most {CONTAINERS:,}.")
    try:
        value = read_strictly(body.decode("utf-8-sig"), integers=_INTEGERS)
    except ValueError as exc:
        raise _invalid(f"The body is not JSON: {exc}.") from exc
    if not isinstance(value, dict):
        raise _invalid("The body must be a JSON object.")
    return value


def _unsupported(message: str) -> ServerError:
    return ServerError(415, message, code="unsupported_content_type")


def _invalid(message: str) -> ServerError:
    return ServerError(400, message, code="invalid_json")


def _too_large(limit: int) -> ServerError:
    return ServerError(
        413, f"The body is too large: at most {limit:,} bytes.", code="body_too_large"
    )
