"""What dead workers leave: released, found out, or charged by policy; and proof that the sums
agree.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from turngraph.billing.budget import Budget
from turngraph.billing.operations.results import Swept
from turngraph.billing.operations.sweeper import Outstanding, ProviderRecord
from turngraph.billing.pricing.prices import Prices
from turngraph.billing.store.calls import Call, UnknownOutcome
from turngraph.billing.store.outcomes import mark_unknown
from turngraph.state.usage import Usage

Open = Callable[..., Any]
HARD = Budget(usd=Decimal(1))
SEEN = Usage(input_tokens=1000, output_tokens=100)
SEEN_USD = Decimal("0.00225")  # gpt-5: 1.25 and 10 USD per million tokens


@pytest.fixture
def book(open_book: Open) -> Any:
    return open_book(HARD)


def test_a_dead_worker_leaves_no_holds(book: Any) -> None:
    """Reserved: released. Sent: charged by policy. Answered: charged what it says."""
    book.reserve("reserved")
    book.begin("sent")
    book.answer(book.begin("answered").attempt_id)
    assert book.ledger.sweep(Prices()) == Swept()
    book.clock.now += 61
    assert book.ledger.sweep(Prices()) == Swept(released=1, unknown=1, settled=2)
    assert book.row("answered.1")["charge_nano"] == 62_500
    assert (book.row("sent.1")["charge_nano"], book.row("sent.1")["basis"]) == (10_000_000, "max")
    assert book.window("turn:u") == (Decimal("0.0100625"), 0)
    assert book.ledger.sweep(Prices()) == Swept()
    assert book.verified()


@pytest.mark.parametrize(
    ("policy", "seen", "basis", "usd"),
    [
        ("estimate", SEEN, "estimated", SEEN_USD),
        ("estimate", None, "max", Decimal("0.01")),
        ("max", SEEN, "max", Decimal("0.01")),
        ("manual", SEEN, None, None),
    ],
)
def test_what_nobody_can_find_out_is_charged_by_policy(
    book: Any, policy: Any, seen: Usage | None, basis: str | None, usd: Decimal | None
) -> None:
    """What was seen of it, or what was held, and marked; or a person decides."""
    book.begin()
    book.ledger.store.run(mark_unknown, UnknownOutcome(attempt_id="c.1", why="cut", estimate=seen))
    swept = book.ledger.sweep(Prices(), policy=policy)
    row = book.row("c.1")
    if usd is None:
        assert (swept.left, row["state"]) == (1, "unknown")
        return
    assert (swept.settled, row["basis"], row["charge_nano"]) == (1, basis, int(usd * 10**9))
    assert row["estimated"]
    assert book.verified()


def test_a_fresh_doubt_is_left_in_peace(book: Any) -> None:
    """A late answer may still come; it is waited for before anything is charged by policy."""
    book.begin()
    book.ledger.store.run(mark_unknown, UnknownOutcome(attempt_id="c.1", why="cut"))
    assert book.ledger.sweep(Prices(), quiet_s=300) == Swept()
    book.clock.now += 300
    assert book.ledger.sweep(Prices(), quiet_s=300).settled == 1


@pytest.mark.parametrize(
    ("says", "state", "basis", "nano"),
    [
        (
            ProviderRecord(usage=SEEN, response="{}", provider_id="resp_1"),
            "settled",
            "reconciled",
            2_250_000,
        ),
        (ProviderRecord(usage=None), "settled", "reconciled", 10_000_000),
        ("absent", "released", "released", 0),
        (None, "settled", "max", 10_000_000),
    ],
)
def test_the_vendor_is_asked_first(book: Any, says: Any, state: str, basis: str, nano: int) -> None:
    """ProviderRecord: its usage. Certainly absent: nothing. It cannot tell: the policy."""
    book.begin()
    book.ledger.store.run(mark_unknown, UnknownOutcome(attempt_id="c.1", why="cut"))
    asked: list[Outstanding] = []

    def lookup(attempt: Outstanding) -> Any:
        asked.append(attempt)
        return says

    book.ledger.sweep(Prices(), lookup=lookup)
    assert [attempt.attempt_id for attempt in asked] == ["c.1"]
    row = book.row("c.1")
    assert (row["state"], row["basis"], row["charge_nano"]) == (state, basis, nano)
    assert book.verified()


def test_what_has_no_price_is_marked_by_the_sweeper_too(open_book: Open) -> None:
    """No hold, no price: the row says that nobody knows."""
    book = open_book()
    book.begin(usd=None, call=Call(vendor="nobody", model="x"))
    book.ledger.store.run(mark_unknown, UnknownOutcome(attempt_id="c.1", why="cut", estimate=SEEN))
    book.begin("d", usd=None, call=Call(kind="tool", tool="t"))
    book.ledger.store.run(mark_unknown, UnknownOutcome(attempt_id="d.1", why="cut", estimate=SEEN))
    assert book.ledger.sweep(Prices()).settled == 2
    assert [book.row(name)["basis"] for name in ("c.1", "d.1")] == ["unpriced", "unpriced"]


def test_a_tool_is_charged_what_was_held_for_it(book: Any) -> None:
    """Its price is per call, and that is what was held."""
    call = Call(kind="plugin", tool="search", plugin="search")
    book.answer(book.begin(call=call).attempt_id)
    book.clock.now += 61
    assert [one.kind for one in book.ledger.outstanding()] == ["plugin"]
    book.ledger.sweep(Prices())
    assert book.row("c.1")["charge_nano"] == 10_000_000


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (
            "UPDATE attempt SET charge_nano = 5 WHERE attempt_id = 'c.1'",
            "Attempt `c.1` is settled at 5",
        ),
        (
            "UPDATE attempt SET state = 'sent', charge_nano = NULL WHERE attempt_id = 'c.1'",
            "Attempt `c.1` is sent",
        ),
        ("UPDATE budget_window SET settled_nano = 1", "Budget `turn:u` (always) has 1 settled"),
        ("UPDATE budget_window SET held_nano = 1", "0 settled and 1 held"),
        ("DELETE FROM attempt WHERE attempt_id = 'c.1'", "An entry names attempt `c.1`, which"),
    ],
)
def test_what_does_not_add_up_is_named(book: Any, damage: str, says: str) -> None:
    """A check that never fails proves nothing: each kind of damage is found."""
    book.paid()
    book.begin("open")
    book.settle("open.1", "0")
    assert book.verified()
    book.ledger.store.run(lambda tx: tx.conn.execute(text(damage)))
    found = " ".join(book.ledger.verify())
    assert says.replace("0 settled", "4000000 settled") in found
