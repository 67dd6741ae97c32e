"""A request as a client sent it, kept so that tests can look at it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ReceivedRequest"]


@dataclass(frozen=True)
class ReceivedRequest:
    """One request as it arrived. Its `repr` shows neither headers, which may hold a key, nor body.

    >>> headers = {"authorization": "Bearer x"}
    >>> request = ReceivedRequest("POST", "/v1/responses", headers, b'{"model": "m"}')
    >>> request, request.body["model"]
    (ReceivedRequest(method='POST', path='/v1/responses'), 'm')
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    """Header names are in lower case."""
    content: bytes = field(repr=False)
    """The bytes of the HTTP body."""

    @property
    def body(self) -> Any:
        """The JSON that was sent. Raises ValueError where the body is not JSON."""
        # Parsed at each access: thousands of parsed requests would slow the garbage collector.
        return json.loads(self.content)
