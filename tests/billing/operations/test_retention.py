"""What was said is forgotten when nobody can need it any more; what it cost is not."""

from datetime import UTC, datetime
from typing import Any

import pytest

from turngraph.billing.leases.leases import admit, finish
from turngraph.billing.operations.attempt_rows import attempt_rows
from turngraph.billing.operations.retention import forget_answers


def forget(book: Any, **more: Any) -> int:
    """Forget what was closed until a moment ago."""
    return int(
        book.ledger.store.run(forget_answers, datetime.fromtimestamp(book.clock.now, UTC), **more)
    )


def kept(book: Any) -> list[str]:
    """The attempts whose answers are there."""
    return [
        row["attempt_id"]
        for row in book.rows("SELECT attempt_id FROM attempt WHERE response IS NOT NULL")
    ]


def answered(book: Any, name: str) -> None:
    """A call that was answered and charged."""
    begun = book.begin(name)
    book.answer(begun.attempt_id)
    book.settle(begun.attempt_id)


@pytest.mark.parametrize(("status", "left"), [("running", ["c.1"]), ("done", []), (None, [])])
def test_only_a_turn_that_is_over_is_forgotten(
    book: Any, status: str | None, left: list[str]
) -> None:
    """A running turn may be resumed, and would pay again without its stored answers."""
    if status is not None:
        admission = book.ledger.store.run(admit, "u", thread="t")
    answered(book, "c")
    if status == "done":
        book.ledger.store.run(finish, "u", fence=admission.fence)
    assert forget(book) == 0, "it was closed just now"
    book.clock.now += 1
    assert forget(book) == 1 - len(left)
    assert kept(book) == left
    assert forget(book) == 0


def test_what_is_not_charged_yet_is_kept(book: Any) -> None:
    """Its usage is settled first, whoever does it."""
    book.answer(book.begin("c").attempt_id)
    book.clock.now += 1
    assert (forget(book), kept(book)) == (0, ["c.1"])


def test_amounts_and_usage_stay_and_a_limit_holds(book: Any) -> None:
    """Reports say the same before and after; a large ledger is cleaned in pieces, so that no worker
    waits long.
    """
    for name in ("a", "b", "c"):
        answered(book, name)
    book.clock.now += 1
    before = book.ledger.store.read(lambda tx: list(attempt_rows(tx)))
    assert [forget(book, limit=2) for _ in range(3)] == [2, 1, 0]
    assert book.ledger.store.read(lambda tx: list(attempt_rows(tx))) == before
    assert book.verified()
    assert book.begin("a").reply is None, "a call whose answer was forgotten is made again"
