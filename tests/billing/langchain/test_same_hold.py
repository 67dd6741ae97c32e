"""A turn, the middleware and the callback hold the same for the same request."""

import contextlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI
from openai import BadRequestError

from turngraph.billing.budget import Budget
from turngraph.billing.langchain.callback import LedgerCallback
from turngraph.billing.langchain.metering import MeteringConfig
from turngraph.billing.langchain.middleware import LedgerMiddleware
from turngraph.billing.ledger import Ledger
from turngraph.billing.operations.attempt_rows import attempt_rows
from turngraph.billing.pricing.overrides import PriceOverride
from turngraph.billing.pricing.prices import Prices
from turngraph.billing.pricing.rates import Rate, Rates
from turngraph.graphs.chat import chat_turn
from turngraph.providers.config import ProviderConfig
from turngraph.scripted import Say, ScriptedModel

BUDGET = Budget(usd=Decimal(1000), per="ledger")


def price(model: str, usd_per_mtok: int) -> PriceOverride:
    """A price of output alone: the JSON around a message differs by a few bytes of input."""
    rate, free = Rate(usd_per_mtok=Decimal(usd_per_mtok)), Rate(usd_per_mtok=Decimal(0))
    return PriceOverride(vendor="openai", model=model, rates=Rates(input=free, output=rate))


OWN = Prices((price("gpt-4o-mini", 1), price("gpt-4o", 10)))


def held(ledger: Ledger) -> Decimal:
    """What was held for the ledger's only attempt."""
    [row] = ledger.store.read(lambda tx: list(attempt_rows(tx)))
    usd: Decimal = row["held_usd"]
    return usd


def by_turn(server: ScriptedModel, ledger: Ledger, prices: Prices, extra: dict[str, Any]) -> None:
    config = ProviderConfig(
        vendor="openai",
        model="gpt-4o-mini",
        base_url=server.base_url,
        api_key="none",
        api="chat",
        extra_body={"max_completion_tokens": 500, **extra},
    )
    turn = chat_turn(config, ledger=ledger, prices=prices, budget=BUDGET)
    turn.invoke({"messages": [("user", "Hi")]})


def model(server: ScriptedModel, extra: dict[str, Any]) -> ChatOpenAI:
    """As users write it: what has a parameter is one, and the rest is the extra body."""
    parameters = {name: extra[name] for name in ("n", "service_tier") if name in extra}
    return ChatOpenAI(
        model="gpt-4o-mini",
        base_url=server.base_url,
        api_key="none",
        max_retries=0,
        max_tokens=500,
        extra_body={name: value for name, value in extra.items() if name not in parameters},
        **parameters,
    )


def by_middleware(
    server: ScriptedModel, ledger: Ledger, prices: Prices, extra: dict[str, Any]
) -> None:
    config = MeteringConfig(ledger, prices=prices, budgets=(BUDGET,))
    agent = create_agent(model(server, extra), [], middleware=[LedgerMiddleware(config)])
    agent.invoke({"messages": [HumanMessage("Hi")]})


def by_callback(
    server: ScriptedModel, ledger: Ledger, prices: Prices, extra: dict[str, Any]
) -> None:
    config = MeteringConfig(ledger, prices=prices, budgets=(BUDGET,))
    model(server, extra).invoke("Hi", config={"callbacks": [LedgerCallback(config)]})


Way = Callable[[ScriptedModel, Ledger, Prices, dict[str, Any]], None]


def hold_of(way: Way, prices: Prices, extra: dict[str, Any]) -> Decimal:
    with ScriptedModel([Say("Hello")]) as server, Ledger("sqlite://") as ledger:
        # The scripted model refuses `best_of`, as the real API does; by then the money was held.
        with contextlib.suppress(BadRequestError):
            way(server, ledger, prices, extra)
        return held(ledger)


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({}, "0.0005"),
        ({"n": 5}, "0.0025"),
        ({"best_of": 3, "n": 2}, "0.0015"),
        ({"model": "gpt-4o"}, "0.005"),
        ({"model": "gpt-4o", "n": 2, "max_completion_tokens": 100}, "0.002"),
    ],
)
def test_a_turn_and_langchain_hold_the_same(extra: dict[str, Any], expected: str) -> None:
    """Otherwise a budget that stops a turn would let an agent spend more."""
    for way in (by_turn, by_middleware, by_callback):
        assert hold_of(way, OWN, extra) == Decimal(expected), way.__name__


def test_a_dearer_service_tier_is_held_by_all() -> None:
    """At list prices: the bytes of the requests differ a little, and a tier doubles the price."""
    plain = hold_of(by_turn, Prices(), {})
    for way in (by_turn, by_middleware, by_callback):
        tier = hold_of(way, Prices(), {"service_tier": "priority"})
        assert Decimal("1.3") * plain < tier < 2 * plain, way.__name__
