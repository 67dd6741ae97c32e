"""The life of an attempt in the ledger: held, sent, answered, charged once, whatever dies in
between.
"""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text

from turngraph.billing.budget import Budget
from turngraph.billing.errors import LedgerError, UncappedError
from turngraph.billing.leases.leases import admit
from turngraph.billing.store.attempts import begin
from turngraph.billing.store.calls import (
    AttemptResponse,
    Call,
    ChargedResponse,
    CostAttribution,
    Released,
    Settled,
    StartedAttempt,
    UnknownOutcome,
)
from turngraph.billing.store.outcomes import expire, mark_unknown, release
from turngraph.billing.store.settlement import correct_closed, settle_all, settle_answer
from turngraph.billing.store.transaction import LedgerTransaction
from turngraph.state.result import PriceUsed
from turngraph.state.usage import Usage

Open = Callable[..., Any]
HARD = Budget(usd=Decimal(1))


def test_an_answered_call_is_charged_once(open_book: Open) -> None:
    """The whole way: held, sent, answered, settled; the hold is gone and the charge stands."""
    book = open_book(HARD)
    held = book.reserve()
    begun = book.begin(reservation=held.id)
    assert (begun.attempt_id, begun.number, begun.held_usd) == ("c.1", 1, Decimal("0.01"))
    assert book.window("turn:u") == (0, Decimal("0.01"))
    assert book.answer("c.1")
    assert book.settle("c.1").first
    assert book.window("turn:u") == (Decimal("0.004"), 0)
    assert book.rows("SELECT * FROM turn_bill")[0]["amount_nano"] == 4_000_000
    assert book.verified()


def test_settling_again_changes_nothing(open_book: Open) -> None:
    """A resumed `bill` runs twice; the account is charged once."""
    book = open_book(HARD)
    book.paid()
    again = book.settle("c.1", "0.009")
    assert (again.first, again.amount_usd) == (False, Decimal("0.004"))
    assert len(book.rows("SELECT * FROM entry")) == 1
    assert book.verified()


def test_an_answer_and_its_charge_are_kept_together_and_once(
    open_book: Open, settlement_of: Any
) -> None:
    """Played back from the spool after all, the pair changes nothing."""
    book = open_book(HARD)
    book.begin()
    response = AttemptResponse(attempt_id="c.1", response="{}", usage=Usage(input_tokens=10))
    both = ChargedResponse(response=response, settlement=settlement_of("c.1", "0.004"))
    keep = partial(book.ledger.store.run_or_spool, settle_answer)
    assert [keep(both), keep(both)] == [
        (True, Settled(True, Decimal("0.004"))),
        (True, Settled(False, Decimal("0.004"))),
    ]
    assert (book.row("c.1")["state"], book.row("c.1")["response"]) == ("settled", "{}")
    assert book.window("turn:u") == (Decimal("0.004"), 0)
    assert book.begin().reply == "{}"
    assert book.verified()


def test_an_answer_of_a_turn_that_was_taken_over_is_charged_and_refused(
    open_book: Open, settlement_of: Any
) -> None:
    """The money was spent; the turn is another worker's."""
    book = open_book()
    fence = book.ledger.store.run(admit, "u").fence
    book.begin(fence=fence)
    book.clock.now += 61
    assert open_book().ledger.store.run(admit, "u").fence == fence + 1
    response = AttemptResponse(attempt_id="c.1", response="{}")
    both = ChargedResponse(response=response, settlement=settlement_of("c.1", "0.004"))
    assert book.ledger.store.run(settle_answer, both) == (False, Settled(True, Decimal("0.004")))


def test_a_turn_that_is_opened_by_its_first_call_is_opened_once(book: Any) -> None:
    """A commit whose confirmation was lost is made again, and finds itself."""

    def begin_again(tx: LedgerTransaction) -> list[StartedAttempt]:
        how: dict[str, Any] = {
            "call_id": "c",
            "request_sha": "x",
            "usd": None,
            "fence": 1,
            "opens_turn": True,
        }
        return [begin(tx, book.call, **how) for _ in range(2)]

    first, again = book.ledger.store.run(begin_again)
    assert first == again
    rows = book.rows("SELECT turn_id, thread_id, account, status, fence FROM turn")
    assert [tuple(row.values()) for row in rows] == [("u", None, "acme", "running", 1)]


def test_a_reservation_made_again_is_the_same(open_book: Open) -> None:
    """A stage killed after it reserved runs again with the same id, and must not hold twice."""
    book = open_book(HARD)
    first = book.reserve()
    book.clock.now += 30
    assert book.reserve(usd="0.02") == first
    assert book.window("turn:u") == (0, Decimal("0.01"))
    assert book.rows("SELECT lease_until FROM attempt")[0]["lease_until"] == book.clock.now + 60


def test_under_a_budget_nothing_is_held_for_an_answer_without_a_cap(open_book: Open) -> None:
    """Such an answer has no worst case."""
    book = open_book(HARD)
    with pytest.raises(UncappedError):
        book.reserve(capped=False)
    assert book.rows("SELECT * FROM attempt") == []


def test_a_reservation_is_used_by_one_call_only(open_book: Open) -> None:
    """A fork from after the reservation is another call: it holds its own money."""
    book = open_book(HARD)
    held = book.reserve()
    book.begin("c", reservation=held.id)
    assert book.begin("fork", reservation=held.id).attempt_id == "fork.1"
    assert book.window("turn:u") == (0, Decimal("0.02"))
    assert book.reserve() == held
    assert book.verified()


def test_a_call_without_a_budget_is_kept_just_so(book: Any) -> None:
    """There is nothing to hold against; the attempt is a row, and costs what it costs."""
    held = book.reserve()
    assert book.begin(reservation=held.id).held_usd == Decimal("0.01")
    book.settle("c.1")
    book.reserve("gone")
    book.clock.now += 61
    assert book.ledger.store.run(expire, 100) == (1, 0)
    assert book.rows("SELECT * FROM hold") == []
    assert book.verified()


def test_a_reservation_that_became_too_small_is_replaced(open_book: Open) -> None:
    """The request was edited after it was prepared: the larger amount replaces the smaller."""
    book = open_book(HARD)
    held = book.reserve(usd="0.01")
    assert book.begin(reservation=held.id, usd="0.05").held_usd == Decimal("0.05")
    assert book.window("turn:u") == (0, Decimal("0.05"))
    assert book.verified()


def test_a_settled_answer_is_used_again_and_not_called_again(book: Any) -> None:
    """The memo: a resume finds the answer that was paid for."""
    begun = book.begin()
    book.answer(begun.attempt_id)
    for _ in ("answered", "settled"):
        again = book.begin()
        assert (again.attempt_id, again.reply) == ("c.1", '{"text": "4"}')
        book.settle("c.1")
    assert len(book.rows("SELECT * FROM attempt")) == 1


def test_another_request_under_the_same_call_is_a_new_attempt(book: Any) -> None:
    """A stored answer to another question must not be taken for this one's."""
    begun = book.begin()
    book.answer(begun.attempt_id)
    book.settle(begun.attempt_id)
    assert book.begin(request_sha="other").attempt_id == "c.2"


def test_what_a_dead_worker_sent_is_unknown_and_the_call_is_made_again(open_book: Open) -> None:
    """Nobody knows whether the first arrived, so it keeps its hold until somebody finds out."""
    dead, book = open_book(HARD), open_book(HARD)
    dead.begin()
    begun = book.begin()
    assert (begun.attempt_id, begun.number, begun.interrupted) == ("c.2", 2, ("c.1",))
    assert book.row("c.1")["state"] == "unknown"
    assert book.window("turn:u") == (0, Decimal("0.02"))
    assert book.verified()


def test_a_tool_that_must_not_run_twice_is_not_begun_again(open_book: Open) -> None:
    """Its outcome is unknown; the model is told so instead."""
    dead, book = open_book(), open_book()
    call = Call(kind="tool", tool="send_mail")
    dead.begin(call=call)
    begun = book.begin(call=call, repeat=False)
    assert (begun.attempt_id, begun.interrupted) == (None, ("c.1",))
    assert book.begin(call=call, repeat=False).interrupted == ("c.1",)
    assert book.begin(name="first", call=call, repeat=False).attempt_id == "first.1"


def test_a_refused_attempt_costs_nothing(open_book: Open) -> None:
    """A 429 was not billed: its hold is let go, and it is over."""
    book = open_book(HARD)
    begun = book.begin()
    assert book.ledger.store.run(release, Released(attempt_id=begun.attempt_id, why="429"))
    assert not book.ledger.store.run(release, Released(attempt_id=begun.attempt_id, why="429"))
    assert book.window("turn:u") == (0, 0)
    assert book.begin().attempt_id == "c.2"
    assert book.verified()


def test_a_real_amount_after_a_guess_is_a_further_entry(open_book: Open) -> None:
    """A late answer from a thawed worker corrects the estimate; nothing is overwritten."""
    book = open_book(HARD)
    book.begin()
    assert book.ledger.store.run(
        mark_unknown, UnknownOutcome(attempt_id="c.1", why="cut", estimate=Usage(input_tokens=1))
    )
    book.settle("c.1", "0.01", estimated=True, basis="max")
    late = book.settle("c.1", "0.004")
    assert (late.first, late.amount_usd) == (False, Decimal("0.004"))
    entries = book.rows("SELECT rev, kind, amount_nano FROM entry ORDER BY rev")
    assert [(e["rev"], e["kind"], e["amount_nano"]) for e in entries] == [
        (1, "charge", 10_000_000),
        (2, "true_up", -6_000_000),
    ]
    assert book.settle("c.1", "0.004").amount_usd == Decimal("0.004")
    assert book.window("turn:u") == (Decimal("0.004"), 0)
    assert book.row("c.1")["basis"] == "actual"
    assert book.verified()


def test_a_real_amount_after_a_release_is_charged_too(open_book: Open) -> None:
    """Released for "absent", and then the vendor's invoice has it: the money was spent."""
    book = open_book(HARD)
    book.begin()
    book.ledger.store.run(release, Released(attempt_id="c.1", why="absent"))
    assert book.settle("c.1", "0.004").amount_usd == Decimal("0.004")
    assert book.window("turn:u") == (Decimal("0.004"), 0)
    assert book.verified()


def test_a_second_guess_changes_nothing(book: Any) -> None:
    """Two sweepers estimate the same attempt; the first word stands until somebody knows."""
    book.begin()
    book.settle("c.1", "0.01", estimated=True)
    assert book.settle("c.1", "0.02", estimated=True).amount_usd == Decimal("0.01")
    assert book.settle("c.1", None).amount_usd == Decimal("0.01")
    assert book.settle("c.1", "0.01").amount_usd == Decimal("0.01")
    assert book.settle("c.1", "0.02").amount_usd == Decimal("0.01")


def test_an_overrun_is_charged_in_full_and_marked(open_book: Open) -> None:
    """The vendor bills what it bills; the next call finds the budget used up."""
    book = open_book(HARD)
    book.begin()
    settled = book.settle("c.1", "1.5")
    assert settled.overrun
    assert book.row("c.1")["overrun"]
    assert book.window("turn:u") == (Decimal("1.5"), 0)
    assert book.verified()


def test_a_correction_is_a_signed_entry_with_its_reason(open_book: Open) -> None:
    """An invoice says otherwise, or money is given back: the history stays readable."""
    book = open_book(HARD)
    book.paid("0.004")
    assert book.ledger.store.run(correct_closed, "c.1", Decimal(0), note="refund").amount_usd == 0
    assert book.ledger.store.run(correct_closed, "c.1", Decimal(0), note="refund").amount_usd == 0
    assert [row["note"] for row in book.rows("SELECT note FROM entry ORDER BY rev")] == [
        None,
        "refund",
    ]
    assert book.window("turn:u") == (0, 0)
    assert book.verified()


@pytest.mark.parametrize("state", ["not in this ledger", "sent"])
def test_only_a_closed_attempt_can_be_corrected(book: Any, state: str) -> None:
    """An open one is settled."""
    if state == "sent":
        book.begin()
    with pytest.raises(LedgerError, match=f"`c.1` is {state}"):
        book.ledger.store.run(correct_closed, "c.1", Decimal(0), note="no")


def test_an_attempt_nobody_began_cannot_be_settled(book: Any) -> None:
    """A charge without an attempt is a mistake in the caller."""
    with pytest.raises(LedgerError, match="No attempt `x"):
        book.settle("x.1")


def test_entries_are_never_changed(book: Any) -> None:
    """The database itself refuses: an amount that can be rewritten proves nothing."""
    book.paid()
    for sql in ("UPDATE entry SET amount_nano = 0", "DELETE FROM entry"):
        with pytest.raises(LedgerError, match=r"by a rule of its tables.*append-only"):
            book.ledger.store.run(lambda tx, sql=sql: tx.conn.execute(text(sql)))


def test_a_rule_of_the_tables_is_a_named_error(book: Any) -> None:
    """Not an error of SQLAlchemy: whoever catches the ledger's errors would miss it."""
    book.paid()
    broken = "UPDATE attempt SET state = 'nowhere'"
    with pytest.raises(LedgerError, match=r"by a rule of its tables.*Nothing was written"):
        book.ledger.store.run(lambda tx: tx.conn.execute(text(broken)))


@pytest.mark.parametrize("error", [TypeError("unsupported"), KeyError("name"), ValueError("no")])
def test_an_error_in_an_operation_is_no_damaged_row(book: Any, error: Exception) -> None:
    """A person would restore a backup for a mistake in a program."""

    def fail(tx: object) -> None:
        raise error

    for run in (book.ledger.store.run, book.ledger.store.read):
        with pytest.raises(type(error)) as caught:
            run(fail)
        assert caught.value is error


def test_a_vendors_id_that_repeats_does_not_lose_a_charge(book: Any) -> None:
    """Some vendors send the same id twice, or an empty one. The charge counts in any case."""
    for name, vendor_id in (("a", "resp_1"), ("b", "resp_1"), ("c", ""), ("d", "")):
        begun = book.begin(name)
        assert book.answer(begun.attempt_id, provider_id=vendor_id)
        book.settle(begun.attempt_id, provider_id=vendor_id)
    ids = [
        row["provider_id"]
        for row in book.rows("SELECT provider_id FROM attempt ORDER BY attempt_id")
    ]
    assert ids == ["resp_1", None, None, None]
    assert len(book.rows("SELECT * FROM entry")) == 4


def test_an_unpriced_charge_is_marked_and_not_free(book: Any) -> None:
    """Without a price and a ceiling the amount is unknown; reports say so."""
    book.begin(usd=None)
    book.settle("c.1", None)
    row = book.row("c.1")
    assert (row["charge_nano"], row["basis"], bool(row["unpriced"]), bool(row["estimated"])) == (
        0,
        "unpriced",
        True,
        True,
    )


def test_the_price_is_kept_once_and_named_on_the_charge(book: Any, settlement_of: Any) -> None:
    """Every charge can be computed again from its usage and its price."""
    from turngraph.billing.store.settlement import settle

    price = PriceUsed(source="override", currency="EUR", input_usd_per_mtok=Decimal(2))
    for name in ("a", "b"):
        begun = book.begin(name)
        made = settlement_of(begun.attempt_id, "0.004", http_status=200, response="{}")
        priced = made.model_copy(update={"charge": made.charge.model_copy(update={"price": price})})
        book.ledger.store.run(settle, priced)
    kept = book.rows("SELECT * FROM price")
    assert len(kept) == 1
    assert PriceUsed.model_validate_json(kept[0]["price"]) == price
    row = book.row("a.1")
    assert (row["price_id"], row["currency"], row["http_status"], row["response"]) == (
        kept[0]["price_id"],
        "USD",
        200,
        "{}",
    )


def test_several_charges_are_settled_in_one_transaction(book: Any, settlement_of: Any) -> None:
    """`bill` settles a call and its tools together, or none of them."""
    made = [settlement_of(book.begin(name).attempt_id, "0.001") for name in ("b", "a")]
    assert [one.first for one in book.ledger.store.run(settle_all, made)] == [True, True]
    open_one = settlement_of(book.begin("z").attempt_id, "0.001")
    with pytest.raises(LedgerError):
        book.ledger.store.run(settle_all, [open_one, settlement_of("zz", "0.001")])
    assert book.row("z.1")["state"] == "sent"


def test_what_a_dead_worker_held_and_never_sent_is_released(open_book: Open) -> None:
    """Nothing left the machine, so nothing is owed, and no budget is used up by the dead."""
    book = open_book(HARD)
    book.reserve("never sent")
    book.begin("sent")
    book.clock.now += 61
    book.reserve("alive")
    assert book.ledger.store.run(expire, 100) == (1, 1)
    assert book.ledger.store.run(expire, 100) == (0, 0)
    assert book.window("turn:u") == (0, Decimal("0.02"))
    assert book.row("sent.1")["state"] == "unknown"
    assert book.verified()


def test_a_late_answer_to_an_unknown_attempt_is_kept(book: Any) -> None:
    """The worker was slow, not dead."""
    book.begin()
    book.ledger.store.run(mark_unknown, UnknownOutcome(attempt_id="c.1", why="lease"))
    assert not book.ledger.store.run(mark_unknown, UnknownOutcome(attempt_id="c.1", why="lease"))
    assert book.answer("c.1")
    assert book.row("c.1")["state"] == "answered"


def test_tags_and_seams_stand_on_the_row(book: Any) -> None:
    """Reports group by them."""
    call = Call(
        attribution=CostAttribution(account="a", api_key_id="k", tags=("y", "x", "x")),
        kind="plugin",
        plugin="p",
        connection="db",
        tool="t",
        seq=3,
    )
    row = book.row(book.begin(call=call).attempt_id)
    assert (row["tags"], row["api_key_id"], row["plugin"], row["connection"], row["call_seq"]) == (
        '["x", "y"]',
        "k",
        "p",
        "db",
        3,
    )
