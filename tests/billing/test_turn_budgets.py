"""Budgets of keys, tags and accounts under turns that run at once: never above the limit, told
once, nothing held.
"""

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from tests.turns import ask, config, invoke, result_of
from turngraph.billing import Budget, Ledger
from turngraph.graphs import TurnGraph, chat_turn
from turngraph.providers import OpenAIProvider
from turngraph.scripted import Say, ScriptedModel
from turngraph.state.events import BudgetWarning
from turngraph.state.limits import TurnLimits
from turngraph.state.turn import TurnSettings
from turngraph.state.usage import Usage

TURNS = 12
ANSWER = Say("ok", usage=Usage(input_tokens=1000, output_tokens=1000))  # 0.00075 USD of gpt-4o-mini
SETTINGS = TurnSettings(account="acme", api_key_id="k_17", tags=("web", "beta"), max_tokens=1000)


def at_once(turn: TurnGraph, way: str) -> list[Any]:
    """The results of as many turns at once, in threads or in tasks."""
    given = ask("Q" * 4000, settings=SETTINGS)
    if way == "threads":
        with ThreadPoolExecutor(TURNS) as pool:
            outs = list(pool.map(lambda _: invoke(turn, given), range(TURNS)))
    else:

        async def together() -> Any:
            return await asyncio.gather(*(turn.ainvoke(given) for _ in range(TURNS)))

        outs = asyncio.run(together())
    return [result_of(dict(out)) for out in outs]


@pytest.mark.parametrize("way", ["threads", "tasks"])
@pytest.mark.parametrize(
    ("per", "of", "budget_id"),
    [
        ("api_key_id", None, "api_key_id:k_17"),
        ("tag", "beta", "tag-beta:beta"),
        ("account", None, "account:acme"),
    ],
)
def test_turns_at_once_never_spend_more_than_a_hard_budget(
    url: str, way: str, per: Any, of: Any, budget_id: str
) -> None:
    """Room for four of twelve: the others are refused before anything is sent, and say which budget
    it was.
    """
    budget = Budget(usd=Decimal("0.0035"), per=per, of=of)
    with Ledger(url) as ledger, ScriptedModel([ANSWER] * TURNS, delay_s=0.01) as model:
        provider = OpenAIProvider(config(model, api="chat"))
        results = at_once(
            chat_turn(provider, ledger=ledger, budget=budget, limits=TurnLimits(attempts=1)), way
        )
        states = {f"{state.budget}:{state.value}": state for state in ledger.budget_states()}
        assert ledger.verify() == []
        asked = len(model.requests)
    by_status = Counter(result.status for result in results)
    assert by_status == {"completed": asked, "budget": TURNS - asked}
    assert 1 <= asked <= 4
    assert all(
        budget_id.partition(":")[0] in r.error.message for r in results if r.status == "budget"
    )
    spent = states[budget_id]
    assert (
        spent.spent_usd == sum(r.cost_usd for r in results if r.cost_usd is not None) <= budget.usd
    )
    assert spent.held_usd == 0


@pytest.mark.parametrize("way", ["threads", "tasks"])
def test_each_threshold_is_told_once_by_the_turn_that_crossed_it(url: str, way: str) -> None:
    """A soft budget lets everything through; whoever watches hears of 80 and 100 percent, whoever
    was at it.
    """
    seen: list[Any] = []
    soft = Budget(usd=Decimal("0.006"), per="tag", of="web", period="month", hard=False)
    with (
        Ledger(url, budgets=(soft,)) as ledger,
        ScriptedModel([ANSWER] * TURNS, delay_s=0.01) as model,
    ):
        provider = OpenAIProvider(config(model, api="chat"))
        results = at_once(chat_turn(provider, ledger=ledger, on_event=seen.append), way)
        assert ledger.verify() == []
    assert [result.status for result in results] == ["completed"] * TURNS
    told = [event for event in seen if isinstance(event, BudgetWarning)]
    assert sorted((event.budget, event.threshold) for event in told) == [
        ("tag-month-web:web", 0.8),
        ("tag-month-web:web", 1.0),
    ]
    assert {event.turn_id for event in told} <= {result.turn_id for result in results}
