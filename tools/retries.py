"""Trying a tool again: only after an error of the classes named for it, never after an answer or a
lapse of time.
"""

import time
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from turngraph.state.errors import TurnConfigurationError
from turngraph.tools.running import Outcome

__all__ = ["Attempts", "Retry"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a tool is tried, and after which errors. A call that ran out of time may have been
    done: that is over.

        >>> Retry(attempts=3, on=(ConnectionError,)).attempts
        3

    Raises TurnConfigurationError for what makes no sense.
    """

    attempts: int = 3
    """The first included."""
    on: tuple[type[Exception], ...] = (ConnectionError,)
    wait_s: float = 0.2
    """Before the second attempt; doubled before each further one."""

    def __post_init__(self) -> None:
        if (
            not 1 <= self.attempts <= 10
            or self.wait_s < 0
            or not all(issubclass(kind, Exception) for kind in self.on)
        ):
            raise TurnConfigurationError(
                "A Retry has 1 to 10 attempts, classes of Exception, and a wait of 0 or more."
            )


@dataclass(slots=True)
class Attempts(Generic[T]):
    """One call's attempts: how long the next may take, and whether there is a next."""

    retry: Retry | None
    timeout_s: float
    made: int = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def left_s(self) -> float:
        """Seconds left of the call's time, for all attempts together."""
        return max(0.001, self.timeout_s - (time.monotonic() - self.started))

    def pause_after(self, outcome: Outcome[T]) -> float | None:
        """Seconds to wait before the next attempt, or `None` where `outcome` stands."""
        self.made += 1
        if (
            self.retry is None
            or outcome.error is None
            or not isinstance(outcome.error, self.retry.on)
        ):
            return None
        pause = self.retry.wait_s * 2.0 ** (self.made - 1)
        return pause if self.made < self.retry.attempts and pause < self.left_s else None
