"""What reading a damaged file makes go wrong, as one named error."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from turngraph.state.errors import TurngraphError, TurnValueError

__all__ = ["damage_named"]

_DAMAGE: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What a member that is missing, or of another type, may raise. Of infinite numbers and wrong
decimals that is an ArithmeticError.
"""


@contextmanager
def damage_named(problem: str, remedy: str) -> Iterator[None]:
    """Raises TurnValueError for what goes wrong meanwhile: the problem, its kind and what to do.

    >>> with damage_named("`a.json` is no run", "Save one."):
    ...     int(float("inf"))
    Traceback (most recent call last):
    turngraph.state.errors.TurnValueError: `a.json` is no run (OverflowError): Save one.
    """
    try:
        yield
    except TurngraphError:
        raise
    except _DAMAGE as exc:
        raise TurnValueError(f"{problem} ({type(exc).__name__}): {remedy}") from exc
