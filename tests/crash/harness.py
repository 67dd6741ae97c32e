"""Kill a worker at every moment, resume in a new process, and compare the ledger with the
provider's own account.
"""

import gc
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from psycopg import Error as DatabaseError, OperationalError
from sqlalchemy import select

from tests.crash.moments import Moments, short
from tests.crash.stub import billed
from tests.crash.worker import BUDGETS, PRICES, Job, run_turn
from turngraph.billing.ledger import Ledger
from turngraph.billing.operations.sweeper import Lookup, Outstanding, ProviderRecord
from turngraph.billing.store.schema import attempt_t, entry_t
from turngraph.billing.store.states import OPEN_STATES
from turngraph.billing.store.transaction import LedgerTransaction
from turngraph.state.usage import Usage

USED = Usage(input_tokens=10, output_tokens=5)
LATER_S = 3600.0
TOMORROW_S = 33 * LATER_S
"""When a killed turn is resumed: its lease is over, and the day its budgets' holds were made in is
over too.
"""
SESSION_ENDED = 3
"""How a thawed worker may end: the database has ended its session, as it is told to (see
`servers`).
"""
_ENDED = {"25P03", "25P04", "57P05"}
"""https://www.postgresql.org/docs/current/errcodes-appendix.html: three timeouts that end a
session.
"""
Run = Callable[[Job, Moments], None]


def silent(done: int, total: int) -> None:
    """Tells nobody how far a series is."""


@dataclass(frozen=True)
class Scene:
    """A job for workers, the provider's own account, and who is told how far a series is."""

    job: Job
    log: Path
    tell: Callable[[int, int], None] = silent

    def but(self, **changes: Any) -> "Scene":
        """The same for another kind of job."""
        return replace(self, job=replace(self.job, **changes))


@dataclass
class Tally:
    """What a series of kills did, and what the comparison found."""

    turns: int = 0
    kills: int = 0
    calls: int = 0
    missing: int = 0
    double: int = 0
    held: int = 0
    needless: int = 0
    """Answers paid for and not used: the call was made again."""
    phantom: int = 0
    """Attempts that never arrived and were charged by policy, marked: nobody could know."""
    effects: int = 0
    """What tools did to the world that may happen once."""
    moments: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """No error of any kind."""
        return not (self.missing or self.double or self.held or self.needless or self.problems)

    def __str__(self) -> str:
        return (
            f"kills {self.kills}, turns {self.turns}, provider calls {self.calls}, "
            f"missing {self.missing}, double {self.double}, holds left {self.held}, "
            f"needless {self.needless}, phantom {self.phantom}"
        )


def in_child(job: Job, moment: Moments, run: Run) -> int:
    """Run in a process of its own; returns how it ended, as `waitpid` says it, or minus its id
    while it is stopped.
    """
    pid = start(lambda: run(job, moment))
    try:
        _, status = os.waitpid(pid, os.WUNTRACED)
    except BaseException:
        end(pid)
        raise
    return -pid if os.WIFSTOPPED(status) else status


def start(work: Callable[[], None]) -> int:
    """A process that does `work` and ends; its id."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        gc.freeze()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        work()
        code = 0
    except DatabaseError as exc:
        code = SESSION_ENDED if isinstance(exc, OperationalError) or exc.sqlstate in _ENDED else 1
        traceback.print_exc()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def end(*pids: int) -> None:
    """Kill what is left of `pids`: nothing the harness started outlives it."""
    for pid in pids:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def count_moments(job: Job, run: Run = run_turn) -> list[str]:
    """The moments of an undisturbed turn, in order."""
    with tempfile.NamedTemporaryFile() as told:

        def counted(job: Job, moment: Moments) -> None:
            run(job, moment)
            Path(told.name).write_text(json.dumps(moment.seen))

        if in_child(job, Moments(), counted):
            raise RuntimeError("an undisturbed turn did not end well")
        seen = json.loads(Path(told.name).read_text())
    return [
        short(name.partition(" ")[2]) if name.startswith(("before ", "after ")) else name
        for name in seen
    ]


def kill_everywhere(
    scene: Scene,
    *,
    run: Run = run_turn,
    again: Run | None = None,
    every: int = 1,
    first: int = 1,
    lookup: bool = True,
    check: Run | None = None,
) -> Tally:
    """One turn for every moment, killed there, resumed (by `again`, if that is another `run`),
    swept and compared.
    """
    job, tally = scene.job, Tally()
    moments = count_moments(replace(job, turn=f"{job.turn}-whole"), run)
    for number in range(first, len(moments) + 1, every):
        one = replace(job, turn=f"{job.turn}-{number}")
        _kill_and_resume(one, Moments(number), run, again or run, tally)
        tally.moments[moments[number - 1]] += 1
        if check is not None and in_child(one, Moments(), check):
            tally.problems.append(f"{one.turn}: the conversation is not whole")
        scene.tell(number, len(moments))
    return settle_accounts(scene, tally, lookup=lookup)


def kill_at_random(
    scene: Scene, *, turns: int, seed: int, run: Run = run_turn, lookup: bool = True
) -> Tally:
    """`turns` turns, each killed once, twice or not at all, wherever it falls."""
    job, chance, tally = scene.job, random.Random(seed), Tally()
    length = len(count_moments(replace(job, turn=f"{job.turn}-whole"), run))
    for number in range(turns):
        tally.turns += 1
        deaths = 0
        while chance.random() < 0.6:
            one = replace(job, turn=f"{job.turn}-{number}", later_s=deaths * LATER_S)
            deaths += 1
            status = in_child(one, Moments(chance.randint(1, length)), run)
            tally.kills += os.WIFSIGNALED(status)
            if status == 0:
                break
        _finish(replace(job, turn=f"{job.turn}-{number}"), run, tally)
        scene.tell(number + 1, turns)
    return settle_accounts(scene, tally, lookup=lookup)


def freeze_everywhere(
    scene: Scene,
    *,
    run: Run = run_turn,
    skip: Callable[[str], bool],
    every: int = 1,
    check: Run | None = None,
) -> Tally:
    """A worker stopped at each moment, its turn taken over by another, and then let go on."""
    tally = Tally()
    # Short enough to wait for, long enough that the thread that renews it is seldom frozen in its
    # transaction.
    job = replace(scene.job, chained=True, lease_s=0.5)
    moments = count_moments(replace(job, turn=f"{job.turn}-whole"), run)
    chosen = [(number, name) for number, name in enumerate(moments, start=1) if not skip(name)]
    for number, name in chosen[every // 2 :: every]:
        one = replace(job, turn=f"{job.turn}-{number}")
        tally.turns, tally.kills = tally.turns + 1, tally.kills + 1
        ended = -in_child(one, Moments(number, signal.SIGSTOP), run)
        status = _overtaken(one, ended, run, tally) if ended > 0 else -ended
        if status not in (0, SESSION_ENDED << 8):
            tally.problems.append(f"thawed at {name}: ended with {status}")
        if check is not None and in_child(one, Moments(), check):
            tally.problems.append(f"thawed at {name}: the conversation is not whole")
        tally.moments[name] += 1
        scene.tell(number, len(moments))
    return settle_accounts(scene, tally, lookup=True)


def _overtaken(job: Job, frozen: int, run: Run, tally: Tally) -> int:
    """Another worker finishes the turn; then the `frozen` one continues. Returns how it ended."""
    try:
        time.sleep(0.55)
        _finish(job, run, tally, later_s=0.0)
        os.kill(frozen, signal.SIGCONT)
        _, status = os.waitpid(frozen, 0)
    except BaseException:
        end(frozen)
        raise
    return status


def _kill_and_resume(job: Job, moment: Moments, run: Run, again: Run, tally: Tally) -> None:
    status = in_child(job, moment, run)
    tally.turns += 1
    # Threads take turns in no fixed order, so the last moment may not come.
    if not os.WIFSIGNALED(status) and status:
        tally.problems.append(f"{job.turn} was to be killed and ended with {status}")
    tally.kills += os.WIFSIGNALED(status)
    _finish(job, again, tally)


def _finish(job: Job, run: Run, tally: Tally, *, later_s: float = TOMORROW_S) -> None:
    # A killed worker's lease still runs, so the one that resumes it comes later; this one is told
    # it is later.
    status = in_child(replace(job, later_s=later_s), Moments(), run)
    if status:
        tally.problems.append(f"{job.turn} did not finish: {status}")


def settle_accounts(scene: Scene, tally: Tally, *, lookup: bool) -> Tally:
    """Sweep what is left, then compare."""
    truth, job = billed(scene.log), scene.job
    with Ledger(
        job.database, budgets=BUDGETS, spool=job.spool, clock=lambda: time.time() + 3 * TOMORROW_S
    ) as ledger:
        tally.needless += ledger.store.read(
            _needless_calls
        )  # while a row still says when its answer was kept
        ledger.sweep(PRICES, lookup=asks(set(truth)) if lookup else None, limit=100_000)
        ledger.play_back()
        tally.problems += [
            f"refused by the ledger: {path.name}" for path in ledger.store.spool.refused()
        ]
        tally.problems += ledger.verify()
        _compare(ledger, truth, tally)
        _compare_tools(ledger, job, tally)
    return tally


def asks(truth: set[str]) -> Lookup:
    """Asks the provider's account. It knows nothing of tools."""

    def ask(attempt: Outstanding) -> ProviderRecord | Literal["absent"] | None:
        if attempt.kind != "completion":
            return None
        return ProviderRecord(usage=USED) if attempt.attempt_id in truth else "absent"

    return ask


def _compare(ledger: Ledger, truth: list[str], tally: Tally) -> None:
    def rows(tx: LedgerTransaction) -> tuple[list[Any], list[Any]]:
        return list(tx.conn.execute(attempt_t.select())), list(tx.conn.execute(entry_t.select()))

    attempts, entries = ledger.store.read(rows)
    calls = {row.attempt_id for row in attempts if row.kind == "completion"}
    entries = [row for row in entries if row.attempt_id in calls]
    charges = Counter(row.attempt_id for row in entries if row.kind == "charge")
    net = Counter[str]()
    for row in entries:
        net[row.attempt_id] += row.amount_nano
    arrived = Counter(truth)
    tally.calls += len(truth)
    tally.missing += sum(
        max(0, count - charges[name] * (net[name] > 0)) for name, count in arrived.items()
    )
    tally.double += sum(max(0, count - max(arrived[name], 1)) for name, count in charges.items())
    tally.phantom += sum(1 for name, nano in net.items() if nano > 0 and name not in arrived)
    tally.held += sum(1 for row in attempts if row.state in OPEN_STATES)
    estimated = {row.attempt_id for row in attempts if row.estimated}
    unmarked = [
        name
        for name, nano in net.items()
        if nano > 0 and name not in arrived and name not in estimated
    ]
    tally.problems += [f"{name} never arrived and is charged unmarked" for name in unmarked]


def _compare_tools(ledger: Ledger, job: Job, tally: Tally) -> None:
    """A tool that costs, and must not run twice, ran at most once for each of a turn's two calls,
    and is charged.
    """
    ran = (
        Counter(line.split()[0] for line in job.effects.read_text().splitlines())
        if job.effects.exists()
        else {}
    )

    def charges(tx: LedgerTransaction) -> list[str]:
        paid = select(attempt_t.c.turn_id).join(
            entry_t, attempt_t.c.attempt_id == entry_t.c.attempt_id
        )
        where = attempt_t.c.kind == "tool", entry_t.c.kind == "charge", entry_t.c.amount_nano > 0
        return list(tx.conn.execute(paid.where(*where)).scalars())

    if not job.once:
        return
    charged = Counter(ledger.store.read(charges))
    tally.effects += sum(ran.values())
    tally.missing += sum(max(0, times - charged[turn]) for turn, times in ran.items())
    tally.double += sum(max(0, times - 2) for times in ran.values())
    tally.double += sum(max(0, times - 2) for times in charged.values())


def _needless_calls(tx: LedgerTransaction) -> int:
    return sum(map(_needless, _by_call(list(tx.conn.execute(attempt_t.select())))))


def _by_call(attempts: list[Any]) -> list[list[Any]]:
    """Answered attempts by the call of a turn they were made for, whichever worker made them."""
    calls: dict[tuple[str, Any], list[Any]] = {}
    for row in attempts:
        if row.response is not None and row.kind == "completion":
            calls.setdefault(
                (row.turn_id, row.call_seq if row.call_seq is not None else row.request_sha), []
            ).append(row)
    return list(calls.values())


def _needless(answered: list[Any]) -> int:
    """Attempts begun when the answer to their call was kept already. One under way when its worker
    died is none; nor is one that the ledger itself marked as interrupted when the call began again.
    Its answer came later, though perhaps with an earlier time: a worker reads its clock when its
    transaction begins, and may be frozen before the first statement of it.
    """
    kept = [row for row in answered if row.note != "interrupted"]
    return sum(any(other.updated <= row.created for other in kept) for row in answered)
