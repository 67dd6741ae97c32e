"""`turngraph replay`: a recorded turn run again, offline, and what differs."""

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from turngraph.billing.prices import Prices

__all__ = ["replay"]


def replay(
    cassette: Path,
    /,
    *,
    model: Annotated[str | None, Parameter(name=("--model", "-m"))] = None,
    system: str | None = None,
    price: tuple[Decimal, Decimal] | None = None,
) -> int:
    """Run a recorded turn again, offline, and show what differs. Exits with 0 where nothing does, else with 1.

    Parameters
    ----------
    cassette
        A file that a recorder wrote.
    model
        Ask for this model instead.
    system
        With this system message instead.
    price
        USD per million tokens, of the prompt and of the answer.
    """
    from turngraph.interfaces.plain_text import printable
    from turngraph.interfaces.stepper.replaying import replay_cassette
    from turngraph.state.errors import TurnValueError

    if not cassette.is_file():
        raise TurnValueError(f"There is no file `{cassette}`.")
    replayed = replay_cassette(cassette, model=model, system=system, prices=_prices(cassette, price))
    print(printable(str(replayed)))
    return 0 if replayed.same else 1


def _prices(cassette: Path, price: tuple[Decimal, Decimal] | None) -> "Prices | None":
    from turngraph.billing.overrides import PriceOverride
    from turngraph.billing.prices import Prices
    from turngraph.billing.rates import Rate, Rates

    if price is None:
        return None
    with cassette.open(encoding="utf-8") as lines:
        vendor = str(json.loads(next(lines, "{}")).get("vendor") or "custom")
    sent, came = (Rate(usd_per_mtok=amount) for amount in price)
    rates = Rates(input=sent, output=came)
    return Prices(overrides=(PriceOverride(vendor=vendor, rates=rates),))
