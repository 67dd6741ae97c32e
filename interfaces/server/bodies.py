"""Reads the body of a request: JSON within limits of size, time and nesting."""

import asyncio
import json
import math
import re
from collections import Counter
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request

from turngraph.interfaces.server.errors import ServerError
from turngraph.state.json_types import JsonObject

__all__ = ["json_object", "read_body", "read_json"]

BODY_SECONDS: Final = 60.0
"""How long a client may take to send its body."""
NESTING: Final = 64
"""How deep lists and objects may stand in each other. Schemas of tools have about ten levels."""
CONTAINERS: Final = 500_000
"""How many lists and objects a body may have. Millions take seconds to read; a long conversation
has some thousands. Counted are all opening brackets, also those in texts.
"""
_INTEGERS: Final = range(-(2**63), 2**64)
"""What a database or another program reads as an integer."""
_LARGE: Final = 100_000
"""Bytes from which a body is read in a thread, so that other requests go on meanwhile."""
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


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
    return await json_object(body)


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
        text = body.decode("utf-8-sig")
        value: Any = json.loads(
            text,
            object_pairs_hook=_members,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_int,
        )
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise _too_deep() from None
    except UnicodeEncodeError:
        raise _invalid("The body is not JSON: half of a surrogate pair is no character.") from None
    except ValueError as exc:
        raise _invalid(f"The body is not JSON: {exc}.") from exc
    if not isinstance(value, dict):
        raise _invalid("The body must be a JSON object.")
    _check_nesting(value)
    return value


def _members(pairs: list[tuple[str, Any]]) -> JsonObject:
    members = dict(pairs)
    if len(members) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise _invalid(f"The body has the member `{twice[:100]}` twice in one object.")
    return members


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:30]} is too large a number")
    return number


def _int(text: str) -> int:
    if len(text) > 20 or (number := int(text)) not in _INTEGERS:
        raise ValueError(f"{text[:30]} is too large a number")
    return number


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
    return _invalid(
        f"The body is nested too deeply: at most {NESTING} levels of lists and objects."
    )


def _invalid(message: str) -> ServerError:
    return ServerError(400, message, code="invalid_json")


def _too_large(limit: int) -> ServerError:
    return ServerError(
        413, f"The body is too large: at most {limit:,} bytes.", code="body_too_large"
    )
