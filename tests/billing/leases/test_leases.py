"""One worker a turn, one turn a thread."""

from collections.abc import Callable
from typing import Any

import pytest

from turngraph.billing.errors import FencedError, TurnConflictError
from turngraph.billing.leases.leases import admit, finish, renew

Open = Callable[..., Any]


def test_a_turn_is_admitted_once(open_book: Open) -> None:
    """The second submission finds it done, and nothing runs twice."""
    book = open_book()
    first = book.ledger.store.run(admit, "u", thread="t", request_sha="x")
    assert (first.status, first.fence) == ("new", 1)
    book.ledger.store.run(finish, "u", fence=1)
    again = book.ledger.store.run(admit, "u", thread="t", request_sha="x")
    assert again.status == "done"


def test_another_worker_waits_while_the_lease_runs(open_book: Open) -> None:
    """It is told how long."""
    one, two = open_book(), open_book()
    one.ledger.store.run(admit, "u", thread="t")
    one.clock.now += 20
    for turn in ("u", "v"):
        with pytest.raises(TurnConflictError, match="lease ends in 40 s") as error:
            two.ledger.store.run(admit, turn, thread="t")
        assert (error.value.turn_id, error.value.retry_after_s) == ("u", 40.0)
    assert two.ledger.store.run(admit, "w", thread="elsewhere").status == "new"


def test_an_expired_lease_is_taken_over_and_the_old_worker_shut_out(open_book: Open) -> None:
    """A worker that was frozen and thaws must neither begin a call nor keep an answer."""
    frozen, heir = open_book(), open_book()
    old = frozen.ledger.store.run(admit, "u", thread="t")
    begun = frozen.begin(fence=old.fence)
    frozen.clock.now += 61
    new = heir.ledger.store.run(admit, "u", thread="t")
    assert (new.status, new.fence) == ("running", 2)
    assert not frozen.answer(begun.attempt_id)
    with pytest.raises(FencedError):
        frozen.begin("d", fence=old.fence)
    for late in (renew, finish):
        with pytest.raises(FencedError, match="taken over"):
            frozen.ledger.store.run(late, "u", fence=old.fence)
    frozen.settle(begun.attempt_id)
    assert heir.begin("d", fence=new.fence).attempt_id == "d.1"
    assert heir.answer("d.1")
    assert heir.rows("SELECT amount_nano FROM turn_bill")[0]["amount_nano"] == 4_000_000


def test_the_same_worker_may_resume_its_own_turn(open_book: Open) -> None:
    """A stage failed and the same process invokes again, long before the lease ends."""
    book = open_book()
    book.ledger.store.run(admit, "u", thread="t")
    assert book.ledger.store.run(admit, "u", thread="t").fence == 2


def test_a_renewed_lease_keeps_what_is_under_way(open_book: Open) -> None:
    """A stream of ten minutes is not a dead worker."""
    book, other = open_book(), open_book()
    fence = book.ledger.store.run(admit, "u", thread="t").fence
    begun = book.begin(fence=fence)
    book.clock.now += 50
    book.ledger.store.run(renew, "u", fence=fence)
    assert book.row(begun.attempt_id)["lease_until"] == book.clock.now + 60
    book.clock.now += 50
    with pytest.raises(TurnConflictError):
        other.ledger.store.run(admit, "u", thread="t")


def test_a_dead_turn_makes_way_for_the_next_of_its_thread(open_book: Open) -> None:
    """The thread goes on; the dead turn is abandoned, shut out, and may be taken up again later."""
    dead, book = open_book(), open_book()
    fence = dead.ledger.store.run(admit, "u", thread="t").fence
    dead.clock.now += 61
    assert book.ledger.store.run(admit, "v", thread="t").status == "new"
    with pytest.raises(FencedError):
        dead.ledger.store.run(renew, "u", fence=fence)
    with pytest.raises(TurnConflictError):
        dead.ledger.store.run(admit, "u", thread="t")
    book.ledger.store.run(finish, "v", fence=1, status="failed")
    assert dead.ledger.store.run(admit, "u", thread="t").status == "running"


def test_a_turns_id_belongs_to_its_request(open_book: Open) -> None:
    """An idempotency key used for another body, or by another account, is a mistake to be told."""
    book = open_book()
    book.ledger.store.run(admit, "u", account="a", request_sha="x")
    for more in ({"account": "a", "request_sha": "y"}, {"account": "b", "request_sha": "x"}):
        with pytest.raises(TurnConflictError, match="another request"):
            book.ledger.store.run(admit, "u", **more)
    assert book.ledger.store.run(admit, "u", account="a").status == "running"
    book.ledger.store.run(finish, "u", fence=2)
    with pytest.raises(TurnConflictError, match="another request"):
        book.ledger.store.run(admit, "u", account="a", request_sha="y")


def test_a_turn_without_a_thread_has_no_neighbours(open_book: Open) -> None:
    """A one-shot call without a thread is in nobody's way."""
    book = open_book()
    assert [book.ledger.store.run(admit, turn).status for turn in ("u", "v")] == ["new", "new"]
