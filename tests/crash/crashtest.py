"""`make crashtest`: kills, freezes and outages, and proof that the harness would notice a missing
protection.

python -m tests.crash.crashtest                    everything, on SQLite and PostgreSQL
python -m tests.crash.crashtest --short            what the test suite runs: under a minute
python -m tests.crash.crashtest --series frozen    only series with "frozen" in their names (--list)
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final

os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.crash.graph_worker import warm_up
from tests.crash.harness import Scene, Tally
from tests.crash.series import SERIES, Asked, Series
from tests.crash.servers import Postgres, postgres
from tests.crash.stub import stub
from tests.crash.worker import Job

PLACES = ("SQLite", "PostgreSQL")
COLUMNS = ("kills", "turns", "calls", "missing", "double", "held", "needless", "phantom")


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--short", action="store_true")
    options.add_argument("--list", action="store_true", help="name the series, and run none")
    options.add_argument("--series", default="", help="run those whose name has this in it")
    options.add_argument("--seed", type=int, default=int(time.time()))
    options.add_argument(
        "--every", type=int, help="kill at one moment in so many: a quick look at everything"
    )
    options.add_argument("--turns", type=int, default=500, help="how many are killed at random")
    given = options.parse_args()
    chosen = [
        (place, one)
        for place in PLACES
        for one in SERIES
        if place in one.places and (not given.short or place in one.short)
        if given.series.casefold() in f"{place}: {one.name}".casefold()
    ]
    if given.list or not chosen:
        print(*(f"{place}: {one.name}" for place, one in chosen), sep="\n")
        return 0 if given.list else 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    print(f"seed {given.seed}")
    warm_up()
    return run(chosen, given)


_TRIES: Final = 3
"""How often a control may be run until its harm is seen. On a busy machine the server may close the
connection of a worker that was frozen, and that worker then does none.
"""


def run(chosen: list[tuple[str, Series]], given: argparse.Namespace) -> int:
    """Run the series one after the other; then the table of all of them."""
    table = Table("series", *COLUMNS, "verdict", "seconds", title=f"seed {given.seed}")
    right = []
    # Drawn only when it is told to: a thread that draws would not survive a fork.
    with (
        postgres()
        if any(place == "PostgreSQL" for place, _ in chosen)
        else nullcontext() as server,
        Progress(console=Console(stderr=True), auto_refresh=False, transient=True) as bar,
    ):
        whole = bar.add_task("series", total=len(chosen))
        for place, one in chosen:
            started, name = time.monotonic(), f"{place}: {one.name}"
            part = bar.add_task(name, total=None)

            def tell(done: int, total: int, part: object = part) -> None:
                bar.update(part, completed=done, total=total)  # type: ignore[arg-type]
                if sys.stderr.isatty():
                    bar.refresh()

            every = given.every or (2 * one.short[place] if given.short else one.every)
            turns = 5 if given.short else given.turns
            asked = Asked(every=every, turns=turns, seed=given.seed, server=server)
            for _ in range(_TRIES if one.must_fail else 1):
                with scene(server if place == "PostgreSQL" else None, tell) as at:
                    tally = one.run(at, asked)
                if not tally.clean:
                    break
            bar.remove_task(part)
            bar.advance(whole)
            seconds = time.monotonic() - started
            verdict, as_it_must_be = judge(one, tally)
            right.append(as_it_must_be)
            tell_of(name, one, tally, verdict, seconds)
            table.add_row(
                name,
                *(str(getattr(tally, column)) for column in COLUMNS),
                verdict,
                f"{seconds:.0f}",
            )
    Console(width=150).print(table)
    print("everything as it must be" if all(right) else "NOT everything as it must be")
    return 0 if all(right) else 1


@contextmanager
def scene(server: Postgres | None, tell: Callable[[int, int], None]) -> Iterator[Scene]:
    """A provider with an empty account, and an empty database."""
    with tempfile.TemporaryDirectory(prefix="tg-crash-") as name, stub(Path(name)) as (url, log):
        database = f"sqlite:///{name}/ledger.db" if server is None else server.database()
        job = Job(
            turn="u", url=f"{url}/v1", database=database, checkpoints=f"{name}/checkpoints.db"
        )
        yield Scene(job, log, tell)


def judge(one: Series, tally: Tally) -> tuple[str, bool]:
    """What to say of a series, and whether it ended as it must: a control must fail."""
    if one.must_fail:
        return ("NOT NOTICED", False) if tally.clean else ("noticed", True)
    return ("ok", True) if tally.clean else ("FAILED", False)


def tell_of(name: str, one: Series, tally: Tally, verdict: str, seconds: float) -> None:
    effects = f", effects {tally.effects}" if tally.effects else ""
    print(f"{name:<72} {tally}{effects}  [{verdict}, {seconds:.0f} s]", flush=True)
    for problem in () if one.must_fail else tally.problems[:10]:
        print(f"    {problem}", flush=True)


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit("stopped") from None
