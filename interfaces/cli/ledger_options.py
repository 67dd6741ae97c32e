"""What the `ledger` commands share: options for ledger, period and prices, and printing JSON."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter, Token

from turngraph.state.errors import TurnValueError

if TYPE_CHECKING:
    from turngraph.billing.ledger import Ledger
    from turngraph.billing.pricing.prices import Prices

__all__ = [
    "DEFAULT_LEDGER",
    "Amount",
    "AsJson",
    "LedgerUrl",
    "Period",
    "PriceFile",
    "load_prices",
    "open_ledger",
    "print_json",
]

DEFAULT_LEDGER: Final = "sqlite:///turngraph.db"

LedgerUrl = Annotated[
    str,
    Parameter(
        name="--ledger",
        env_var="TURNGRAPH_LEDGER",
        help="The ledger's database, as in sqlite:///turns.db or postgresql://user@host/db. Put a "
        "password into the variable, never on the command line.",
    ),
]
AsJson = Annotated[
    bool,
    Parameter(
        name="--json",
        negative="",
        help="Print JSON for other programs; amounts are strings with every digit.",
    ),
]
PriceFile = Annotated[
    Path | None,
    Parameter(
        name="--prices",
        help="A YAML file with your own prices, which replace the list prices of the same models.",
    ),
]


def _to_amount(type_: object, tokens: Sequence[Token]) -> Decimal:
    # cyclopts does not catch the InvalidOperation that `Decimal` raises, so it is caught here.
    typed = tokens[0].value
    try:
        amount = Decimal(typed)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise ValueError(f"`{typed}` is no amount in US dollars. Type a number, as in 0.50.")
    return amount


Amount = Annotated[Decimal, Parameter(converter=_to_amount)]


@Parameter(name="*")
@dataclass(frozen=True)
class Period:
    """The period of a report, in UTC. Without any option it is all time."""

    month: Annotated[str | None, Parameter(help="A month in UTC, as in 2026-10.")] = None
    since: Annotated[
        datetime | None,
        Parameter(help="The first moment, as in 2026-10-01 or 2026-10-01T12:00; UTC unless given."),
    ] = None
    until: Annotated[
        datetime | None, Parameter(help="The moment after the last one, in the same form.")
    ] = None

    def bounds(self) -> tuple[datetime | None, datetime | None]:
        """Returns the first moment and the moment after the last one; None is unbounded.

        Raises TurnValueError for a month that is none, or that stands beside other bounds.

        >>> [str(bound) for bound in Period(month="2026-12").bounds()]
        ['2026-12-01 00:00:00+00:00', '2027-01-01 00:00:00+00:00']
        """
        if self.month is None:
            return _in_utc(self.since), _in_utc(self.until)
        if self.since is not None or self.until is not None:
            raise TurnValueError("Use --month, or --since and --until, but not both.")
        try:
            first = datetime.strptime(self.month, "%Y-%m").replace(tzinfo=UTC)
        except ValueError:
            raise TurnValueError(
                f"--month is `{self.month}`; type a year and a month, as in 2026-10."
            ) from None
        # In December, `month % 12 + 1` is January, and `month // 12` moves on to the next year.
        return first, first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)

    def __str__(self) -> str:
        """Returns the period in words, for a heading.

        >>> print(Period(), Period(month="2026-10"), Period(since=datetime(2026, 10, 1)), sep=", ")
        all time, 2026-10, since 2026-10-01
        """
        if self.month is not None:
            return self.month
        bounds = zip(("since", "until"), self.bounds(), strict=True)
        words = " ".join(
            f"{name} {_short(moment)}" for name, moment in bounds if moment is not None
        )
        return words or "all time"


def _in_utc(moment: datetime | None) -> datetime | None:
    """Reads a moment without a time zone as UTC, because the ledger's days are in UTC."""
    return moment if moment is None or moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _short(moment: datetime) -> str:
    text = moment.isoformat(sep=" ", timespec="minutes")
    return text.removesuffix("+00:00").removesuffix(" 00:00")


@contextmanager
def open_ledger(url: str) -> "Iterator[Ledger]":
    """Yields the ledger at `url`, which must exist.

    Raises LedgerError, in one sentence, for whatever the database reports.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from turngraph.billing.errors import LedgerError
    from turngraph.billing.ledger import Ledger
    from turngraph.billing.store.urls import error_text, shown_url

    try:
        # A report on a misspelt path must not create an empty ledger there.
        with Ledger.open_existing(url) as ledger:
            yield ledger
    except SQLAlchemyError as exc:
        raise LedgerError(f"The database `{shown_url(url)}` says: {error_text(exc, url)}.") from exc


def load_prices(file: Path | None) -> "Prices":
    """Returns the list prices, replaced by those of `file` where it has one."""
    from turngraph.billing.pricing.prices import Prices

    return Prices() if file is None else Prices.load(file)


def print_json(value: object) -> None:
    """Prints `value` as JSON. Amounts become strings, never floats."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=_to_string))


def _to_string(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
