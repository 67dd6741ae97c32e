"""When a failed attempt at a call to the model is made again, and how long to wait before."""

from typing import Final

from turngraph.nodes.support.dependencies import TurnDependencies
from turngraph.state.result import Attempt

__all__ = ["wait_before_retry"]

_LONGEST_WAIT_S: Final = 60.0
"""If a vendor asks for a longer wait, the turn ends and the caller is told, instead of waiting."""
_FIRST_CEILING_S: Final = 0.5
_HIGHEST_CEILING_S: Final = 8.0


def wait_before_retry(
    attempt: Attempt, number: int, allowed: int, ends_at: float | None, deps: TurnDependencies
) -> float | None:
    """Returns the seconds until the next attempt, or None if there is none.

    `number` is the number of `attempt`, from 1, and `allowed` how many there may be. `ends_at` is
    when the turn must be over, in seconds since the epoch.
    """
    error = attempt.error
    if error is None or not error.retryable or number >= allowed:
        return None
    # A part of the answer may have been shown to someone. Another attempt would begin it again.
    if attempt.reply is not None:
        return None
    if error.retry_after_s is None:
        # Full jitter under an exponential ceiling:
        # https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
        ceiling_s = min(_HIGHEST_CEILING_S, _FIRST_CEILING_S * 2.0 ** (number - 1))
        wait_s = ceiling_s * deps.chance()
    elif error.retry_after_s <= _LONGEST_WAIT_S:
        wait_s = error.retry_after_s
    else:
        return None
    if ends_at is not None and deps.clock() + wait_s >= ends_at:
        return None
    return wait_s
