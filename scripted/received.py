"""What a client really sent: kept for tests to look at."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ReceivedRequest"]


@dataclass(frozen=True)
class ReceivedRequest:
    """One request as it arrived. Headers, which may hold a key, and the body stay out of its
    `repr`.

    >>> request = ReceivedRequest("POST", "/v1/responses", {"authorization": "Bearer x"}, b'{"model": "m"}')
    >>> request, request.body["model"]
    (ReceivedRequest(method='POST', path='/v1/responses'), 'm')
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""
    content: bytes = field(repr=False)

    @property
    def body(self) -> Any:
        """The JSON sent, read anew at each look (kept parsed, thousands of requests would slow down
        the collector).
        """
        return json.loads(self.content)
