"""Tools with a price, when they do not come to an answer: the turn goes on, and the ledger has what
is known.
"""

import time
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from tests.turns import Run, ask, both_ways, result_of, turn_on
from turngraph.billing import Budget, Ledger, Prices, ToolPrice
from turngraph.billing.store.schema import attempt_t
from turngraph.graphs import chat_turn
from turngraph.scripted import Call, Say, ScriptedModel
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.limits import TurnLimits
from turngraph.tools.builtin.registry import BUILTINS
from turngraph.tools.manifests.parts import PromptSettings, Selector
from turngraph.tools.plugin import LoadedPlugin, make_tool

THREAD: Any = {"configurable": {"thread_id": "t"}}
PRICES = Prices(tools=(ToolPrice(tool="pay", usd_per_call=Decimal("0.01")),))
SCRIPT = (Call(("pay", {"amount": 100})), Say("I do not know."))


def states(ledger: Ledger) -> list[tuple[str, int | None]]:
    """The tools' attempts: their states and charges."""
    tools = attempt_t.select().where(attempt_t.c.kind == "tool")
    return [
        (row.state, row.charge_nano)
        for row in ledger.store.read(lambda tx: tx.conn.execute(tools).all())
    ]


def charges(result: Any) -> list[Any]:
    return [charge for charge in result.charges if charge.kind == "tool"]


@both_ways
def test_one_that_was_interrupted_is_swept_and_does_not_stop_the_turn(
    run: Run, ledger: Ledger
) -> None:
    """Whether it ran is unknown: the turn ends, and the sweeper charges what was held for it."""

    @tool
    def pay(amount: int) -> str:
        """Pays."""
        raise KeyboardInterrupt

    pay.metadata = {"idempotent": False}
    with ScriptedModel([*SCRIPT]) as model:
        turn = turn_on(
            model, tools=[pay], ledger=ledger, prices=PRICES, checkpointer=InMemorySaver()
        )
        with pytest.raises(KeyboardInterrupt):
            run(turn, ask("Pay."), THREAD)
        result = result_of(run(turn, None, THREAD))
    assert (result.status, charges(result)) == ("completed", [])
    assert states(ledger) == [("unknown", None)]
    ledger.sweep(PRICES)
    assert states(ledger) == [("settled", 10_000_000)]


@both_ways
def test_one_that_is_over_its_time_is_swept_and_does_not_stop_the_turn(
    run: Run, ledger: Ledger
) -> None:
    """It may go on in the background, and cost; the turn does not wait for it."""

    @tool
    def pay(amount: int) -> str:
        """Pays."""
        time.sleep(0.3)
        return "paid"

    with ScriptedModel([*SCRIPT]) as model:
        limits = TurnLimits(tool_seconds=0.05)
        result = result_of(
            run(
                turn_on(model, tools=[pay], ledger=ledger, prices=PRICES, limits=limits),
                ask("Pay."),
            )
        )
    assert (result.status, result.tool_runs[0].status, charges(result)) == (
        "completed",
        "timeout",
        [],
    )
    assert states(ledger) == [("unknown", None)]


@both_ways
def test_one_that_its_budget_refuses_is_not_run_and_not_charged(run: Run, ledger: Ledger) -> None:
    """The model is told, and may answer without it."""
    calls: list[int] = []

    @tool
    def pay(amount: int) -> str:
        """Pays."""
        calls.append(amount)
        return "paid"

    dear = Prices(tools=(ToolPrice(tool="pay", usd_per_call=Decimal(5)),))
    with ScriptedModel([*SCRIPT]) as model:
        turn = turn_on(
            model, tools=[pay], ledger=ledger, prices=dear, budget=Budget(usd=Decimal(2))
        )
        result = result_of(run(turn, ask("Pay.")))
    assert (result.status, calls, charges(result), states(ledger)) == ("completed", [], [], [])


@both_ways
def test_the_charge_of_a_plugin_names_its_connection(run: Run, ledger: Ledger) -> None:
    """In the result and in the ledger, so that spending can be told apart by database."""
    pay = make_tool("pay", "Pays.", {"type": "object"}, lambda **given: "paid")
    plugin = LoadedPlugin(
        "pay", Selector(directive="always"), PromptSettings(), pay, connection="crm"
    )
    with ScriptedModel([*SCRIPT]) as model:
        turn = turn_on(model, plugins=[plugin], ledger=ledger, prices=PRICES)
        result = result_of(run(turn, ask("Pay.")))
    [charge] = [charge for charge in result.charges if charge.kind == "plugin"]
    assert (charge.plugin, charge.connection) == ("pay", "crm")
    assert {spent.value for spent in ledger.spending("connection")} == {"", "crm"}


@tool
def unmarked(amount: int) -> str:
    """Pays."""
    return "paid"


@pytest.mark.parametrize("idempotent", [True, False])
def test_a_mark_in_either_sense_is_enough(idempotent: bool, ledger: Ledger) -> None:
    marked = unmarked.model_copy(update={"metadata": {"idempotent": idempotent}})
    turn = chat_turn(
        "scripted", tools=[marked], functions=sorted(BUILTINS), ledger=ledger, require_marks=True
    )
    assert turn.ledger is ledger


def test_a_tool_without_a_mark_is_named_under_a_ledger(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker that is killed in the middle of its call leaves it to be run again."""
    chat_turn("scripted", tools=[unmarked])
    assert caplog.text == ""
    chat_turn("scripted", tools=[unmarked], ledger=ledger)
    assert "no mark says whether `unmarked` may run twice" in caplog.text
    with pytest.raises(TurnConfigurationError, match="`unmarked` may run twice"):
        chat_turn("scripted", tools=[unmarked], ledger=ledger, require_marks=True)


def test_marks_without_a_ledger_are_refused() -> None:
    with pytest.raises(TurnConfigurationError, match="Only a ledger knows"):
        chat_turn("scripted", tools=[unmarked], require_marks=True)
