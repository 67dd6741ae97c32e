"""Retries of a tool: only after the error classes that its `Retry` names, never after a timeout."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from turngraph.state.argument_kinds import SECONDS, Kind, check_kinds, shown
from turngraph.state.errors import TurnConfigurationError
from turngraph.tools.running import Outcome

__all__ = ["Retry", "RetryLoop"]

T = TypeVar("T")

MAX_ATTEMPTS = 10
"""More attempts hide a broken tool and keep the caller waiting."""


def _is_error_class(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Exception)


_KINDS: Final[Mapping[str, Kind]] = {
    "attempts": Kind(lambda value: type(value) is int, "a whole number"),
    "on": Kind(
        lambda value: isinstance(value, tuple) and all(map(_is_error_class, value)),
        "a tuple of classes of Exception: `on=(ConnectionError,)`",
    ),
    "wait_s": SECONDS,
}


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a tool is attempted, and after which errors.

    A call that timed out is never attempted again, because its work may have been done.

        >>> Retry(attempts=3, on=(ConnectionError,)).attempts
        3

    Raises TurnConfigurationError for a value that is not allowed.
    """

    attempts: int = 3
    """1 to 10, the first attempt included."""
    on: tuple[type[Exception], ...] = (ConnectionError,)
    """The error classes after which the tool is attempted again."""
    wait_s: float = 0.2
    """Seconds before the second attempt; doubled before each further one."""

    def __post_init__(self) -> None:
        check_kinds(_KINDS, {name: getattr(self, name) for name in _KINDS})
        if not 1 <= self.attempts <= MAX_ATTEMPTS:
            raise TurnConfigurationError(
                f"A Retry has 1 to {MAX_ATTEMPTS} attempts, not {shown(self.attempts)}."
            )


@dataclass(slots=True)
class RetryLoop(Generic[T]):
    """The attempts of one call: how much time the next one has, and whether there is a next one."""

    retry: Retry | None
    timeout_s: float
    attempts: int = 0
    started_at: float = field(default_factory=time.monotonic)

    @property
    def remaining_s(self) -> float:
        """Seconds that remain of the call's time, which all attempts share."""
        return max(0.001, self.timeout_s - (time.monotonic() - self.started_at))

    def pause_after(self, outcome: Outcome[T]) -> float | None:
        """Returns the seconds to wait before the next attempt, or None if `outcome` is final."""
        self.attempts += 1
        error = outcome.error
        if self.retry is None or error is None or not isinstance(error, self.retry.on):
            return None
        pause = self.retry.wait_s * 2.0 ** (self.attempts - 1)
        is_last = self.attempts >= self.retry.attempts
        # A pause that takes the rest of the time would only turn the tool's error into a timeout.
        return None if is_last or pause >= self.remaining_s else pause
