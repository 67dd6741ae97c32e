"""`turngraph replay`: a recorded turn run again, offline, and what differs."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from turngraph.interfaces.cli.ledger_options import PriceFile

__all__ = ["replay"]


def replay(
    cassette: Path,
    /,
    *,
    model: Annotated[str | None, Parameter(name=("--model", "-m"))] = None,
    system: str | None = None,
    prices: PriceFile = None,
) -> int:
    """Run a recorded turn again, offline, and show what differs. Exits with 0 where nothing does,
    else with 1.

    Parameters
    ----------
    cassette
        A file that a recorder wrote.
    model
        Ask for this model instead.
    system
        With this system message instead.
    prices
        A YAML file with prices: what it would cost at those, beside the list prices.
    """
    from turngraph.interfaces.cli.ledger_options import prices_of
    from turngraph.interfaces.plain_text import printable
    from turngraph.interfaces.stepper.engine.replay import replay_cassette
    from turngraph.state.errors import TurnValueError

    if not cassette.is_file():
        raise TurnValueError(f"There is no file `{cassette}`.")
    others = None if prices is None else prices_of(prices)
    replayed = replay_cassette(cassette, model=model, system=system, prices=others)
    print(printable(str(replayed)))
    return 0 if replayed.same else 1
