"""Provider errors as LangChain's errors, so that its agents and middleware react to them."""

from collections.abc import Mapping
from typing import Final

from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    ModelTimeoutError,
)

from turngraph.state.errors import ErrorKind, ProviderError

__all__ = ["as_model_error"]

_MODEL_ERRORS: Final[Mapping[ErrorKind, type[ModelError]]] = {
    "connection": ModelConnectionError,
    "timeout": ModelTimeoutError,
    "authentication": ModelAuthenticationError,
    "permission": ModelPermissionDeniedError,
    "not_found": ModelNotFoundError,
    "bad_request": ModelInvalidRequestError,
    "context_length": ContextOverflowError,
    "content_filter": ModelInvalidRequestError,
    "conflict": ModelAPIError,
    "too_large": ModelInvalidRequestError,
    "rate_limit": ModelRateLimitError,
    "quota": ModelRateLimitError,
    "server": ModelAPIError,
    "overloaded": ModelAPIError,
    "truncated": ModelAPIError,
    "protocol": ModelAPIError,
}
"""LangChain's class for each kind of error:
https://reference.langchain.com/python/langchain_core/exceptions
"""


def as_model_error(error: ProviderError) -> ProviderError:
    """Returns `error` as an instance of both its own class and LangChain's `ModelError`.

    All its attributes stay, and `is_retryable`, which LangChain's middleware reads, is added.

    >>> error = ProviderError("Slow down.", kind="rate_limit", status=429, vendor="openai")
    >>> error = as_model_error(error)
    >>> isinstance(error, ModelRateLimitError), str(error)
    (True, 'openai answered 429 (rate_limit): Slow down.')
    """
    both = type(
        type(error).__name__, (type(error), _MODEL_ERRORS[error.kind]), {"__module__": __name__}
    )
    # The constructors of the two bases take different arguments, so neither is run.
    model_error: ProviderError = both.__new__(both, *error.args)
    model_error.__dict__.update(error.__dict__, is_retryable=error.retryable)
    return model_error
