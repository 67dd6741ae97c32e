"""Sixty-four tasks in eight processes against a hard budget for twenty calls: never above it,
nothing held after.
"""

import asyncio
import os
import random
from decimal import Decimal
from functools import partial

from tests.crash.harness import Scene, Tally, end, start
from tests.crash.worker import Job, settlement_of
from turngraph.billing.budget import Budget
from turngraph.billing.ledger import Ledger
from turngraph.billing.store.attempts import begin
from turngraph.billing.store.calls import Call
from turngraph.billing.store.schema import window_t
from turngraph.billing.store.settlement import settle
from turngraph.state.errors import BudgetExceededError

PROCESSES, TASKS, CALLS = 8, 8, 20
PRICE = Decimal("0.01")
BUDGET = Budget(usd=PRICE * CALLS, per="account", period="month")


def overshoot(scene: Scene, *, seed: int) -> Tally:
    """Each task calls until it is refused. Twenty calls fit, at exactly the price that was held."""
    job, tally = scene.job, Tally()
    _ledger(job).close()
    pids = [start(partial(_tasks, job, seed + number)) for number in range(PROCESSES)]
    try:
        for pid in pids:
            _, status = os.waitpid(pid, 0)
            tally.problems += [f"a process ended with {status}"] if status else []
    except BaseException:
        end(*pids)
        raise
    with _ledger(job) as ledger:
        tally.problems += ledger.verify()
        row = ledger.store.read(lambda tx: tx.conn.execute(window_t.select()).one())
        tally.calls, tally.held = row.settled_nano // int(PRICE * 10**9), row.held_nano
        tally.problems += (
            [f"settled {row.settled_nano} nano-dollars"] if tally.calls != CALLS else []
        )
    return tally


def _ledger(job: Job) -> Ledger:
    ledger = Ledger(job.database, budgets=(BUDGET,), retry_delays_s=(0.05, 0.2, 1.0, 2.0, 5.0))
    ledger.store.read(lambda tx: None)
    return ledger


def _tasks(job: Job, seed: int) -> None:
    asyncio.run(_process(job, random.Random(seed)))


async def _process(job: Job, chance: random.Random) -> None:
    with _ledger(job) as ledger:
        names = [f"{os.getpid()}-{number}" for number in range(TASKS)]
        await asyncio.gather(*(_spend(ledger, name, chance) for name in names))


async def _spend(ledger: Ledger, name: str, chance: random.Random) -> None:
    for number in range(CALLS):
        try:
            started = await ledger.store.arun(
                begin, Call(), call_id=f"{name}-{number}", request_sha="x", usd=PRICE
            )
        except BudgetExceededError:
            return
        assert started.attempt_id is not None
        await asyncio.sleep(chance.uniform(0, 0.02))
        settled = settlement_of(started.attempt_id)
        exactly = settled.charge.model_copy(update={"amount_usd": PRICE})
        await ledger.store.arun(settle, settled.model_copy(update={"charge": exactly}))
