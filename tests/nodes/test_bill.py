"""bill: everything that costs something is charged once."""

from decimal import Decimal
from typing import Any

import pytest

from tests.nodes.stages import Recorder, attempt, context_for, reply, run_stage
from turngraph.billing import Ledger, PriceOverride, Prices, ToolPrice
from turngraph.nodes.bill import bill
from turngraph.state.result import ToolRun
from turngraph.state.turn import TurnSettings
from turngraph.state.turn_error import TurnError
from turngraph.state.usage import Usage

SEARCH = Prices(tools=(ToolPrice(tool="search", usd_per_call=Decimal("0.01")),))
RATES: Any = {"input": {"usd_per_mtok": 1}, "output": {"usd_per_mtok": 2}}
PRICED = Prices((PriceOverride(vendor="openai", model="*", rates=RATES),))


def state(**keys: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "turn_id": "turn",
        "settings": None,
        "attempts": [],
        "tool_runs": [],
        "charges": [],
    }
    return {**given, **keys}


def run_of(name: str = "search", **fields: Any) -> ToolRun:
    given = {
        "call_id": "call",
        "name": name,
        "arguments": "{}",
        "status": "ok",
        "content": "found",
        "seconds": 1.0,
        "order": 0,
        **fields,
    }
    return ToolRun(**given)


def test_an_attempt_is_charged_by_its_usage() -> None:
    """Ten tokens in at 1 USD and five out at 2 USD per million."""
    seen = Recorder()
    context = context_for(prices=PRICED, subscribers=(seen,))
    settings = TurnSettings(account="acme")
    [charge] = run_stage(bill, state(attempts=[attempt()], settings=settings), context)["charges"]
    assert (charge.amount_usd, charge.estimated) == (Decimal("0.00002"), False)
    assert (charge.id, charge.kind, charge.account) == ("call1.1", "completion", "acme")
    assert seen.types == ["charge_created"]


def test_billing_twice_adds_nothing() -> None:
    """After a crash, or in a replay, the same attempts are seen again."""
    context, given = context_for(prices=PRICED), state(attempts=[attempt()])
    once = run_stage(bill, given, context)["charges"]
    assert run_stage(bill, {**given, "charges": once}, context)["charges"] == once


def test_earlier_charges_are_kept() -> None:
    """The key is replaced, so the patch holds all charges of the turn."""
    context = context_for(prices=PRICED)
    first = run_stage(bill, state(attempts=[attempt(1)]), context)["charges"]
    given = state(attempts=[attempt(1), attempt(2)], charges=first)
    both = run_stage(bill, given, context)["charges"]
    assert [charge.id for charge in both] == ["call1.1", "call2.1"]


def test_an_attempt_that_the_vendor_did_not_serve_is_free() -> None:
    """A refused connection costs nothing, so there is no row for it."""
    error = TurnError(kind="connection", message="refused")
    failed = attempt(reply=None, error=error, billed="none")
    assert run_stage(bill, state(attempts=[failed]), context_for())["charges"] == []


def test_an_answer_without_usage_is_charged_by_the_estimate() -> None:
    """And it is marked, so that nobody takes it for the vendor's count."""
    given = attempt(reply=reply(usage=None), estimate=Usage(input_tokens=100, output_tokens=50))
    [charge] = run_stage(bill, state(attempts=[given]), context_for(prices=PRICED))["charges"]
    assert (charge.amount_usd, charge.estimated) == (Decimal("0.0002"), True)


def test_what_may_have_been_served_is_unpriced_and_never_zero() -> None:
    """Nobody knows what it used."""
    lost = attempt(reply=None, error=TurnError(kind="timeout", message="slow"), billed="unknown")
    [charge] = run_stage(bill, state(attempts=[lost]), context_for(prices=PRICED))["charges"]
    assert (charge.amount_usd, charge.unpriced) == (None, True)


@pytest.mark.parametrize(
    ("status", "charged"),
    [
        ("ok", True),
        ("error", True),
        ("timeout", True),
        ("invalid", False),
        ("unknown", False),
        ("rejected", False),
    ],
)
def test_a_tool_is_charged_if_it_ran(status: str, charged: bool) -> None:
    """A call that was refused before the tool ran costs nothing."""
    given = state(tool_runs=[run_of(status=status)])
    charges = run_stage(bill, given, context_for(prices=SEARCH))["charges"]
    assert [charge.amount_usd for charge in charges] == ([Decimal("0.01")] if charged else [])


def test_a_tool_without_a_price_has_no_charge() -> None:
    """Most tools are free."""
    given = state(tool_runs=[run_of("calculator")])
    assert run_stage(bill, given, context_for(prices=SEARCH))["charges"] == []


def test_two_calls_with_the_same_id_are_two_charges() -> None:
    """Some vendors name the first call of every answer alike."""
    given = state(tool_runs=[run_of(order=0), run_of(order=1)])
    charges = run_stage(bill, given, context_for(prices=SEARCH))["charges"]
    assert [charge.id for charge in charges] == ["0:call", "1:call"]


def test_with_a_ledger_only_the_calls_that_it_knows_are_charged() -> None:
    """What it has open is charged by the sweeper, so a charge here would be a second one."""
    with Ledger("sqlite://") as ledger:
        context = context_for(prices=SEARCH, ledger=ledger)
        assert run_stage(bill, state(tool_runs=[run_of()]), context)["charges"] == []
