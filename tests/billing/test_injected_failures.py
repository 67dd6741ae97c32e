"""Failure at every Nth statement and every commit: the state recovers and the sums agree, each time."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from turngraph.billing.budgets import Budget
from turngraph.billing.errors import LedgerError
from turngraph.billing.prices import Prices
from turngraph.billing.sweeper import sweep
from turngraph.billing.turns import admit, finish, renew

Open = Callable[..., Any]
HARD = Budget(usd=Decimal(1))
BOTH = (HARD, Budget(usd=Decimal(5), per="account", period="day"))


def count(book: Any, kind: str) -> int:
    seen = [0]

    def counts(*_: Any) -> None:
        seen[0] += 1

    event.listen(book.ledger.engine, kind, counts)
    Turn(book, "whole").run()
    event.remove(book.ledger.engine, kind, counts)
    return seen[0]


@pytest.mark.parametrize("kind", ["before_cursor_execute", "after_cursor_execute", "commit"])
@pytest.mark.parametrize("retried", [True, False], ids=["tried again", "given up"])
def test_a_failure_anywhere_leaves_a_ledger_that_adds_up(open_book: Open, kind: str, retried: bool) -> None:
    """One failure a turn, each at another statement or commit; then the turn is run again, and all is paid once."""
    book = open_book(*BOTH, waits_s=(0.0,) if retried else ())
    turns = 1
    for fatal in range(1, count(book, kind) + 1):
        left = [fatal]

        def fail(*_: Any, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise OperationalError("injected", {}, OSError())

        this = Turn(book, f"u{fatal}")
        event.listen(book.ledger.engine, kind, fail)
        try:
            this.run()
        except LedgerError:
            assert not retried, f"failure {fatal} was not waited out"
        finally:
            event.remove(book.ledger.engine, kind, fail)
        this.run()
        turns += 1
        assert book.verified()
    book.clock.now += 1000
    sweep(book.ledger, Prices())
    assert book.verified()
    assert book.rows("SELECT sum(held_nano) AS held FROM budget_window")[0]["held"] == 0
    paid = book.rows("SELECT call_id, count(*) AS n FROM attempt WHERE basis = 'actual' GROUP BY call_id")
    assert len(paid) == 2 * turns
    assert {row["n"] for row in paid} == {1}


class Turn:
    """Every operation once; run again after a failure, it goes on where it can."""

    def __init__(self, book: Any, turn: str) -> None:
        self.book, self.turn = book, turn

    def run(self) -> None:
        book, turn = self.book, self.turn
        payer = book.call.payer.model_copy(update={"turn": turn, "thread": turn})
        call = book.call.model_copy(update={"payer": payer})
        admission = book.ledger.do(admit, turn, thread=turn)
        if admission.status == "done":
            return
        fence = admission.fence
        for name in (f"{turn}c", f"{turn}d"):
            held = book.reserve(f"r{name}", fence=fence, call=call)
            begun = book.begin(name, reservation=held.id, fence=fence, call=call)
            if begun.reply is None:
                book.answer(begun.attempt_id, provider_id=f"resp {begun.attempt_id}")
            book.settle(begun.attempt_id)
            book.ledger.do(renew, turn, fence=fence)
        book.ledger.do(finish, turn, fence=fence)
