"""The errors of a provider as LangChain knows them, so that its agents and middleware act on them."""

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

_LANGCHAIN: Final[Mapping[ErrorKind, type[ModelError]]] = {
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
"""https://reference.langchain.com/python/langchain_core/exceptions"""


def as_model_error(error: ProviderError) -> ProviderError:
    """`error` as one that is LangChain's `ModelError` too, with everything it carries.

    >>> error = as_model_error(ProviderError("Slow down.", kind="rate_limit", status=429, vendor="openai"))
    >>> isinstance(error, ModelRateLimitError), error.retry_after_s, str(error)
    (True, None, 'openai answered 429 (rate_limit): Slow down.')
    """
    both = type(
        type(error).__name__, (type(error), _LANGCHAIN[error.kind]), {"__module__": __name__}
    )
    made: ProviderError = both.__new__(both, *error.args)
    made.__dict__.update(error.__dict__, is_retryable=error.retryable)
    return made
