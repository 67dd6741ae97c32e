"""When a failed attempt at a call to the model is made again, and how long to wait before."""

from turngraph.nodes.support.dependencies import TurnDependencies
from turngraph.providers.wire.retry_delay import retry_delay_s
from turngraph.state.result import Attempt

__all__ = ["wait_before_retry"]


def wait_before_retry(
    attempt: Attempt, number: int, allowed: int, ends_at: float | None, deps: TurnDependencies
) -> float | None:
    """Returns the seconds until the next attempt, or None if there is none.

    `number` is the number of `attempt`, from 1, and `allowed` how many there may be. `ends_at` is
    when the turn must be over, in seconds since the epoch.
    """
    # A part of the answer may have been shown to someone. Another attempt would begin it again.
    if attempt.error is None or attempt.reply is not None or number >= allowed:
        return None
    wait_s = retry_delay_s(attempt.error, retries=number - 1, jitter=deps.chance())
    if wait_s is None or ends_at is None:
        return wait_s
    return None if deps.clock() + wait_s >= ends_at else wait_s
