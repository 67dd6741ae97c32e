"""What runs beside the turns, killed at every moment: the sweeper, the spool's player, the making
of the tables.
"""

from dataclasses import replace
from pathlib import Path

from sqlalchemy import inspect

from tests.crash.graph_worker import GraphRun
from tests.crash.harness import Run, Scene, Tally, asks, count_moments, in_child, settle_accounts
from tests.crash.moments import Moments
from tests.crash.stub import billed
from tests.crash.worker import PRICES, Job, ledger_of, run_turn
from turngraph.billing.operations.sweeper import Outcome, Outstanding
from turngraph.billing.store.database import open_engine
from turngraph.billing.store.migrations import migrate
from turngraph.billing.store.schema import metadata


def kill_the_sweeper(scene: Scene, *, every: int = 1) -> Tally:
    """Workers die at every moment of a turn and nobody resumes it; the sweeper that clears up dies
    again and again.
    """
    tally, job = Tally(), scene.job
    moments = count_moments(replace(job, turn=f"{job.turn}-whole"))
    for number in range(1, len(moments) + 1, every):
        in_child(replace(job, turn=f"{job.turn}-{number}"), Moments(number), run_turn)
        tally.turns += 1
        scene.tell(number, len(moments))
    ask = asks(set(billed(scene.log)))

    def sweeps(job: Job, moment: Moments) -> None:
        def look_up(attempt: Outstanding) -> Outcome:
            moment("before a lookup")
            found = ask(attempt)
            moment("after a lookup")
            return found

        with ledger_of(replace(job, later_s=99_000.0)) as ledger:
            moment.watch(ledger.store.engine)
            ledger.sweep(PRICES, lookup=look_up)

    return settle_accounts(scene, _kill_until_done(job, sweeps, tally), lookup=False)


def kill_the_playing_back(scene: Scene, *, turns: int) -> Tally:
    """The database goes away under workers that have an answer to keep; the player of what they
    spooled is killed.
    """
    tally, job = Tally(), scene.job
    for number in range(turns):
        in_child(replace(job, turn=f"{job.turn}-{number}"), Moments(), GraphRun(away=True))
        tally.turns += 1
        scene.tell(number, turns)

    def plays(job: Job, moment: Moments) -> None:
        with ledger_of(job) as ledger:
            moment.watch(ledger.store.engine)
            ledger.play_back()

    if not any(Path(job.spool).glob("*.json")):
        tally.problems.append("nothing was spooled")
    _kill_until_done(job, plays, tally)
    for number in range(turns):
        if in_child(
            replace(job, turn=f"{job.turn}-{number}", later_s=99_000.0), Moments(), GraphRun()
        ):
            tally.problems.append(f"{number} did not finish")
    return settle_accounts(scene, tally, lookup=False)


def kill_the_migration(scene: Scene, *, every: int = 1) -> Tally:
    """The tables are made by a worker that dies at every moment of it: they are all there after, or
    none is.
    """
    tally, job = Tally(), scene.job

    def migrates(job: Job, moment: Moments) -> None:
        engine = open_engine(job.database)
        moment.watch(engine)
        with engine.begin() as conn:
            migrate(conn)
        engine.dispose()

    def looked(*_: object) -> None:
        engine = open_engine(job.database)
        found = inspect(engine).get_table_names()
        engine.dispose()
        if found and not set(metadata.tables) <= set(found):
            raise RuntimeError(f"half the tables are there: {found}")

    _kill_until_done(job, migrates, tally, every=every, check=looked)
    if in_child(job, Moments(), run_turn):
        tally.problems.append("no turn could be run after")
    tally.turns = 1
    return settle_accounts(scene, tally, lookup=True)


def _kill_until_done(
    job: Job, run: Run, tally: Tally, *, every: int = 1, check: Run | None = None
) -> Tally:
    """Killed at its first moment, then again at its second, and so on until it comes to its end."""
    for number in range(1, 10_000, every):
        status = in_child(job, Moments(number), run)
        if check is not None and in_child(job, Moments(), check):
            tally.problems.append(f"killed at moment {number}: not as it must be")
        if status == 0:
            break
        tally.kills += 1
    return tally
