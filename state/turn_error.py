"""Why a turn has no answer, as data that a checkpoint can hold."""

from collections.abc import Mapping
from typing import Final, Literal

from turngraph.state.base import Frozen
from turngraph.state.errors import ERROR_KINDS, ErrorKind, ProviderError

__all__ = ["OwnErrorKind", "TurnError", "TurnErrorKind"]

OwnErrorKind = Literal[
    "limit",  # `TurnLimits.calls`, `tool_calls` or `tokens`
    "time_limit",  # `TurnLimits.seconds`
    "cost_limit",  # `TurnLimits.usd`
    "budget",  # a ledger's budget
    "cancelled",
    "configuration",
    "unserved_call",  # the model waits for a call that a turn does not serve
    "invalid_answer",  # the answer does not fit its `response_format`
    "value",  # something that cannot be sent
]
"""What ends a turn without any vendor's doing."""

TurnErrorKind = ErrorKind | OwnErrorKind
"""What went wrong: with a request (`ErrorKind`), or in the turn itself."""

_OWN_STATUS: Final[Mapping[str, int]] = {
    "limit": 422,
    "time_limit": 408,
    "cost_limit": 402,
    "budget": 402,
    "cancelled": 499,  # nginx's status for "client closed request"
    "configuration": 500,
    "invalid_answer": 502,
    "unserved_call": 501,
    "value": 400,
}


class TurnError(Frozen):
    """Why a turn has no answer: the vendor's error, or the limit that was reached.

    >>> TurnError(kind="cancelled", message="The caller cancelled the turn.").http_status
    499
    """

    kind: TurnErrorKind
    message: str
    """One or more sentences for a person."""
    status: int | None = None
    """The HTTP status of the vendor's answer."""
    code: str | None = None
    """The vendor's own error code."""
    param: str | None = None
    """The part of the request that the vendor names."""
    request_id: str | None = None
    """The vendor's id of the request, for support tickets."""
    retry_after_s: float | None = None
    """Seconds that the vendor asked to wait."""
    retryable: bool = False
    """Whether the same request may succeed later."""

    @classmethod
    def of(cls, error: ProviderError) -> "TurnError":
        """Returns the data of `error`.

        >>> error = ProviderError("Slow down.", kind="rate_limit", status=429, vendor="openai")
        >>> TurnError.of(error).message
        'openai answered 429 (rate_limit): Slow down.'
        """
        return cls(
            kind=error.kind,
            message=str(error),
            status=error.status,
            code=error.code,
            param=error.param,
            request_id=error.request_id,
            retry_after_s=error.retry_after_s,
            retryable=error.retryable,
        )

    @property
    def http_status(self) -> int:
        """The HTTP status to answer a caller with, never 200.

        It is the vendor's own status if that is an error, else the one that stands for `kind`.

        >>> TurnError(kind="rate_limit", message="slow down", status=429).http_status
        429
        >>> TurnError(kind="time_limit", message="over 30 s").http_status
        408
        """
        if self.status is not None and self.status >= 400:
            return self.status
        own = _OWN_STATUS.get(self.kind)
        return ERROR_KINDS[self.kind].status if own is None else own  # type: ignore[index]
