"""What the `ledger` commands share: which ledger, of which time, at whose prices; and JSON as they
print it.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter, Token
from rich.console import Console

from turngraph.state.errors import TurnValueError

if TYPE_CHECKING:
    from turngraph.billing.ledger import Ledger
    from turngraph.billing.pricing.prices import Prices

__all__ = [
    "DEFAULT",
    "Amount",
    "AsJson",
    "LedgerUrl",
    "Period",
    "PriceFile",
    "on_paper",
    "opened",
    "prices_of",
    "print_json",
]

DEFAULT: Final = "sqlite:///turngraph.db"
PAPER_WIDTH: Final = 116

LedgerUrl = Annotated[
    str,
    Parameter(
        name="--ledger",
        env_var="TURNGRAPH_LEDGER",
        help="Where it is: sqlite:///turns.db, postgresql://user@host/db. A password belongs into the variable.",
    ),
]
AsJson = Annotated[
    bool,
    Parameter(name="--json", negative="", help="Print JSON; amounts are texts, every digit kept."),
]
PriceFile = Annotated[
    Path | None,
    Parameter(name="--prices", help="A YAML file with prices of your own, over the list prices."),
]


def _amount(type_: object, tokens: Sequence[Token]) -> Decimal:
    """What was typed, as an amount. cyclopts lets the error of `Decimal` through."""
    typed = tokens[0].value
    try:
        amount = Decimal(typed)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise ValueError(f"`{typed}` is no amount in US dollars, as 0.50 is.")
    return amount


Amount = Annotated[Decimal, Parameter(converter=_amount)]


@Parameter(name="*")
@dataclass(frozen=True)
class Period:
    """The time a report is of, in UTC."""

    month: Annotated[str | None, Parameter(help="A month, as 2026-10.")] = None
    since: Annotated[datetime | None, Parameter(help="From this day or moment, as 2026-10-01.")] = (
        None
    )
    until: Annotated[datetime | None, Parameter(help="To before this day or moment.")] = None

    def bounds(self) -> tuple[datetime | None, datetime | None]:
        """From when, and to before when. Raises TurnValueError for a month that is none, or beside
        other bounds.

        >>> [str(bound) for bound in Period(month="2026-12").bounds()]
        ['2026-12-01 00:00:00+00:00', '2027-01-01 00:00:00+00:00']
        """
        if self.month is None:
            return _in_utc(self.since), _in_utc(self.until)
        if self.since is not None or self.until is not None:
            raise TurnValueError("Give --month, or --since and --until, not both.")
        try:
            first = datetime.strptime(self.month, "%Y-%m").replace(tzinfo=UTC)
        except ValueError:
            raise TurnValueError(
                f"--month is `{self.month}`; it is a year and a month, as 2026-10."
            ) from None
        return first, first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)

    def __str__(self) -> str:
        """In words, for a heading.

        >>> print(Period(), Period(month="2026-10"), Period(since=datetime(2026, 10, 1)), sep=", ")
        all time, 2026-10, since 2026-10-01
        """
        if self.month is not None:
            return self.month
        bounds = zip(("since", "until"), self.bounds(), strict=True)
        return (
            " ".join(f"{name} {_short(at)}" for name, at in bounds if at is not None) or "all time"
        )


def _in_utc(moment: datetime | None) -> datetime | None:
    """A moment typed without a zone is in UTC, as the ledger's days are, wherever the command is
    typed.
    """
    return moment if moment is None or moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _short(moment: datetime) -> str:
    return (
        moment.isoformat(sep=" ", timespec="minutes").removesuffix("+00:00").removesuffix(" 00:00")
    )


@contextmanager
def opened(url: str) -> "Iterator[Ledger]":
    """The ledger at `url`, which must be there. Raises LedgerError in a sentence for whatever a
    database may say.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from turngraph.billing.errors import LedgerError
    from turngraph.billing.ledger import Ledger
    from turngraph.billing.store.urls import error_text, shown_url

    try:
        with Ledger.open_existing(url) as ledger:
            yield ledger
    except SQLAlchemyError as exc:
        raise LedgerError(f"The database `{shown_url(url)}` says: {error_text(exc, url)}.") from exc


def prices_of(file: Path | None) -> "Prices":
    """List prices, and over them those of `file`."""
    from turngraph.billing.pricing.prices import Prices

    return Prices() if file is None else Prices.load(file)


def on_paper() -> Console:
    """Standard output, wide enough for a table where it is no terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PAPER_WIDTH
    return console


def print_json(value: object) -> None:
    """`value` for another program. No amount becomes a float."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
