"""Ledger, provider and workers against a model of them, in every order Hypothesis can think of.

Fifty runs here; `MODEL_RUNS=1000 pytest tests/billing/store/test_model.py` for more.
"""

import os
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from turngraph.billing.budget import Budget
from turngraph.billing.errors import FencedError, LedgerError, TurnConflictError
from turngraph.billing.leases.leases import admit, finish, renew
from turngraph.billing.ledger import Ledger
from turngraph.billing.operations.sweeper import ProviderRecord
from turngraph.billing.pricing.overrides import PriceOverride
from turngraph.billing.pricing.prices import Prices
from turngraph.billing.pricing.rates import Rate, Rates
from turngraph.billing.store.attempts import begin, reserve
from turngraph.billing.store.calls import (
    AttemptResponse,
    Call,
    CostAttribution,
    Released,
    Settlement,
    UnknownOutcome,
)
from turngraph.billing.store.outcomes import answer, mark_unknown, release
from turngraph.billing.store.schema import attempt_t, entry_t, window_t
from turngraph.billing.store.settlement import correct_closed, settle
from turngraph.billing.store.states import OPEN_STATES
from turngraph.state.errors import BudgetExceededError
from turngraph.state.result import Charge
from turngraph.state.usage import Usage

LIMIT = Decimal("0.05")
USED = Usage(input_tokens=1000, output_tokens=1000)
RATE = Rate(usd_per_mtok=Decimal(1))
COST = Decimal("0.002")
PRICES = Prices(overrides=(PriceOverride(vendor="v", rates=Rates(input=RATE, output=RATE)),))
TURNS = ("t1", "t2")
amounts = st.sampled_from([Decimal("0.002"), Decimal("0.01"), Decimal("0.03")])


def check_refused(error: BudgetExceededError, usd: Decimal) -> None:
    assert error.spent + error.held + usd > LIMIT, "refused although it fitted"


class Machine(RuleBasedStateMachine):
    """Two workers, two turns of two threads, a provider that bills what reaches it."""

    reservations, attempts = Bundle("reservations"), Bundle("attempts")

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_800_000_000.0
        budgets = (
            Budget(usd=LIMIT, per="ledger"),
            Budget(usd=Decimal(9), per="account", period="day", hard=False),
        )
        # One database in memory, used by two owners in turn.
        self.ledger = Ledger(
            "sqlite://", budgets=budgets, clock=lambda: self.now, retry_delays_s=(), owner="one"
        )
        self.fences: dict[tuple[str, str], int] = {}
        self.arrived: set[str] = set()
        self.corrected: set[str] = set()

    def teardown(self) -> None:
        self.ledger.close()

    def call(self, turn: str) -> Call:
        return Call(
            attribution=CostAttribution(account="a", thread=turn, turn=turn), vendor="v", model="m"
        )

    @rule(owner=st.sampled_from(["one", "two"]), turn=st.sampled_from(TURNS))
    def admit(self, owner: str, turn: str) -> None:
        self.ledger.store.owner = owner
        try:
            admission = self.ledger.store.run(admit, turn, thread=turn)
        except TurnConflictError:
            return
        if admission.status in ("new", "running"):
            self.fences[owner, turn] = admission.fence

    @rule(owner=st.sampled_from(["one", "two"]), turn=st.sampled_from(TURNS), ends=st.booleans())
    def go_on(self, owner: str, turn: str, ends: bool) -> None:
        fence = self.fences.get((owner, turn))
        if fence is None:
            return
        newest = max(mine for (_, its), mine in self.fences.items() if its == turn)
        self.ledger.store.owner = owner
        try:
            self.ledger.store.run(finish if ends else renew, turn, fence=fence)
        except FencedError:
            return
        assert fence == newest, "a worker that was shut out went on"

    @rule(target=reservations, name=st.integers(0, 5), turn=st.sampled_from(TURNS), usd=amounts)
    def reserve(self, name: int, turn: str, usd: Decimal) -> Any:
        try:
            return self.ledger.store.run(
                reserve, self.call(turn), reservation=f"r{name}", usd=usd
            ).id
        except BudgetExceededError as error:
            check_refused(error, usd)
            return multiple()

    @rule(
        target=attempts,
        name=st.integers(0, 5),
        turn=st.sampled_from(TURNS),
        owner=st.sampled_from(["one", "two"]),
        usd=amounts,
        reservation=st.none() | reservations,
        sha=st.sampled_from(["x", "x", "x", "y"]),
        arrives=st.booleans(),
    )
    def begin(
        self,
        name: int,
        turn: str,
        owner: str,
        usd: Decimal,
        reservation: str | None,
        sha: str,
        arrives: bool,
    ) -> Any:
        self.ledger.store.owner, fence = owner, self.fences.get((owner, turn))
        given = {
            "call_id": f"{turn}c{name}",
            "request_sha": sha,
            "usd": usd,
            "reservation": reservation,
        }
        try:
            begun = self.ledger.store.run(begin, self.call(turn), **given, fence=fence)  # type: ignore[arg-type]
        except FencedError:
            assert fence != max(mine for (_, its), mine in self.fences.items() if its == turn)
            return multiple()
        except BudgetExceededError as error:
            check_refused(error, usd)
            return multiple()
        assert begun.attempt_id is not None
        if begun.reply is None:
            assert begun.attempt_id not in self.arrived, "an attempt was sent twice"
            if arrives:
                self.arrived.add(begun.attempt_id)
        return begun.attempt_id

    @rule(attempt=attempts)
    def answer(self, attempt: str) -> None:
        if attempt in self.arrived:
            told = AttemptResponse(
                attempt_id=attempt, response="{}", usage=USED, provider_id=f"p{attempt[:3]}"
            )
            self.ledger.store.run(answer, told)

    @rule(attempt=attempts)
    def settle(self, attempt: str) -> None:
        if attempt in self.arrived:
            self.ledger.store.run(settle, self.settlement(attempt))

    @rule(attempt=attempts)
    def lose(self, attempt: str) -> None:
        self.ledger.store.run(mark_unknown, UnknownOutcome(attempt_id=attempt, why="cut"))

    @rule(attempt=attempts)
    def refuse(self, attempt: str) -> None:
        if attempt not in self.arrived:
            self.ledger.store.run(release, Released(attempt_id=attempt, why="429"))

    @rule(attempt=attempts)
    def give_back(self, attempt: str) -> None:
        try:
            self.ledger.store.run(correct_closed, attempt, Decimal(0), note="refund")
        except LedgerError:
            return
        self.corrected.add(attempt)

    @rule(seconds=st.sampled_from([1, 30, 61, 90_000]))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(asked=st.booleans())
    def sweep(self, asked: bool) -> None:
        lookup = (
            (lambda a: ProviderRecord(usage=USED) if a.attempt_id in self.arrived else "absent")
            if asked
            else None
        )
        self.ledger.sweep(PRICES, lookup=lookup)  # type: ignore[arg-type]

    def settlement(self, attempt: str) -> Settlement:
        charge = Charge(
            id=attempt,
            kind="completion",
            attempt_id=attempt,
            vendor="v",
            model="m",
            usage=USED,
            amount_usd=COST,
        )
        return Settlement(charge=charge)

    @invariant()
    def everything_adds_up(self) -> None:
        assert self.ledger.verify() == []

    @invariant()
    def the_limit_holds(self) -> None:
        """Only a charge above its hold may pass it, and this provider makes none."""
        rows = self.ledger.store.run(
            lambda tx: tx.conn.execute(
                window_t.select().where(window_t.c.budget_id.like("ledger%"))
            ).all()
        )
        assert (
            all(row.settled_nano + row.held_nano <= LIMIT * 10**9 for row in rows) or self.overran()
        )

    def overran(self) -> bool:
        """A late true-up of a released or corrected attempt is charged whatever is left: the money
        was spent.
        """
        late = ("true_up", "correction")
        return bool(
            self.ledger.store.run(
                lambda tx: tx.conn.execute(entry_t.select().where(entry_t.c.kind.in_(late))).first()
            )
        )

    @invariant()
    def what_arrived_is_paid_once_it_is_closed(self) -> None:
        attempts, entries = self.ledger.store.run(
            lambda tx: (
                tx.conn.execute(attempt_t.select()).all(),
                tx.conn.execute(entry_t.select()).all(),
            )
        )
        for row in attempts:
            mine = [entry for entry in entries if entry.attempt_id == row.attempt_id]
            net = sum(entry.amount_nano for entry in mine)
            assert sum(entry.kind == "charge" for entry in mine) <= 1
            if row.attempt_id in self.corrected:
                continue
            if row.state in OPEN_STATES:
                assert net == 0
            elif row.attempt_id in self.arrived:
                assert net > 0 or row.basis == "released"
            else:
                assert net == 0 or row.estimated, (
                    "what never arrived is charged only as a marked guess"
                )


Machine.TestCase.settings = settings(
    max_examples=int(os.environ.get("MODEL_RUNS", "50")),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestModel = Machine.TestCase
