"""Workers run turns while the database is crash-stopped under them, again and again."""

import os
import random
import time
from dataclasses import replace
from functools import partial

from psycopg import Error as DatabaseError
from sqlalchemy.exc import OperationalError

from tests.crash.harness import Run, Scene, Tally, end, in_child, settle_accounts, start
from tests.crash.moments import Moments
from tests.crash.servers import Postgres
from tests.crash.worker import Job, run_turn
from turngraph.billing.errors import LedgerUnavailableError

WORKERS = 4


def crash_the_database(
    scene: Scene,
    server: Postgres | None,
    *,
    turns: int,
    seed: int,
    run: Run = run_turn,
    up_s: float = 1.2,
) -> Tally:
    """`turns` turns by a few processes; the server is up for `up_s` seconds at most, again and
    again until they end.
    """
    assert server is not None, "only a server can be crashed"
    job, chance, tally = scene.job, random.Random(seed), Tally(turns=turns)
    in_child(replace(job, turn="first"), Moments(), run)
    pids = [
        start(partial(_share, job, range(first, turns, WORKERS), run)) for first in range(WORKERS)
    ]
    try:
        while pids:
            time.sleep(chance.uniform(up_s / 4, up_s))
            server.crash()
            tally.kills += 1
            for pid in list(pids):
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    pids.remove(pid)
                    tally.problems += [f"a worker ended with {status}"] if status else []
            scene.tell(WORKERS - len(pids), WORKERS)
    finally:
        end(*pids)
    return settle_accounts(scene, tally, lookup=True)


def _share(job: Job, numbers: range, run: Run) -> None:
    for number in numbers:
        _until_done(replace(job, turn=f"{job.turn}-{number}"), run)


def _until_done(job: Job, run: Run) -> None:
    """What a runner does when the ledger is away for longer than it waits: come back later, as
    another worker.
    """
    for tries in range(50):
        try:
            run(replace(job, later_s=tries * 3600.0), Moments())
        except (LedgerUnavailableError, OperationalError, DatabaseError):
            time.sleep(0.2)
        else:
            return
    raise RuntimeError("the database never came back")
