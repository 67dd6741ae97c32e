"""`turngraph replay`: runs a recorded turn again, offline, and shows what differs."""

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
    """Run a recorded turn again, offline, and show what differs.

    Parameters
    ----------
    cassette
        The recording: a file that `turngraph step --record` or a Recorder wrote.
    model
        The name of another model to send. Default: the recorded one.
    system
        Another system message to send. Default: the recorded one.
    prices
        A YAML file with prices: also show what the turn would have cost at these.
    """
    from turngraph.interfaces.cli.ledger_options import load_prices
    from turngraph.interfaces.plain_text import printable
    from turngraph.interfaces.stepper.engine.replay import replay_cassette
    from turngraph.state.errors import TurnValueError

    if not cassette.is_file():
        raise TurnValueError(
            f"There is no file `{cassette}`. `turngraph step --record FILE` records a turn."
        )
    other_prices = None if prices is None else load_prices(prices)
    replayed = replay_cassette(cassette, model=model, system=system, prices=other_prices)
    print(printable(str(replayed)))
    return 0 if replayed.same else 1
