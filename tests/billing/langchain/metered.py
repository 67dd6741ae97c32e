"""An agent and a chat model of LangChain's on a scripted model, with a ledger."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from turngraph.billing.budget import Budget
from turngraph.billing.langchain.metering import MeteringConfig
from turngraph.billing.langchain.middleware import LedgerMiddleware
from turngraph.billing.store.calls import CostAttribution
from turngraph.scripted import ScriptedModel

Open = Callable[..., Any]

HARD = Budget(usd=Decimal(1), per="account")
PAYER = CostAttribution(account="acme")


def model(server: ScriptedModel, **more: Any) -> ChatOpenAI:
    given = {
        "model": "gpt-4o-mini",
        "base_url": server.base_url,
        "api_key": "none",
        "max_retries": 0,
        **more,
    }
    return ChatOpenAI(**given)


def metered(book: Any, **more: Any) -> MeteringConfig:
    return MeteringConfig(book.ledger, attribution=PAYER, **more)


@tool
def double(x: int) -> int:
    """Twice x."""
    return 2 * x


def agent(book: Any, server: ScriptedModel, **more: Any) -> Any:
    middleware = [LedgerMiddleware(metered(book))]
    return create_agent(
        more.pop("model", None) or model(server), [double], middleware=middleware, **more
    )


def ask(runnable: Any, mode: str, given: Any, **config: Any) -> Any:
    run = (
        runnable.invoke
        if mode == "sync"
        else lambda *a, **k: asyncio.run(runnable.ainvoke(*a, **k))
    )
    return run(given, **config)


both = pytest.mark.parametrize("mode", ["sync", "async"])
