"""Everything that goes wrong, in the shape in which OpenAI's API reports errors.

Source: https://platform.openai.com/docs/guides/error-codes
"""

from collections.abc import Mapping
from typing import Final

from turngraph.state.errors import TurngraphError
from turngraph.state.json_types import JsonObject

__all__ = ["ServerError"]

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
