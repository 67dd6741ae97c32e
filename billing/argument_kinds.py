"""Which kinds of values a ledger's methods take: one row for each argument that needs a check.

Without it a slip would show as an error of Python's or of the database's driver.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final, get_args

from turngraph.billing.budget import Budget
from turngraph.billing.errors import LedgerError
from turngraph.billing.operations.results import Policy
from turngraph.state.argument_kinds import (
    SECONDS,
    Kind,
    check_kinds,
    has_method,
    is_a,
    is_number,
    is_text,
    or_none,
)

__all__ = ["amount_from", "check_ledger_arguments"]

_MAX_ROWS: Final = 2**31 - 1
_MAX_DAYS: Final = 36_500


def _is_row_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_ROWS


def _is_day_count(value: object) -> bool:
    return isinstance(value, int | float) and is_number(value) and value <= _MAX_DAYS


_TEXT: Final = Kind(is_text, "a text")
_TEXT_OR_NONE: Final = Kind(or_none(is_text), "a text")
_TIME: Final = Kind(or_none(is_a(datetime)), "a datetime, such as `datetime.now(UTC)`")
_KINDS: Final[Mapping[str, Kind]] = {
    "account": _TEXT_OR_NONE,
    "attempt_id": _TEXT,
    "budget": Kind(is_a(Budget), "a Budget: write `Budget(usd='20', period='month')`"),
    "budget_id": _TEXT,
    "by": Kind(is_a(str), "the name of a dimension, such as 'account'"),
    "days": Kind(_is_day_count, f"a number of days: 0 or more, at most {_MAX_DAYS:,}"),
    "limit": Kind(_is_row_count, f"a whole number: 0 or more, at most {_MAX_ROWS:,}"),
    "look_back_s": SECONDS,
    "model": _TEXT,
    "note": _TEXT,
    "path": Kind(lambda value: is_text(value) or isinstance(value, Path), "the path of a file"),
    "policy": Kind(lambda value: value in get_args(Policy), "'estimate', 'max' or 'manual'"),
    "prices": Kind(has_method("charge"), "a `Prices()`"),
    "quiet_s": SECONDS,
    "since": _TIME,
    "turn_id": _TEXT,
    "until": _TIME,
    "vendor": _TEXT,
}


def check_ledger_arguments(**arguments: object) -> None:
    """Raises LedgerError for the first of a ledger's arguments that is of a wrong kind.

    >>> check_ledger_arguments(limit=5, account=None)
    >>> check_ledger_arguments(limit="5")
    Traceback (most recent call last):
        ...
    turngraph.billing.errors.LedgerError: `limit` is '5'; it must be a whole number: ...
    """
    check_kinds(_KINDS, arguments, LedgerError)


def amount_from(usd: object) -> Decimal:
    """Returns an amount in USD that somebody wrote as a Decimal, a text or a number.

    >>> amount_from("0.50")
    Decimal('0.50')

    Raises LedgerError for anything else, and for NaN and infinities.
    """
    if isinstance(usd, Decimal | str | int) and not isinstance(usd, bool):
        try:
            amount = Decimal(usd)
        except ArithmeticError:  # what `decimal` raises for a text that is no number
            amount = Decimal("NaN")
        if amount.is_finite():
            return amount
    raise LedgerError("`usd` is no amount; it must be a number of USD, such as '0.50'.")
