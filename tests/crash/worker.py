"""A worker that runs a turn of two calls on the ledger alone.

The graph's own crash points are in `graph_worker`; here every statement of the ledger is one.
"""

import asyncio
import http.client
import json
import time
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tests.crash.moments import Moments
from tests.crash.protections import forgetful_begin, settle_again
from turngraph.billing.budget import Budget
from turngraph.billing.errors import FencedError
from turngraph.billing.leases.leases import admit, finish, renew
from turngraph.billing.ledger import Ledger
from turngraph.billing.pricing.overrides import PriceOverride
from turngraph.billing.pricing.prices import Prices
from turngraph.billing.pricing.rates import Rate, Rates
from turngraph.billing.store import settlement
from turngraph.billing.store.attempts import begin, reserve
from turngraph.billing.store.calls import AttemptResponse, Call, CostAttribution, Settlement
from turngraph.billing.store.outcomes import answer
from turngraph.state.result import Charge
from turngraph.state.usage import Usage

RATE: Final = Rate(usd_per_mtok=Decimal(1))
RATES: Final = Rates(input=RATE, output=RATE)
PRICES: Final = Prices(
    overrides=tuple(PriceOverride(vendor=name, rates=RATES) for name in ("stub", "openai"))
)
COST: Final = Decimal("0.000015")
HOLD: Final = Decimal("0.01")
BUDGETS: Final = (
    Budget(usd=Decimal(1000), per="ledger"),
    Budget(usd=Decimal(1000), per="ledger", period="day"),
    Budget(usd=Decimal(1)),
)


@dataclass(frozen=True)
class Job:
    """A turn to run. `without` names the protection that is left out; `chained` makes a takeover's
    calls new ones, as LangGraph does when it continues from another checkpoint.
    """

    turn: str
    url: str
    database: str
    without: str = ""
    chained: bool = False
    stream: bool = False
    checkpoints: str = ""
    once: bool = False
    """Its tool costs, and must not run twice."""
    trouble: str = ""
    """What befalls the first attempt at each call: `stub.BUSY`, or `stub.TORN`."""
    lease_s: float = 60.0
    later_s: float = 0.0
    """How much later this worker's clock says it is: a dead worker's lease is over then, without
    waiting.
    """

    @property
    def spool(self) -> str:
        """Where the ledger keeps what its database would not take."""
        return f"{self.checkpoints}.spool"

    @property
    def effects(self) -> Path:
        """Where the tool leaves its traces."""
        return Path(f"{self.checkpoints}.effects")


def ledger_of(job: Job, retry_delays_s: tuple[float, ...] = (0.02, 0.1, 0.5, 2.0)) -> Ledger:
    """Returns the worker's ledger. `retry_delays_s` are the pauses between the tries of a
    transaction while the database is away.
    """
    return Ledger(
        job.database,
        budgets=BUDGETS,
        lease_s=job.lease_s,
        spool=job.spool,
        clock=lambda: time.time() + job.later_s,
        retry_delays_s=retry_delays_s,
    )


def run_turn_in_tasks(job: Job, moment: Moments) -> None:
    """The same, where every operation of the ledger is awaited."""
    run_turn(
        job,
        moment,
        run=lambda ledger, op, *given, **named: asyncio.run(ledger.store.arun(op, *given, **named)),
    )


def _directly(ledger: Ledger, op: Any, *given: Any, **named: Any) -> Any:
    return ledger.store.run(op, *given, **named)


def run_turn(job: Job, moment: Moments, run: Any = _directly) -> None:
    """From admission to the end; run again after a crash, it finishes what is left."""
    ledger = ledger_of(job)
    moment.watch(ledger.store.engine)
    do = partial(run, ledger)
    try:
        admission = do(admit, job.turn, thread=job.turn)
        if admission.status != "done":
            fence = None if job.without == "fence" else admission.fence
            for seq in range(2):
                _call(do, job, moment, seq, admission.fence if job.chained and seq else 0, fence)
                if fence is not None:
                    do(renew, job.turn, fence=fence)
            if fence is not None:
                do(finish, job.turn, fence=fence)
    except FencedError:
        moment("fenced")
    finally:
        ledger.close()


def _call(do: Any, job: Job, moment: Moments, seq: int, lineage: int, fence: int | None) -> None:
    call = Call(
        attribution=CostAttribution(account="acme", thread=job.turn, turn=job.turn),
        vendor="stub",
        model="stub-1",
        seq=seq,
    )
    name = f"{job.turn}:{seq}:{lineage}"
    if job.without == "intent":
        send(job, moment, f"{name}.1")
        do(begin, call, call_id=name, request_sha="x", usd=HOLD)
        do(settlement.settle, settlement_of(f"{name}.1"))
        return
    held = do(reserve, call, reservation=f"prep {name}", usd=HOLD, fence=fence)
    begun = do(
        forgetful_begin if job.without == "memo" else begin,
        call,
        call_id=name,
        request_sha="x",
        usd=HOLD,
        reservation=held.id,
        fence=fence,
    )
    assert begun.attempt_id is not None
    if begun.reply is None:
        usage = send(job, moment, begun.attempt_id)
        current = do(
            answer, AttemptResponse(attempt_id=begun.attempt_id, response="{}", usage=usage)
        )
        if not current and fence is not None:
            do(settlement.settle, settlement_of(begun.attempt_id))
            raise FencedError(job.turn)
    do(
        settle_again if job.without == "unique key" else settlement.settle,
        settlement_of(begun.attempt_id),
    )


def send(job: Job, moment: Moments, attempt_id: str) -> Usage:
    """The wire, byte by byte enough to die in the middle of it."""
    where = urlsplit(job.url)
    moment("before connect")
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
    connection.connect()
    moment("connected")
    body = json.dumps({"model": "stub-1", "messages": [{"role": "user"}], "stream": job.stream})
    connection.putrequest("POST", "/chat/completions")
    connection.putheader("Content-Length", str(len(body)))
    connection.putheader("X-Client-Request-Id", attempt_id)
    connection.endheaders()
    moment("headers sent")
    connection.send(body[:10].encode())
    moment("half a body sent")
    connection.send(body[10:].encode())
    moment("body sent")
    response = connection.getresponse()
    moment("headers received")
    while response.readline():
        moment("line received")
    connection.close()
    moment("answer read")
    return Usage(input_tokens=10, output_tokens=5)


def settlement_of(attempt_id: str) -> Settlement:
    charge = Charge(
        id=attempt_id,
        kind="completion",
        attempt_id=attempt_id,
        vendor="stub",
        model="stub-1",
        usage=Usage(input_tokens=10, output_tokens=5),
        amount_usd=COST,
    )
    return Settlement(charge=charge)
