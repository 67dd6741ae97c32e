"""Everything that goes wrong, in the shape in which OpenAI's API reports errors.

Source: https://platform.openai.com/docs/guides/error-codes
"""

from collections.abc import Mapping
from math import ceil
from typing import Final

from turngraph.billing.errors import LedgerUnavailableError, TurnConflictError
from turngraph.state.errors import BudgetExceededError, TurngraphError, TurnValueError
from turngraph.state.json_types import JsonObject
from turngraph.state.result import TurnResult

__all__ = [
    "ServerError",
    "deleted_meanwhile",
    "error_of",
    "error_of_turn",
    "is_stop",
    "is_temporary",
    "server_stopping",
]

_TYPES: Final[Mapping[int, str]] = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}
"""What OpenAI's `error.type` is for a status; other 4xx are `invalid_request_error`."""


class ServerError(TurngraphError):
    """A request that is answered with an error.

    Args:
        status: the HTTP status, from 400.
        message: one or more sentences for a person: what was seen, what is allowed, what to do.
        type: OpenAI's `error.type`; by default the one that belongs to the status.
        code: OpenAI's `error.code`, a word that a program can compare.
        param: the member of the request that is wrong, as in `messages[2].content`.
        headers: headers of the answer, such as `Retry-After`.
        details: members that are added to the error, for programs that want to know more.

    >>> ServerError(404, "There is no model `x`.", code="model_not_found").body["error"]["type"]
    'not_found_error'
    """

    def __init__(
        self,
        status: int,
        message: str,
        type: str | None = None,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        details: JsonObject | None = None,
    ) -> None:
        super().__init__(message)
        fallback = "server_error" if status >= 500 else "invalid_request_error"
        self.status, self.message = status, message
        self.type = type if type is not None else _TYPES.get(status, fallback)
        self.code, self.param = code, param
        self.headers = dict(headers or {})
        self.details = dict(details or {})

    @property
    def body(self) -> JsonObject:
        """The JSON of the answer."""
        known = {
            "message": self.message,
            "type": self.type,
            "param": self.param,
            "code": self.code,
        }
        return {"error": {**self.details, **known}}


_STOPPING: Final = "server_stopping"
_OF_UPSTREAM: Final = frozenset({"authentication", "permission", "quota"})
"""Kinds of a vendor's errors that are the server's fault, not its client's: told as they are, a
client would take its own key for the wrong one.
"""
_FINAL_KINDS: Final = frozenset({"limit", "time_limit", "cost_limit", "budget", "configuration"})
"""Kinds of errors that the same request has again, though clients retry after its status."""


def error_of_turn(result: TurnResult, extras: JsonObject) -> ServerError:
    """Why a turn has no answer, with its true status: the vendor's, or the one of a limit.

    One that was cancelled has another client that is told: its own has left, or reads that the turn
    was deleted.
    """
    error = result.error
    if result.status == "cancelled":
        return deleted_meanwhile({"turngraph": extras})
    if error is None:
        return ServerError(502, f"The turn ended with the status `{result.status}`.")
    status, code = error.http_status, error.code or error.kind
    if error.kind in _OF_UPSTREAM:
        status, code = 502, f"upstream_{error.kind}"
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(ceil(error.retry_after_s))
    if error.kind in _FINAL_KINDS or (not error.retryable and status >= 500):
        # Read by OpenAI's clients, which would otherwise ask, and pay, again.
        headers["x-should-retry"] = "false"
    return ServerError(
        status,
        error.message,
        code=code,
        param=error.param,
        headers=headers,
        details={"turngraph": extras},
    )


def error_of(exc: Exception) -> ServerError:
    """Any exception of a request as what its client is told."""
    if isinstance(exc, ServerError):
        return exc
    if isinstance(exc, TurnValueError):
        return ServerError(400, str(exc), code="invalid_value")
    if isinstance(exc, TurnConflictError):
        if exc.retry_after_s is None:
            return ServerError(422, str(exc), code="idempotency_key_reused")
        wait = {"Retry-After": str(max(1, ceil(exc.retry_after_s)))}
        return ServerError(409, str(exc), code="turn_is_running", headers=wait)
    if isinstance(exc, BudgetExceededError):
        return _over_budget(exc)
    if isinstance(exc, LedgerUnavailableError):
        return ServerError(503, str(exc), code="store_unavailable", headers={"Retry-After": "5"})
    return ServerError(500, "The server has failed on this request. Its log says why.")


def is_temporary(error: ServerError) -> bool:
    """Whether the same request may pass later: it met a limit, or another run of its turn.

    >>> is_temporary(ServerError(503, "The server is at its limit.")), is_temporary(
    ...     ServerError(400, "`input` is a number; it must be text.")
    ... )
    (True, False)
    """
    return error.status in (409, 429, 503) and error.headers.get("x-should-retry") != "false"


def deleted_meanwhile(details: JsonObject | None = None) -> ServerError:
    """What is answered to a client that waits for a response which another request has deleted."""
    return ServerError(
        404,
        "Another request deleted what this one asked for, before it had ended.",
        type="invalid_request_error",
        code="deleted",
        details=details,
    )


def server_stopping() -> ServerError:
    """What is answered where the server ends a turn because it stops itself."""
    return ServerError(
        503,
        "The server was stopped before the turn had ended. Send the request again.",
        code=_STOPPING,
        headers={"Retry-After": "1"},
    )


def is_stop(error: ServerError) -> bool:
    """Whether it is `server_stopping`."""
    return error.code == _STOPPING


def _over_budget(exc: BudgetExceededError) -> ServerError:
    """Names the budget, its window and its amounts in USD; the same request is refused again."""
    amounts = {
        "limit": exc.limit,
        "spent": exc.spent,
        "held": exc.held,
        "needed": exc.needed,
    }
    texts = {name: None if usd is None else f"{usd:f}" for name, usd in amounts.items()}
    budget: JsonObject = {"name": exc.budget, "window": exc.window, **texts}
    headers = {"x-should-retry": "false"}
    details: JsonObject = {"budget": budget}
    return ServerError(402, str(exc), code="budget", headers=headers, details=details)
