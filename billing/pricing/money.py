"""Money: `Decimal` US dollars outside, whole nano-dollars inside. Nothing here is ever a float.

A nano-dollar (10^-9 USD) is the price of one token at 0.001 USD per million tokens, so no list
price is lost.
"""

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from turngraph.state.errors import TurnValueError

__all__ = ["MAX_NANO", "NANO", "from_nano", "rounded", "to_nano"]

NANO: Final = Decimal("1e-9")
"""One nano-dollar, in USD."""

MAX_NANO: Final = 2**62
"""The largest amount kept, about 4.6 thousand million USD: two of them still add up inside a 64-bit
column.
"""


def to_nano(usd: Decimal) -> int:
    """`usd` in whole nano-dollars, halves away from zero. Raises `TurnValueError` for what is no
    such amount.

    >>> to_nano(Decimal("0.0000000375")), to_nano(Decimal("-1"))
    (38, -1000000000)
    """
    if not usd.is_finite() or abs(usd) > MAX_NANO * NANO:
        raise TurnValueError(
            f"{usd} USD is no amount that can be kept; allowed is up to {MAX_NANO * NANO:f}."
        )
    return int((usd / NANO).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def from_nano(nano: int) -> Decimal:
    """`nano` nano-dollars in USD.

    >>> from_nano(13_500_000)
    Decimal('0.0135')
    >>> from_nano(0), from_nano(20_000_000_000)
    (Decimal('0'), Decimal('20'))
    """
    usd = Decimal(nano).scaleb(-9).normalize()
    # `normalize` writes 20 as 2E+1; money is read by people.
    return usd if usd.as_tuple().exponent <= 0 else usd.quantize(Decimal(1))  # type: ignore[operator]


def rounded(usd: Decimal) -> Decimal:
    """`usd` to the nano-dollar, rounded once, so that the state and the ledger say the same amount.

    >>> rounded(Decimal("0.00000000149"))
    Decimal('1E-9')
    """
    return from_nano(to_nano(usd))
