"""The thread that keeps leases alive: it renews, it notices a turn that is lost, and it outlives a
database that is not there for a moment.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from turngraph.billing.leases.leases import admit

Open = Callable[..., Any]
LEASE_S = 0.09


def until(true: Callable[[], bool]) -> None:
    """Wait for it, half a minute at most."""
    for _ in range(3000):
        if true():
            return
        time.sleep(0.01)
    pytest.fail("it did not come about")


def held(book: Any) -> int:
    """Admit a turn and keep its lease; its fence."""
    asked = book.ledger.store.now()
    fence = book.ledger.store.run(admit, "u", thread="t").fence
    book.ledger.leases.start_renewing("u", fence, asked)
    return int(fence)


def lease_from(book: Any) -> float:
    return float(book.rows("SELECT lease_until FROM turn")[0]["lease_until"])


def test_a_lease_is_renewed_as_long_as_it_is_held(open_book: Open) -> None:
    """A turn that takes longer than its lease stays its worker's."""
    book = open_book(lease_s=LEASE_S, clock=time.time)
    fence = held(book)
    first = lease_from(book)
    until(lambda: lease_from(book) > first + LEASE_S)
    assert book.ledger.leases.stop_renewing("u", fence)


def test_a_turn_that_was_taken_over_is_renewed_no_more(open_book: Open) -> None:
    """Its heir has it: there is nothing left to let go."""
    book = open_book(lease_s=LEASE_S, clock=time.time)
    fence = held(book)
    book.rows("UPDATE turn SET fence = fence + 1 RETURNING fence")
    until(lambda: not book.ledger.leases._fences)
    assert not book.ledger.leases.stop_renewing("u", fence)


def test_a_database_that_is_away_for_a_moment_loses_no_lease(
    open_book: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said, and tried again: another worker may not have come yet."""
    book = open_book(lease_s=LEASE_S, clock=time.time, retry_delays_s=())

    def away(*_: Any) -> None:
        raise OperationalError("away", {}, OSError())

    fence = held(book)
    event.listen(book.ledger.store.engine, "before_cursor_execute", away)
    until(lambda: "lease of turn u was not renewed" in caplog.text)
    event.remove(book.ledger.store.engine, "before_cursor_execute", away)
    first = lease_from(book)
    until(lambda: lease_from(book) > first + LEASE_S)
    assert book.ledger.leases.stop_renewing("u", fence)


def test_one_thread_keeps_many_leases_and_ends_with_the_last(open_book: Open) -> None:
    """A worker with a hundred turns has one thread for them, and none when it is idle."""
    book = open_book(lease_s=LEASE_S, clock=time.time)
    leases = book.ledger.leases
    fences = {turn: book.ledger.store.run(admit, turn).fence for turn in ("u", "v")}
    for turn, fence in fences.items():
        leases.start_renewing(turn, fence, time.time())
    assert leases._thread is not None
    for turn, fence in fences.items():
        assert leases.stop_renewing(turn, fence)
    until(lambda: leases._thread is None)


def test_a_closed_ledger_renews_nothing_and_leaves_no_connection_open(open_book: Open) -> None:
    """The thread may be in the middle of a renewal when the ledger is closed."""
    book = open_book(lease_s=LEASE_S, clock=time.time)
    held(book)
    in_renewal, may_go_on = threading.Event(), threading.Event()

    def wait_once(*_: Any) -> None:
        in_renewal.set()
        may_go_on.wait(60)

    event.listen(book.ledger.store.engine, "before_cursor_execute", wait_once)
    assert in_renewal.wait(60)
    pool = book.ledger.store.engine.pool
    closing = threading.Thread(target=book.ledger.close)
    closing.start()
    closing.join(0.05)
    assert closing.is_alive()  # it waits for the renewal
    may_go_on.set()
    closing.join(60)
    assert book.ledger.leases._thread is None
    assert pool.checkedout() == 0
