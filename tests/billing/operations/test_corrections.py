"""A person decides what an attempt cost, whether its outcome is unknown or it was charged."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from turngraph.billing.budget import Budget
from turngraph.billing.errors import LedgerError
from turngraph.billing.store.calls import UnknownOutcome
from turngraph.billing.store.outcomes import mark_unknown
from turngraph.state.usage import Usage

SEEN = Usage(output_tokens=3)


@pytest.fixture
def book(open_book: Callable[..., Any]) -> Any:
    """One unknown attempt, one charged, one under way."""
    book = open_book(Budget(usd=Decimal(1)))
    book.begin()
    book.ledger.store.run(mark_unknown, UnknownOutcome(attempt_id="c.1", why="cut", estimate=SEEN))
    book.paid("0.004", "paid")
    book.begin("sent")
    return book


@pytest.mark.parametrize("usd", ["0", "0.002", "3"])
def test_an_unknown_attempt_is_closed_with_what_a_person_says(book: Any, usd: str) -> None:
    """The amount may be nothing, or less or more than was held. It is charged once."""
    settled = book.ledger.correct("c.1", Decimal(usd), note="invoice 4711")
    assert (settled.first, settled.amount_usd) == (True, Decimal(usd))
    row = book.row("c.1")
    assert (row["state"], row["basis"], row["note"]) == ("settled", "manual", "invoice 4711")
    assert (bool(row["estimated"]), row["usage"]) == (
        False,
        SEEN.model_dump_json(exclude_none=True),
    )
    assert book.window("turn:u") == (Decimal("0.004") + Decimal(usd), Decimal("0.01"))
    assert book.verified()


def test_what_was_charged_is_corrected_by_a_further_entry(book: Any) -> None:
    """A refund is the lower amount; what was entered first stays."""
    assert book.ledger.correct("paid.1", Decimal("0.001"), note="refund").amount_usd == Decimal(
        "0.001"
    )
    entries = book.rows("SELECT kind, amount_nano, note FROM entry ORDER BY rev")
    assert [tuple(entry.values()) for entry in entries] == [
        ("charge", 4_000_000, None),
        ("correction", -3_000_000, "refund"),
    ]
    assert book.verified()


@pytest.mark.parametrize(
    ("attempt", "usd", "says"),
    [
        ("sent.1", "0.1", "`sent.1` is sent, not closed"),
        ("nobody.1", "0.1", "`nobody.1` is not in this ledger"),
        ("c.1", "-0.1", "cannot cost -0.1 USD"),
    ],
)
def test_what_cannot_be_decided_is_named(book: Any, attempt: str, usd: str, says: str) -> None:
    """A worker may still be at it; a slip of the pen must not make a debt."""
    with pytest.raises(LedgerError, match=says):
        book.ledger.correct(attempt, Decimal(usd), note="")
