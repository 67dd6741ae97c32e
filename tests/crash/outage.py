"""Workers run turns while the database is crash-stopped under them, again and again."""

import os
import random
import time
import traceback
from dataclasses import replace
from pathlib import Path

from harness import Tally, settle_accounts
from moments import Moments
from servers import Postgres
from sqlalchemy.exc import OperationalError
from worker import Job, run_turn

from turngraph.billing.errors import LedgerUnavailableError

WORKERS = 4


def crash_the_database(job: Job, log: Path, server: Postgres, *, turns: int, seed: int) -> Tally:
    """`turns` turns by a few processes; a crash every second or so until they are done."""
    chance, tally = random.Random(seed), Tally(turns=turns)
    run_turn(replace(job, turn="first"), Moments())
    shares = [range(start, turns, WORKERS) for start in range(WORKERS)]
    pids = [_start(job, share) for share in shares]
    while pids:
        time.sleep(chance.uniform(0.3, 1.2))
        server.crash()
        tally.kills += 1
        for pid in list(pids):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                pids.remove(pid)
                if status:
                    tally.problems.append(f"a worker ended with {status}")
    return settle_accounts(job, log, tally, lookup=True)


def _start(job: Job, share: range) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        for number in share:
            _until_done(replace(job, turn=f"{job.turn}-{number}"))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _until_done(job: Job) -> None:
    """What a runner does when the ledger is away for longer than it waits: come back later, as another worker."""
    for tries in range(50):
        try:
            run_turn(replace(job, later_s=tries * 3600.0), Moments())
        except (LedgerUnavailableError, OperationalError):
            time.sleep(0.2)
        else:
            return
    raise RuntimeError("the database never came back")
