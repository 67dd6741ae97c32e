"""Follows the events of a walk: which calls to a model wait before they are sent again, and why."""

import time
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from turngraph.interfaces.plain_text import one_line
from turngraph.state.events import AnyEvent, RequestSent, ResponseFailed

__all__ = ["RetryPause", "RetryPauses", "TellPauses"]

_MESSAGE_WIDTH: Final = 300


class RetryPause(NamedTuple):
    """A call to the model that waits before it is sent again."""

    seconds: float
    """How long the whole pause is."""
    why: str
    """The error of the attempt before it."""
    ends_at: float
    """When it ends, on the clock of `time.monotonic`."""

    @property
    def seconds_left(self) -> float:
        """How long it still is."""
        return max(0.0, self.ends_at - time.monotonic())

    def __str__(self) -> str:
        """One sentence.

        >>> print(RetryPause(3.0, "openai answered 503 (server)", 0.0))
        waiting: the model is asked again in 3 s, because openai answered 503 (server)
        """
        seconds = f"{self.seconds:.0f}" if self.seconds >= 1 else f"{self.seconds:.1f}"
        return f"waiting: the model is asked again in {seconds} s, because {self.why}"


TellPauses: TypeAlias = Callable[[tuple[RetryPause, ...]], object]


class RetryPauses:
    """Knows the pauses that are under way. Several turns in parallel may have one each.

    Args:
        tell: is given all pauses after each change, on the thread that runs the walk.
    """

    def __init__(self, tell: TellPauses) -> None:
        self._tell = tell
        self._by_turn: dict[str, RetryPause] = {}

    def __call__(self, event: AnyEvent) -> None:
        """Takes the next event."""
        if isinstance(event, ResponseFailed) and event.retry_in_s is not None:
            why = one_line(event.error.message, _MESSAGE_WIDTH)
            ends_at = time.monotonic() + event.retry_in_s
            self._by_turn[event.turn_id] = RetryPause(event.retry_in_s, why, ends_at)
        elif not isinstance(event, RequestSent) or event.turn_id not in self._by_turn:
            return
        else:
            del self._by_turn[event.turn_id]
        self._tell(tuple(self._by_turn.values()))

    def tell_again(self) -> None:
        """Tells the pauses as they are: what is told with them has changed."""
        self._tell(tuple(self._by_turn.values()))

    def end(self) -> None:
        """Forgets the pauses: the move was stopped, or is over."""
        if self._by_turn:
            self._by_turn.clear()
            self._tell(())
