"""The ledger's own methods, sync and async."""

import inspect
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from turngraph.billing.budget import Budget
from turngraph.billing.errors import LedgerError
from turngraph.billing.ledger import Ledger
from turngraph.billing.operations.results import Swept
from turngraph.billing.pricing.prices import Prices
from turngraph.billing.store.calls import UnknownOutcome
from turngraph.billing.store.outcomes import mark_unknown

Open = Callable[..., Any]
MONTHLY = Budget(usd=Decimal(20), per="account", period="month")


@pytest.fixture
def url(tmp_path: Path) -> str:
    """SQLite alone: the operations behind the methods are tested on both databases."""
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def ledger(open_book: Open) -> Ledger:
    """One settled attempt of 0.004 USD, and one of which nobody knows."""
    book = open_book()
    book.paid()
    book.begin("lost")
    book.ledger.store.run(mark_unknown, UnknownOutcome(attempt_id="lost.1", why="cut"))
    result: Ledger = book.ledger
    return result


def run(ledger: Ledger, mode: str, name: str) -> Callable[..., Any]:
    """The method `name`, or its async version, as something to call and await."""

    async def call(*args: Any, **kwargs: Any) -> Any:
        if mode == "sync":
            return getattr(ledger, name)(*args, **kwargs)
        return await getattr(ledger, f"a{name}")(*args, **kwargs)

    return call


both = pytest.mark.parametrize("mode", ["sync", "async"])


@both
async def test_budgets_are_set_listed_and_removed(ledger: Ledger, mode: str) -> None:
    """A budget is known by its id."""
    await run(ledger, mode, "set_budget")(MONTHLY)
    assert await run(ledger, mode, "list_budgets")() == (MONTHLY,)
    assert await run(ledger, mode, "remove_budget")("account-month")
    assert not await run(ledger, mode, "remove_budget")("account-month")
    assert await run(ledger, mode, "list_budgets")() == ()


@both
async def test_reports_say_what_was_spent(ledger: Ledger, mode: str, tmp_path: Path) -> None:
    """By account unless another dimension is named; of a period; attempt by attempt; as a file."""
    [line] = await run(ledger, mode, "spending")()
    assert (line.value, line.usd, line.attempts) == ("acme", Decimal("0.004"), 2)
    [model] = await run(ledger, mode, "spending")(
        by="model", since=datetime(2026, 1, 1, tzinfo=UTC)
    )
    assert model.value == "gpt-5"
    assert (await run(ledger, mode, "total")()).usd == Decimal("0.004")
    assert len((await run(ledger, mode, "turn_bill")("u")).attempts) == 2
    assert await run(ledger, mode, "export")(tmp_path / f"{mode}.csv") == 2
    other = await run(ledger, mode, "reprice")(Prices(), vendor="openai", model="gpt-5-mini")
    assert (other.attempts, other.actual_usd) == (1, Decimal("0.004"))
    assert await run(ledger, mode, "verify")() == []


@both
async def test_budget_states_say_what_is_spent_and_held(open_book: Open, mode: str) -> None:
    """The budgets given to the constructor are among them; they are not stored."""
    book = open_book(MONTHLY)
    book.begin()
    [state] = await run(book.ledger, mode, "budget_states")()
    assert state[:2] == (state.budget, state.value) == ("account-month", "acme")
    assert state.held_usd == Decimal("0.01")
    assert book.ledger.budgets == (MONTHLY,)
    assert book.ledger.list_budgets() == ()


@both
async def test_a_sweep_closes_what_is_open(ledger: Ledger, mode: str) -> None:
    """With the list prices, unless others are given."""
    assert [each.attempt_id for each in await run(ledger, mode, "outstanding")()] == ["lost.1"]
    swept = await run(ledger, mode, "sweep")(policy="manual")
    assert swept == Swept(left=1)
    swept = await run(ledger, mode, "sweep")(Prices(), policy="max")
    assert swept == Swept(settled=1)
    assert ledger.total().usd == Decimal("0.014")


@both
async def test_a_correction_takes_an_amount_as_text(ledger: Ledger, mode: str) -> None:
    """An invoice says 0.0012, and a float does not."""
    settled = await run(ledger, mode, "correct")("lost.1", "0.0012", note="invoice 4711")
    assert settled.amount_usd == Decimal("0.0012")
    assert ledger.total().usd == Decimal("0.0052")


@both
async def test_old_answers_are_forgotten(open_book: Open, mode: str) -> None:
    """By the ledger's clock; nothing is forgotten before its time."""
    book = open_book()
    started = book.begin()
    book.answer(started.attempt_id)
    book.settle(started.attempt_id)
    assert await run(book.ledger, mode, "forget_answers")(days=7) == 0
    book.clock.now += 8 * 86_400
    assert await run(book.ledger, mode, "forget_answers")(days=7) == 1
    assert book.row("c.1")["response"] is None
    with pytest.raises(LedgerError, match="`days` is -1; it must be a number of days: 0 or more"):
        await run(book.ledger, mode, "forget_answers")(days=-1)


@both
async def test_a_spool_is_played_back(ledger: Ledger, mode: str) -> None:
    """By hand, where nobody uses the ledger for a while."""
    ledger.store.spool.add("mark_unknown", UnknownOutcome(attempt_id="c.1", why="cut"))
    assert await run(ledger, mode, "play_back")() == 1


def test_every_method_that_asks_the_database_has_an_async_version() -> None:
    """With the same parameters, so that one is known when the other is."""
    own = {"open_existing"}
    methods = {
        name: method
        for name, method in inspect.getmembers(Ledger, inspect.isfunction)
        if not name.startswith("_")
    }
    asynchronous = {name for name, method in methods.items() if inspect.iscoroutinefunction(method)}
    assert {f"a{name}" for name in methods.keys() - asynchronous - own} == asynchronous
    for name in asynchronous:
        assert inspect.signature(methods[name]) == inspect.signature(methods[name[1:]])


def test_the_class_is_imported_without_sqlalchemy() -> None:
    """`from turngraph import Ledger` is on everybody's first line; the database comes when used."""
    code = (
        "import sys, turngraph.billing.ledger; "
        "found = {'sqlalchemy', 'genai_prices'} & set(sys.modules); assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


async def test_a_ledger_is_closed_without_blocking_a_loop(tmp_path: Path) -> None:
    """`close` waits for threads. What was opened again later has everything."""
    ledger = Ledger(f"sqlite:///{tmp_path}/turns.db")
    await ledger.aset_budget(Budget(usd="1"))
    await ledger.aclose()
    with Ledger(f"sqlite:///{tmp_path}/turns.db") as again:
        assert [str(budget.usd) for budget in again.list_budgets()] == ["1"]
