"""Every series of the crash test, in the order they run: what is killed, how, and where."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.crash.graph_worker import GraphRun, whole
from tests.crash.harness import Scene, Tally, freeze_everywhere, kill_at_random, kill_everywhere
from tests.crash.moments import OVER
from tests.crash.outage import crash_the_database
from tests.crash.overshoot import overshoot
from tests.crash.servers import Postgres
from tests.crash.stub import BUSY, TORN
from tests.crash.upkeep import kill_the_migration, kill_the_playing_back, kill_the_sweeper
from tests.crash.worker import run_turn, run_turn_in_tasks


@dataclass(frozen=True)
class Asked:
    """How a series is run: at every n-th moment, with how many random turns, from which seed."""

    every: int
    turns: int
    seed: int
    server: Postgres | None


@dataclass(frozen=True)
class Series:
    """One row of the table. `short` names the databases it is part of the short form on, and its
    step there.
    """

    name: str
    run: Callable[[Scene, Asked], Tally]
    must_fail: bool = False
    every: int = 1
    short: Mapping[str, int] = field(default_factory=dict)
    places: tuple[str, ...] = ("SQLite", "PostgreSQL")


_SQLITE: Final = ("SQLite",)
SOME: Final = 3
"""The step of the variants of the graph: at every third moment, from another one with every seed.
"""
_POSTGRES: Final = ("PostgreSQL",)


def _killed(*, run: Any = run_turn, **given: Any) -> Callable[[Scene, Asked], Tally]:
    """Killed everywhere; `given` are changes of the job, and `lookup`, `again` and `check` for the
    harness.
    """
    named = {name: given.pop(name) for name in ("lookup", "again", "check") if name in given}
    return lambda scene, asked: kill_everywhere(
        scene.but(**given), run=run, every=asked.every, first=1 + asked.seed % asked.every, **named
    )


def _at_random(run: Any = run_turn, part: int = 1) -> Callable[[Scene, Asked], Tally]:
    return lambda scene, asked: kill_at_random(
        scene, turns=max(1, asked.turns // part), seed=asked.seed, run=run
    )


def _frozen(
    run: Any = run_turn, check: Any = None, **given: Any
) -> Callable[[Scene, Asked], Tally]:
    # On the ledger alone an heir asks anew, as if it went on from another checkpoint: an answer
    # just kept is no use.
    skip = (
        in_transaction
        if isinstance(run, GraphRun)
        else lambda name: in_transaction(name) or name == OVER
    )
    return lambda scene, asked: freeze_everywhere(
        scene.but(**given), run=run, skip=skip, check=check, every=asked.every
    )


def in_transaction(name: str) -> bool:
    """A writer frozen inside a transaction stops SQLite itself: everybody waits, nobody loses."""
    begins = (
        "BEGIN",
        "SELECT",
        "INSERT",
        "UPDATE",
        "COMMIT",
        "CREATE",
        "PRAGMA",
        "before",
        "after",
    )
    return name.startswith(begins)


def _graph(name: str, run: GraphRun, **given: Any) -> Series:
    short, every = given.pop("short", {}), given.pop("every", 1)
    return Series(name, _killed(run=run, **given), every=every, short=short)


SERIES: Final[tuple[Series, ...]] = (
    Series("killed everywhere, looked up", _killed(), short={"SQLite": 14, "PostgreSQL": 20}),
    Series(
        "killed everywhere, streamed, not looked up",
        _killed(stream=True, lookup=False),
        short={"SQLite": 14},
    ),
    Series("killed everywhere, in tasks", _killed(run=run_turn_in_tasks), short={"PostgreSQL": 20}),
    Series("killed at random", _at_random(), short={"SQLite": 1, "PostgreSQL": 1}),
    Series("frozen, taken over, thawed", _frozen(), short={"SQLite": 3}),
    Series(
        "tables being made",
        lambda scene, asked: kill_the_migration(scene, every=asked.every),
        short={"SQLite": 9},
    ),
    Series(
        "the sweeper",
        lambda scene, asked: kill_the_sweeper(scene, every=asked.every),
        every=3,
        short={"SQLite": 40},
    ),
    Series(
        "the spool played back",
        lambda scene, asked: kill_the_playing_back(scene, turns=min(asked.turns, 6)),
        short={"SQLite": 1},
    ),
    _graph("graph", GraphRun(), short={"SQLite": 45, "PostgreSQL": 60}),
    _graph("graph, streamed", GraphRun(), stream=True),
    _graph("graph in tasks", GraphRun(tasks=True)),
    _graph(
        "graph in tasks, streamed",
        GraphRun(tasks=True),
        stream=True,
        short={"SQLite": 50, "PostgreSQL": 70},
    ),
    _graph("graph, checkpoints behind", GraphRun(durability="async"), every=SOME),
    _graph(
        "graph, checkpoints behind, streamed", GraphRun(durability="async"), every=SOME, stream=True
    ),
    _graph(
        "graph in tasks, checkpoints behind", GraphRun(tasks=True, durability="async"), every=SOME
    ),
    _graph(
        "graph in tasks, checkpoints behind, streamed",
        GraphRun(tasks=True, durability="async"),
        every=SOME,
        stream=True,
    ),
    _graph("graph, checkpoints at the end", GraphRun(durability="exit"), every=SOME),
    _graph("graph, no checkpoints", GraphRun(checkpoints=False), every=SOME),
    _graph("graph in one step", GraphRun(steps="one"), short={"SQLite": 45, "PostgreSQL": 60}),
    _graph(
        "graph in one step, in tasks, streamed, checkpoint at the end",
        GraphRun(tasks=True, steps="one", durability="exit"),
        stream=True,
        short={"SQLite": 50},
    ),
    _graph(
        "graph in one step, checkpoint behind",
        GraphRun(steps="one", durability="async"),
        every=SOME,
    ),
    _graph(
        "graph in one step, no checkpoints", GraphRun(steps="one", checkpoints=False), every=SOME
    ),
    _graph(
        "graph in one step, tools that cost and run once",
        GraphRun(tasks=True, steps="one"),
        every=SOME,
        once=True,
    ),
    _graph(
        "graph, tools that cost and run once",
        GraphRun(),
        every=SOME,
        once=True,
        short={"SQLite": 60},
    ),
    _graph("graph, first attempts refused", GraphRun(), every=SOME, trouble=BUSY),
    _graph("graph, first answers torn", GraphRun(tasks=True), every=SOME, trouble=TORN),
    _graph("graph, interrupted", GraphRun(stops=True), every=SOME, short={"SQLite": 60}),
    _graph(
        "graph in tasks, streamed, cancelled",
        GraphRun(tasks=True, stops=True),
        every=SOME,
        stream=True,
    ),
    _graph("graph, database away", GraphRun(away=True), again=GraphRun()),
    _graph("graph, node of a parent", GraphRun(how="parent"), every=SOME, short={"SQLite": 60}),
    _graph("gateway", GraphRun(how="gateway"), every=SOME),
    _graph(
        "gateway in tasks, streamed",
        GraphRun(tasks=True, how="gateway"),
        every=SOME,
        stream=True,
        short={"SQLite": 60},
    ),
    Series("graph, killed at random", _at_random(GraphRun()), short={"SQLite": 1}),
    Series(
        "graph in one step, killed at random",
        _at_random(GraphRun(steps="one")),
        short={"SQLite": 1},
    ),
    Series(
        "graph in one step, killed at random, in tasks, checkpoint at the end",
        _at_random(GraphRun(tasks=True, steps="one", durability="exit")),
    ),
    Series(
        "graph, frozen, taken over, thawed",
        _frozen(GraphRun(), whole),
        short={"PostgreSQL": 20},
        places=_POSTGRES,
    ),
    Series(
        "a budget for 20 calls, 64 tasks",
        lambda scene, asked: overshoot(scene, seed=asked.seed),
        short={"SQLite": 1, "PostgreSQL": 1},
    ),
    Series(
        "crash-stopped again and again",
        lambda scene, asked: crash_the_database(scene, asked.server, turns=400, seed=asked.seed),
        places=_POSTGRES,
    ),
    Series(
        "graph, crash-stopped again and again",
        lambda scene, asked: crash_the_database(
            scene, asked.server, turns=60, seed=asked.seed, run=GraphRun().walk, up_s=4
        ),
        places=_POSTGRES,
    ),
    *(
        Series(f"without {name}", _killed(without=name), must_fail=True, short={"SQLite": 11})
        for name in ("intent", "unique key", "memo")
    ),
    Series("without fence", _frozen(without="fence"), must_fail=True, short={"SQLite": 4}),
    *(
        Series(f"graph, without {name}", _killed(run=GraphRun(), without=name), must_fail=True)
        for name in ("intent", "unique key", "memo")
    ),
    Series(
        "graph, without fence",
        _frozen(GraphRun(), whole, without="fence"),
        must_fail=True,
        short={"PostgreSQL": 12},
        places=_POSTGRES,
    ),
)
