"""`make crashtest`: kills, freezes and outages, and proof that the harness would notice a missing protection.

python tests/crash/crashtest.py            everything, on SQLite and PostgreSQL
python tests/crash/crashtest.py --short    what the test suite runs: under three minutes
"""

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")

from graph_worker import GraphRun, warm_up, whole
from harness import Tally, freeze_everywhere, kill_at_random, kill_everywhere
from outage import crash_the_database
from overshoot import overshoot
from servers import postgres
from stub import stub
from worker import Job, run_turn_in_tasks


@contextmanager
def scene(databases: "Databases") -> Iterator[tuple[Job, Path]]:
    """A provider with an empty account, and an empty database."""
    with tempfile.TemporaryDirectory(prefix="tg-crash-") as name, stub(Path(name)) as (url, log):
        yield Job(turn="u", url=f"{url}/v1", database=databases(Path(name)), checkpoints=f"{name}/checkpoints.db"), log


Databases = Callable[[Path], str]


def sqlite(folder: Path) -> str:
    return f"sqlite:///{folder}/ledger.db"


def report(name: str, tally: Tally, *, started: float, must_fail: bool = False) -> bool:
    right = (not tally.clean) if must_fail else tally.clean
    verdict = ("noticed" if right else "NOT NOTICED") if must_fail else ("ok" if right else "FAILED")
    print(f"{name:<52} {tally}  [{verdict}, {time.monotonic() - started:.0f} s]", flush=True)
    for problem in () if must_fail else tally.problems[:10]:
        print(f"    {problem}")
    return right


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--short", action="store_true")
    options.add_argument("--seed", type=int, default=int(time.time()))
    options.add_argument("--turns", type=int, default=500)
    asked = options.parse_args()
    print(f"seed {asked.seed}")
    warm_up()
    with postgres() as server:
        places: dict[str, Databases] = {"SQLite": sqlite, "PostgreSQL": server.database}
        right = [run(asked, place, databases) for place, databases in places.items()]
        if not asked.short:
            right.append(outage(asked, server))
    print("everything as it must be" if all(right) else "NOT everything as it must be")
    return 0 if all(right) else 1


def run(asked: argparse.Namespace, place: str, databases: Databases) -> bool:
    every, right = (14 if asked.short else 1), []

    def add(name: str, tally_of: Callable[[Job, Path], Tally], *, must_fail: bool = False) -> None:
        started = time.monotonic()
        with scene(databases) as (job, log):
            right.append(report(f"{place}: {name}", tally_of(job, log), started=started, must_fail=must_fail))

    add("killed everywhere, looked up", lambda job, log: kill_everywhere(job, log, every=every))
    add(
        "killed everywhere, streamed, not looked up",
        lambda job, log: kill_everywhere(replace(job, stream=True), log, every=every, lookup=False),
    )
    add(
        "killed at every moment, in tasks",
        lambda job, log: kill_everywhere(job, log, run=run_turn_in_tasks, every=every),
    )
    turns = 5 if asked.short else asked.turns
    add(f"killed at random, {turns} turns", lambda job, log: kill_at_random(job, log, turns=turns, seed=asked.seed))
    if not (asked.short and place == "PostgreSQL"):
        add("frozen, taken over, thawed", lambda job, log: freeze_everywhere(job, log, skip=in_transaction))
    graph(asked, place, add)
    add("64 tasks, a budget for 20 calls", lambda job, _: overshoot(job, seed=asked.seed))
    for protection in ("intent", "unique key", "memo"):
        if not asked.short or place == "SQLite":
            add(
                f"without {protection}",
                lambda job, log, name=protection: kill_everywhere(replace(job, without=name), log, every=min(every, 6)),
                must_fail=True,
            )
    if not asked.short or place == "SQLite":
        add(
            "without fence",
            lambda job, log: freeze_everywhere(replace(job, without="fence"), log, skip=in_transaction),
            must_fail=True,
        )
    return all(right)


def graph(asked: argparse.Namespace, place: str, add: "Add") -> None:
    """Whole turns through the graph: checkpoints, events, tools and pieces of a stream are moments too."""
    every = 30 if asked.short else 1
    runs = {"graph": GraphRun(), "graph in tasks": GraphRun(tasks=True)}
    if not asked.short:
        runs["graph, checkpoints behind"] = GraphRun(durability="async")
        runs["graph in tasks, checkpoints behind"] = GraphRun(tasks=True, durability="async")
    for (name, run), stream in itertools.product(runs.items(), (False, True)):
        if asked.short and stream == run.tasks:
            continue
        how = replace_stream(stream)
        add(
            f"{name}{', streamed' if stream else ''}",
            lambda job, log, run=run, how=how: kill_everywhere(how(job), log, run=run, every=every, behind=run.behind),
        )
    if not asked.short:
        turns = asked.turns // 5
        add(
            f"graph, killed at random, {turns} turns",
            lambda job, log: kill_at_random(job, log, turns=turns, seed=asked.seed, run=GraphRun()),
        )
    if place == "PostgreSQL":  # a frozen writer of SQLite stops everybody else who writes
        often = 25 if asked.short else 1

        def frozen(job: Job, log: Path) -> Tally:
            return freeze_everywhere(job, log, run=GraphRun(), skip=in_transaction, check=whole, every=often)

        add("graph, frozen, taken over, thawed", frozen)
        add("graph, without fence", lambda job, log: frozen(replace(job, without="fence"), log), must_fail=True)


def replace_stream(stream: bool) -> Callable[[Job], Job]:
    return lambda job: replace(job, stream=stream)


class Add(Protocol):
    """Runs one series and reports it."""

    def __call__(self, name: str, tally_of: Callable[[Job, Path], Tally], *, must_fail: bool = False) -> None: ...


def in_transaction(name: str) -> bool:
    """A writer frozen inside a transaction stops SQLite itself: everybody waits, nobody loses."""
    return name.startswith(("BEGIN", "SELECT", "INSERT", "UPDATE", "COMMIT", "CREATE", "PRAGMA", "before", "after"))


def outage(asked: argparse.Namespace, server: "object") -> bool:
    started = time.monotonic()
    with scene(server.database) as (job, log):  # type: ignore[attr-defined]
        tally = crash_the_database(job, log, server, turns=400, seed=asked.seed)  # type: ignore[arg-type]
        return report("PostgreSQL: crash-stopped again and again", tally, started=started)


if __name__ == "__main__":
    raise SystemExit(main())
