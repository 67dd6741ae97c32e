"""When a failed attempt is made again, and how long to wait before."""

from typing import Any

import pytest

from tests.nodes.stages import NOW, attempt, context_for, reply
from turngraph.nodes.support.retries import wait_before_retry
from turngraph.state.turn_error import TurnError

DEPS = context_for(chance=lambda: 0.5).deps


def failed(**fields: Any) -> Any:
    error = TurnError(**{"kind": "overloaded", "message": "", "retryable": True, **fields})
    return attempt(reply=None, error=error)


def wait(
    made: Any, number: int = 1, allowed: int = 9, ends_at: float | None = None
) -> float | None:
    return wait_before_retry(made, number, allowed, ends_at, DEPS)


def test_an_answer_is_not_asked_for_again() -> None:
    """Nor is an attempt whose error will not pass."""
    assert wait(attempt()) is None
    assert wait(failed(retryable=False)) is None


def test_a_part_of_an_answer_was_shown_to_someone() -> None:
    """Another attempt would show its beginning twice."""
    error = TurnError(kind="connection", message="", retryable=True)
    assert wait(attempt(reply=reply(truncated=True), error=error)) is None


def test_the_last_attempt_is_the_last() -> None:
    """`allowed` counts the first one too."""
    assert wait(failed(), number=3, allowed=3) is None
    assert wait(failed(), number=2, allowed=3) is not None


def test_waits_grow_up_to_a_ceiling() -> None:
    """Half of the ceiling, as the chance here is one half."""
    assert [wait(failed(), number) for number in range(1, 8)] == [0.25, 0.5, 1, 2, 4, 4, 4]


@pytest.mark.parametrize(
    ("asked_s", "wait_s"), [(0.0, 0.0), (7.0, 7.0), (60.0, 60.0), (61.0, None)]
)
def test_a_vendor_that_names_a_time_is_waited_for_a_minute_at_most(
    asked_s: float, wait_s: float | None
) -> None:
    """After that the caller is told, instead of waiting."""
    assert wait(failed(retry_after_s=asked_s)) == wait_s


def test_nobody_waits_beyond_the_end_of_the_turn() -> None:
    """The attempt after it could not be made."""
    assert wait(failed(retry_after_s=5.0), ends_at=NOW + 5.0) is None
    assert wait(failed(retry_after_s=5.0), ends_at=NOW + 5.1) == 5.0
