"""How long to wait before a failed request is sent again."""

from typing import Final

from turngraph.state.errors import ProviderError
from turngraph.state.turn_error import TurnError

__all__ = ["retry_delay_s"]

_FIRST_CEILING_S: Final = 0.5
_DOUBLINGS: Final = 4  # 0.5, 1, 2, 4, 8 seconds, and 8 from there on
_LONGEST_RETRY_AFTER_S: Final = 60.0


def retry_delay_s(error: ProviderError | TurnError, *, retries: int, jitter: float) -> float | None:
    """Returns the seconds to wait before the next attempt, or None if there should be none.

    If the vendor asked for a wait (`Retry-After`), that is the wait; a request to wait longer than
    60 seconds is not obeyed, and the caller gets the error instead. Otherwise the wait is `jitter`
    times a ceiling that doubles with every retry, from 0.5 up to 8 seconds ("full jitter",
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).

    Args:
        error: the error of the attempt that failed. None is returned if it is not `retryable`.
        retries: how many retries were made already; 0 after the first attempt.
        jitter: a random number from 0 to 1. The caller draws it, so this function stays pure.

    >>> error = ProviderError("Slow down.", kind="rate_limit")
    >>> [retry_delay_s(error, retries=n, jitter=1.0) for n in (0, 1, 9)]
    [0.5, 1.0, 8.0]
    >>> patient = ProviderError("Slow down.", kind="rate_limit", retry_after_s=3600)
    >>> retry_delay_s(patient, retries=0, jitter=1.0) is None
    True
    """
    if not error.retryable:
        return None
    # The vendor's own number is exact, so it gets no jitter: an earlier attempt would be refused.
    if error.retry_after_s is not None:
        return error.retry_after_s if error.retry_after_s <= _LONGEST_RETRY_AFTER_S else None
    ceiling_s = _FIRST_CEILING_S * 2.0 ** min(retries, _DOUBLINGS)
    # Without jitter, clients that failed together would all come back together.
    return jitter * ceiling_s
