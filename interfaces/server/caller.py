"""Who sent a request, and what they may do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = ["Caller", "Callers", "Scope"]

Scope = Literal["models", "tools", "passthrough", "reports", "studio", "studio:write"]
"""What a key is good for. `models`: ask the models served. `tools`: offer tools of one's own.
`passthrough`: send a vendor's own requests. `reports`: read spending. `studio`: look at
stored threads and spending in the studio, which changes nothing. `studio:write`: also run, step and
edit turns there, on the key's own account.
"""


@dataclass(frozen=True)
class Caller:
    """Who sent a request. It is made from a key and holds no secret."""

    account: str
    """The account that pays. Nobody else sees its threads and results."""

    key_id: str | None
    """The id that `turngraph keys list` shows; None where the server asks for no key."""

    scopes: frozenset[Scope]

    models: frozenset[str] | None = None
    """The names of the models that may be asked; None means all that are served."""


class Callers(Protocol):
    """Knows the callers by the keys that they send."""

    async def identify(self, headers: Mapping[str, str]) -> Caller:
        """Returns who sent a request with these headers (names in lower case).

        Raises ServerError (401) if there is no key, or it is unknown, expired or revoked.
        """
        ...
