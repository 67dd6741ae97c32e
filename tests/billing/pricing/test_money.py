"""Money keeps its last digit: Decimal outside, whole nano-dollars inside, rounded once."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turngraph.billing.pricing.money import MAX_NANO, from_nano, rounded, to_nano
from turngraph.state.errors import TurnValueError


@given(st.integers(-MAX_NANO, MAX_NANO))
def test_what_is_stored_comes_back(nano: int) -> None:
    """A ledger that loses a digit drifts."""
    assert to_nano(from_nano(nano)) == nano


@pytest.mark.parametrize(
    ("usd", "nano"), [("0.0000000005", 1), ("0.0000000004", 0), ("-0.0000000005", -1), ("1", 10**9)]
)
def test_halves_are_rounded_away_from_zero(usd: str, nano: int) -> None:
    """One rule, so that two computations of the same charge agree."""
    assert to_nano(Decimal(usd)) == nano


@pytest.mark.parametrize("usd", ["NaN", "Infinity", "-Infinity", "1e30", "-1e30"])
def test_what_no_column_can_hold_is_refused(usd: str) -> None:
    """An overflowing amount would wrap or end the transaction somewhere less clear."""
    with pytest.raises(TurnValueError, match="cannot be stored"):
        to_nano(Decimal(usd))


def test_amounts_are_written_for_people() -> None:
    """`2E+1` is twenty, but nobody reads it so."""
    assert str(rounded(Decimal("20.00"))) == "20"
