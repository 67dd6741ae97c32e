"""`turngraph replay`: replays a recorded turn offline and shows what differs."""

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
    """Replay a recorded turn offline and show what differs. The exit code is 0 if nothing does,
    else 1.

    Parameters
    ----------
    cassette
        A file that `turngraph step --record` or a `Recorder` wrote.
    model
        Send the requests to this model instead.
    system
        Use this system message instead.
    prices
        A YAML file with prices: show the cost at these beside the cost at list prices.
    """
    from turngraph.interfaces.cli.ledger_options import prices_of
    from turngraph.interfaces.plain_text import printable
    from turngraph.interfaces.stepper.engine.replay import replay_cassette
    from turngraph.state.errors import TurnValueError

    if not cassette.is_file():
        raise TurnValueError(f"There is no file `{cassette}`.")
    replayed = replay_cassette(
        cassette,
        model=model,
        system=system,
        prices=None if prices is None else prices_of(prices),
    )
    print(printable(str(replayed)))
    return 0 if replayed.same else 1
