"""Reads the body of an HTTP error, but no more of it, and no longer, than is useful."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

__all__ = ["HttpStatusError", "error_body_hooks"]


class HttpStatusError(Exception):
    """A vendor answered with status 300 or higher.

    Attributes: `status`, `headers`, and `body`, which may be cut at the limit it was read to.
    """

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body
        super().__init__(f"status {status}")


def error_body_hooks(
    limit_bytes: int, limit_s: float
) -> tuple[Callable[[Any], None], Callable[[Any], Awaitable[None]]]:
    """Returns two response hooks, sync and async, that raise HttpStatusError for an error status.

    They read at most `limit_bytes` of the body, for at most `limit_s` seconds. Without them the SDK
    reads an error's body to its end, however large it is and however slowly it comes.
    """

    def hook(response: Any) -> None:
        if response.status_code >= 300:
            body = _LimitedBody(limit_bytes, limit_s)
            for piece in response.iter_bytes():
                if body.add(piece):
                    break
            raise body.error_of(response)

    async def async_hook(response: Any) -> None:
        if response.status_code >= 300:
            body = _LimitedBody(limit_bytes, limit_s)
            async for piece in response.aiter_bytes():
                if body.add(piece):
                    break
            raise body.error_of(response)

    return hook, async_hook


class _LimitedBody:
    def __init__(self, limit_bytes: int, limit_s: float) -> None:
        self._limit_bytes, self._deadline = limit_bytes, time.monotonic() + limit_s
        self._body = bytearray()

    def add(self, piece: bytes) -> bool:
        """Add `piece`; returns whether a limit is reached, so that reading should stop."""
        self._body += piece
        return len(self._body) > self._limit_bytes or time.monotonic() > self._deadline

    def error_of(self, response: Any) -> HttpStatusError:
        body = bytes(self._body[: self._limit_bytes])
        return HttpStatusError(response.status_code, dict(response.headers), body)
