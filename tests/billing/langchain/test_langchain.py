"""The ledger for people who do not use the turn: LangChain's agents, and any chat model."""

import asyncio
import importlib.util
import json
import sys
from decimal import Decimal
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from openai import APIConnectionError, BadRequestError, InternalServerError
from pydantic import BaseModel

from tests.billing.langchain.metered import (
    HARD,
    Open,
    agent,
    ask,
    both,
    metered,
    model,
)
from turngraph.billing.budget import Budget
from turngraph.billing.langchain import middleware
from turngraph.billing.langchain.callback import LedgerCallback
from turngraph.billing.langchain.middleware import LedgerMiddleware
from turngraph.billing.ledger import Ledger
from turngraph.scripted import Call, Cut, Fail, Raw, Say, ScriptedModel
from turngraph.state.errors import BudgetExceededError, TurnConfigurationError
from turngraph.state.payer import Payer

QUESTION = {"messages": [("user", "Double 21.")]}


@both
def test_an_agents_calls_are_held_and_charged(book: Any, mode: str) -> None:
    """Each wire call is a row with its usage; nothing is held when the agent is done."""
    with ScriptedModel([Call(("double", {"x": 21})), Say("42")]) as server:
        out = ask(agent(book, server), mode, QUESTION)
    assert out["messages"][-1].content == "42"
    rows = book.rows("SELECT * FROM attempt ORDER BY created, attempt_id")
    assert [row["state"] for row in rows] == ["settled", "settled"]
    assert all(
        row["charge_nano"] > 0 and row["basis"] == "actual" and row["provider_id"] for row in rows
    )
    assert [request.body.get("max_completion_tokens") for request in server.requests] == [
        4096,
        4096,
    ]
    assert book.window("account:acme")[1] == 0
    assert book.verified()


@both
def test_an_agent_is_refused_before_anything_is_sent(
    open_book: Open, server: ScriptedModel, mode: str
) -> None:
    """`create_agent` has no budgets of its own."""
    book = open_book(Budget(usd=Decimal("0.0001"), per="account"))
    with pytest.raises(BudgetExceededError):
        ask(agent(book, server), mode, QUESTION)
    assert not server.requests


@both
def test_a_resumed_agent_uses_the_answer_it_paid_for(book: Any, mode: str) -> None:
    """A crash between the charge and the checkpoint: the model is not asked again, and not charged
    again.
    """

    @tool
    def some_tool(x: int) -> int:
        """Gives 42."""
        return 42

    class Dies(LedgerMiddleware):
        """Dies between the charge and the checkpoint, once."""

        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            answer = super().wrap_model_call(request, handler)
            if not died:
                died.append(True)
                raise KeyboardInterrupt
            return answer

        async def awrap_model_call(self, request: Any, handler: Any) -> Any:
            answer = await super().awrap_model_call(request, handler)
            if not died:
                died.append(True)
                raise RuntimeError("killed")
            return answer

    died: list[bool] = []
    with ScriptedModel([Call(("some_tool", {"x": 1})), Say("done")], strict=True) as server:
        saver = InMemorySaver()

        def graph() -> Any:
            """Built anew, as a new process would build it."""
            return create_agent(
                model(server), [some_tool], middleware=[Dies(metered(book))], checkpointer=saver
            )

        config = {"configurable": {"thread_id": "t"}}
        with asyncio.Runner() as runner:

            def invoke(given: Any) -> Any:
                if mode == "sync":
                    return graph().invoke(given, config)
                return runner.run(graph().ainvoke(given, config))

            with pytest.raises((KeyboardInterrupt, RuntimeError)):
                invoke({"messages": [("user", "Go.")]})
            out = invoke(None)
    assert out["messages"][-1].content == "done"
    assert len(server.requests) == 2
    assert [row["state"] for row in book.rows("SELECT state FROM attempt")] == [
        "settled",
        "settled",
    ]


def test_a_structured_answer_is_charged_and_not_replayed(book: Any) -> None:
    """It is an object of the caller's class, which the ledger does not keep."""

    class City(BaseModel):
        name: str

    with ScriptedModel([Say('{"name": "Oslo"}')]) as server:
        from langchain.agents.structured_output import ProviderStrategy

        out = agent(book, server, response_format=ProviderStrategy(City)).invoke(QUESTION)
    assert out["structured_response"] == City(name="Oslo")
    assert book.rows("SELECT response FROM attempt")[0]["response"] is None


@both
@pytest.mark.parametrize(
    ("step", "error", "state"),
    [
        (Fail(400), BadRequestError, "released"),
        (Fail(500), InternalServerError, "unknown"),
        (Cut(after=None), APIConnectionError, "unknown"),
    ],
)
def test_a_failed_call_costs_nothing_or_is_left_open(
    book: Any, mode: str, step: Any, error: type[Exception], state: str
) -> None:
    """A refusal was not billed. Of anything else nobody knows, and the sweeper finds out."""
    with ScriptedModel([step]) as server, pytest.raises(error):
        ask(agent(book, server), mode, QUESTION)
    assert [row["state"] for row in book.rows("SELECT state FROM attempt")] == [state]
    assert book.verified()


def test_a_bound_that_is_set_is_kept(book: Any) -> None:
    """The model's own, or the call's: the middleware's is for those that have none."""
    with ScriptedModel([Say("42"), Say("42")]) as server:
        agent(book, server, model=model(server, max_tokens=77)).invoke(QUESTION)
        settings = {"max_tokens": 55}

        class Sets(AgentMiddleware[Any, Any, Any]):
            """Another middleware's settings."""

            def wrap_model_call(self, request: Any, handler: Any) -> Any:
                return handler(request.override(model_settings=settings))

        both_in = [Sets(), LedgerMiddleware(metered(book))]
        create_agent(model(server), middleware=both_in, system_prompt="Be brief.").invoke(
            {"messages": [HumanMessage("Double 21.")]}
        )
    assert [request.body["max_completion_tokens"] for request in server.requests] == [77, 55]


def test_a_model_that_retries_in_hiding_is_refused(book: Any, server: ScriptedModel) -> None:
    """Three tries would be billed, and one seen."""
    hidden = model(server, max_retries=2)
    with pytest.raises(TurnConfigurationError, match="max_retries=0"):
        agent(book, server, model=hidden).invoke(QUESTION)
    assert not server.requests


@both
@pytest.mark.parametrize("way", ["middleware", "callback"])
def test_a_streamed_answer_without_usage_costs_about_what_it_used(
    book: Any, mode: str, way: str
) -> None:
    """LangChain asks only OpenAI itself for the usage of a stream. Charged at all that was held,
    two words would cost two thousand times too much.
    """
    with ScriptedModel([Say("Hello there.")]) as server:
        one = model(server, max_tokens=100_000, streaming=True, stream_usage=False)
        if way == "middleware":
            ask(agent(book, server, model=one), mode, {"messages": [("user", "Hi")]})
        else:
            ask(one, mode, "Hi", config={"callbacks": [LedgerCallback(metered(book))]})
    [row] = book.rows("SELECT * FROM attempt")
    assert (row["state"], row["basis"]) == ("settled", "partial")
    assert row["estimated"]
    assert not row["unpriced"]
    assert 0 < row["charge_nano"] < 100_000  # a ten-thousandth of a dollar; 60 million were held
    assert book.window("account:acme")[1] == 0


def completion(texts: list[str], usage: dict[str, int] | None) -> Raw:
    choices = [
        {"index": n, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        for n, text in enumerate(texts)
    ]
    body = {"id": "c1", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini"}
    body |= {"choices": choices} | ({} if usage is None else {"usage": usage})
    return Raw(json.dumps(body), content_type="application/json")


@pytest.mark.parametrize("way", ["middleware", "callback"])
@pytest.mark.parametrize("wish", [{"n": 3}, {"extra_body": {"n": 3}}])
def test_all_choices_of_an_answer_without_usage_are_counted(
    book: Any, way: str, wish: dict[str, Any]
) -> None:
    """With `n`, the vendor bills each of them. An agent gets only the first."""
    with ScriptedModel([completion(["word " * 80] * 3, None)]) as server:
        if way == "middleware":
            agent(book, server, model=model(server, **wish)).invoke(QUESTION)
        else:
            model(server, **wish).invoke("Hi", {"callbacks": [LedgerCallback(metered(book))]})
    [row] = book.rows("SELECT * FROM attempt")
    assert json.loads(row["usage"])["output_tokens"] >= 300
    assert row["estimated"]


@pytest.mark.parametrize("way", ["middleware", "callback"])
@pytest.mark.parametrize("count", [-5, 10**30])
def test_a_report_that_is_no_count_is_estimated_and_marked(book: Any, way: str, count: int) -> None:
    """As in a turn: counted as it came, the call would cost nothing, or more than there is."""
    usage = {"prompt_tokens": count, "completion_tokens": 2, "total_tokens": 12}
    with ScriptedModel([completion(["Hello!"], usage)]) as server:
        if way == "middleware":
            agent(book, server).invoke({"messages": [("user", "Hi")]})
        else:
            model(server).invoke("Hi", {"callbacks": [LedgerCallback(metered(book))]})
    [row] = book.rows("SELECT * FROM attempt")
    counted = json.loads(row["usage"])
    assert (row["state"], row["basis"], bool(row["estimated"])) == ("settled", "partial", True)
    assert (0 < counted["input_tokens"] < 10_000, counted["output_tokens"]) == (True, 2)


@pytest.mark.parametrize("wish", [{"n": 3}, {"service_tier": "priority"}])
def test_a_wish_that_makes_a_call_dearer_raises_what_is_held(
    open_book: Open, server: ScriptedModel, wish: dict[str, Any]
) -> None:
    """Three answers, or a faster one, may cost more than a budget has for a plain call."""
    book = open_book(HARD)
    for wished in ({}, wish):
        one = model(server, model="gpt-5-mini", max_tokens=1000, **wished)
        one.invoke("Hi", {"callbacks": [LedgerCallback(metered(book))]})
    plain, dear = book.rows("SELECT hold_nano FROM attempt ORDER BY created, hold_nano")
    assert dear["hold_nano"] > plain["hold_nano"]


def test_who_runs_the_graph_pays_where_the_configuration_names_nobody(
    book: Any, server: ScriptedModel
) -> None:
    """A server says it in the run's own configuration, and the graph passes nothing on."""
    one = create_agent(model(server), [], middleware=[LedgerMiddleware(book.ledger)])
    given: Any = {"messages": [("user", "Hi")]}
    one.invoke(given, {"configurable": Payer("acme", "k1").configurable})
    [row] = book.rows("SELECT account, api_key_id FROM attempt")
    assert (row["account"], row["api_key_id"]) == ("acme", "k1")


def test_a_ledger_alone_is_enough(book: Any, server: ScriptedModel) -> None:
    """List prices and the ledger's own budgets need no configuration."""
    one = create_agent(model(server), [], middleware=[LedgerMiddleware(book.ledger)])
    given: Any = {"messages": [("user", "Hi")]}
    one.invoke(given)
    model(server).invoke("Hi", {"callbacks": [LedgerCallback(book.ledger)]})
    assert [row["state"] for row in book.rows("SELECT state FROM attempt")] == ["settled"] * 2


def test_without_langchain_the_middleware_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its module can be imported all the same, as `from turngraph import *` does."""
    monkeypatch.setitem(sys.modules, "langchain.agents.middleware", None)
    spec = importlib.util.spec_from_file_location("middleware_alone", middleware.__file__)
    assert spec is not None
    assert spec.loader is not None
    alone = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(alone)
    with (
        Ledger("sqlite://") as ledger,
        pytest.raises(TurnConfigurationError, match=r"pip install 'turngraph\[langchain\]'"),
    ):
        alone.LedgerMiddleware(ledger)
