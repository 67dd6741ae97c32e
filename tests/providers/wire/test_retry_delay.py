"""How long to wait before the next attempt: one rule, for turns and for the chat model."""

import pytest
from hypothesis import given, strategies as st

from turngraph.providers.wire.retry_delay import retry_delay_s
from turngraph.state.errors import ProviderError
from turngraph.state.turn_error import TurnError


@given(retries=st.integers(0, 10_000), jitter=st.floats(0, 1))
def test_the_delay_stays_under_a_ceiling_that_doubles(retries: int, jitter: float) -> None:
    """A long series of failures must neither overflow nor wait for minutes."""
    error = ProviderError("Busy.", kind="overloaded")
    delay_s = retry_delay_s(error, retries=retries, jitter=jitter)
    assert delay_s is not None
    assert 0 <= delay_s <= 8.0
    assert delay_s == jitter * [0.5, 1.0, 2.0, 4.0, 8.0][min(retries, 4)]


@pytest.mark.parametrize(
    ("retry_after_s", "delay_s"), [(0.0, 0.0), (1.5, 1.5), (60.0, 60.0), (60.1, None)]
)
def test_the_vendors_own_delay_is_used_up_to_a_minute(
    retry_after_s: float, delay_s: float | None
) -> None:
    """An earlier attempt would be refused again; a caller should not wait an hour in silence."""
    error = ProviderError("Slow down.", kind="rate_limit", retry_after_s=retry_after_s)
    assert retry_delay_s(error, retries=0, jitter=0.1) == delay_s


def test_an_error_as_data_has_the_same_delay() -> None:
    """A turn's stages see errors as part of the state, the chat model as exceptions."""
    error = ProviderError("Busy.", kind="overloaded")
    assert retry_delay_s(TurnError.of(error), retries=2, jitter=0.5) == 1.0
    assert retry_delay_s(error, retries=2, jitter=0.5) == 1.0


def test_what_cannot_help_is_not_tried_again() -> None:
    """A wrong request stays wrong."""
    error = ProviderError("No.", kind="bad_request", retry_after_s=1.0)
    assert retry_delay_s(error, retries=0, jitter=1.0) is None
