"""Money: `Decimal` US dollars in the API, whole nano-dollars in the database, never a float.

A nano-dollar (10^-9 USD) is the price of one token at 0.001 USD per million tokens, so every list
price can be stored.
"""

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from turngraph.state.errors import TurnValueError

__all__ = ["MAX_NANO", "NANO", "from_nano", "rounded", "to_nano"]

NANO: Final = Decimal("1e-9")
"""One nano-dollar, in USD."""

MAX_NANO: Final = 2**62
"""The largest amount that is stored, about 4.6 billion USD: the sum of two fits a 64-bit column."""


def to_nano(usd: Decimal) -> int:
    """Returns `usd` in whole nano-dollars; halves are rounded away from zero.

    Raises `TurnValueError` for an amount that is too large, or not a finite number.

    >>> to_nano(Decimal("0.0000000375")), to_nano(Decimal("-1"))
    (38, -1000000000)
    """
    if not usd.is_finite() or abs(usd) > MAX_NANO * NANO:
        raise TurnValueError(
            f"{usd} USD cannot be stored; the largest amount is {MAX_NANO * NANO:f} USD."
        )
    return int((usd / NANO).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def from_nano(nano: int) -> Decimal:
    """Returns `nano` nano-dollars in USD.

    >>> from_nano(13_500_000)
    Decimal('0.0135')
    >>> from_nano(0), from_nano(20_000_000_000)
    (Decimal('0'), Decimal('20'))
    """
    usd = Decimal(nano).scaleb(-9).normalize()
    # `normalize` turns 20 into 2E+1, which people do not read as money.
    return usd if usd.as_tuple().exponent <= 0 else usd.quantize(Decimal(1))  # type: ignore[operator]


def rounded(usd: Decimal) -> Decimal:
    """Returns `usd` rounded to the nano-dollar, so that state and ledger have the same amount.

    >>> rounded(Decimal("0.00000000149"))
    Decimal('1E-9')
    """
    return from_nano(to_nano(usd))
