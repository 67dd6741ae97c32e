"""Any chat model of LangChain's, metered by a callback."""

import json
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.outputs import Generation, LLMResult

from tests.billing.langchain.metered import Open, ask, both, metered, model
from turngraph.billing.budget import Budget
from turngraph.billing.langchain.callback import LedgerCallback
from turngraph.scripted import Fail, Say, ScriptedModel
from turngraph.state.errors import BudgetExceededError


@both
@pytest.mark.parametrize("stream", [False, True])
def test_any_chat_model_is_metered_by_a_callback(book: Any, mode: str, stream: bool) -> None:
    """Held before, charged after, streamed or not."""
    with ScriptedModel([Say("42")]) as server:
        one = model(server, max_tokens=100, streaming=stream, stream_usage=True)
        answer = ask(one, mode, "Double 21.", config={"callbacks": [LedgerCallback(metered(book))]})
    assert answer.content == "42"
    row = book.rows("SELECT * FROM attempt")[0]
    assert (row["state"], row["vendor"], row["basis"]) == ("settled", "openai", "actual")
    assert row["charge_nano"] > 0
    assert book.window("account:acme")[1] == 0


@both
def test_a_callback_refuses_before_anything_is_sent(
    open_book: Open, server: ScriptedModel, mode: str
) -> None:
    """An error in a callback is usually swallowed; this one must not be."""
    book = open_book(Budget(usd=Decimal("0.000001"), per="account"))
    with pytest.raises(BudgetExceededError):
        ask(model(server), mode, "Hi", config={"callbacks": [LedgerCallback(metered(book))]})
    assert not server.requests


@both
@pytest.mark.parametrize(("status", "state"), [(429, "released"), (503, "unknown")])
def test_a_callback_tells_a_refusal_from_a_doubt(
    book: Any, mode: str, status: int, state: str
) -> None:
    """The same rule as the agent's."""
    with ScriptedModel([Fail(status)]) as server, pytest.raises(Exception, match=str(status)):
        ask(model(server), mode, "Hi", config={"callbacks": [LedgerCallback(metered(book))]})
    assert [row["state"] for row in book.rows("SELECT state FROM attempt")] == [state]


def test_a_callback_ignores_runs_it_did_not_see_begin(book: Any) -> None:
    """Attached half-way, or told of an end twice."""
    from uuid import uuid4

    callback = LedgerCallback(metered(book))
    callback.on_llm_end(LLMResult(generations=[[Generation(text="x")]]), run_id=uuid4())
    callback.on_llm_error(OSError(), run_id=uuid4())
    assert book.rows("SELECT * FROM attempt") == []


def test_what_is_no_chat_message_is_estimated_too(book: Any) -> None:
    """It has a text and no usage."""
    from uuid import uuid4

    callback, run = LedgerCallback(metered(book, vendor="openai")), uuid4()
    callback.on_chat_model_start(
        {}, [[HumanMessage("Hi")]], run_id=run, metadata={"ls_model_name": "gpt-4o-mini"}
    )
    callback.on_llm_end(LLMResult(generations=[[Generation(text="x" * 400)]]), run_id=run)
    row = book.rows("SELECT * FROM attempt")[0]
    assert (row["vendor"], row["basis"], bool(row["estimated"])) == ("openai", "partial", True)
    assert json.loads(row["usage"])["output_tokens"] >= 100
