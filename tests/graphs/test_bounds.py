"""What a budget holds is what the bytes that are sent can cost, whatever put them there."""

from decimal import Decimal
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from tests.turns import Run, ask, both_ways, config, result_of
from turngraph.billing import Budget, Ledger
from turngraph.billing.store.schema import attempt_t
from turngraph.graphs import TurnGraph, chat_turn
from turngraph.providers import OpenAIProvider
from turngraph.scripted import Say, ScriptedModel
from turngraph.state.events import AnyEvent
from turngraph.state.turn import TurnSettings

REQUEST: Any = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Q"}]}


def bounded(model: ScriptedModel, ledger: Ledger, usd: str, extra: dict[str, Any]) -> TurnGraph:
    """A turn of gpt-5-mini with so much money, whose requests `extra` is put into."""
    provider = OpenAIProvider(config(model, model="gpt-5-mini", extra_body=extra))
    return chat_turn(provider, ledger=ledger, budget=Budget(usd=Decimal(usd)))


@pytest.mark.parametrize(
    "extra",
    [
        {"max_tokens": -1},
        {"max_tokens": 0},
        {"max_tokens": "100000"},
        {"max_tokens": 100000.0},
        {"max_tokens": True},
        {"n": "100"},
        {"n": 100.0},
    ],
    ids=str,
)
@both_ways
def test_a_cap_that_bounds_nothing_is_no_cap_to_a_budget(run: Run, extra: dict[str, Any]) -> None:
    """-1 is "no end" to some servers, and a text or a float is whatever they make of it: nothing is
    sent.
    """
    with Ledger("sqlite://") as ledger, ScriptedModel([Say("never")]) as model:
        turn = bounded(model, ledger, "1", extra)
        result = result_of(run(turn, ask("Q")))
        assert len(model.requests) == 0
    assert result.error is not None
    assert "no cap on its answer" in result.error.message


@both_ways
def test_the_other_api_s_name_for_a_cap_is_none(run: Run) -> None:
    """A chat completion's server does not know `max_output_tokens`, and answers as long as it
    likes.
    """
    with Ledger("sqlite://") as ledger, ScriptedModel([Say("never")]) as model:
        turn = bounded(model, ledger, "1", {})
        result = result_of(
            run(
                turn,
                {
                    "messages": [],
                    "settings": TurnSettings(body={**REQUEST, "max_output_tokens": 16}),
                },
            )
        )
        assert len(model.requests) == 0
    assert result.error is not None
    assert "no cap on its answer" in result.error.message


@pytest.mark.parametrize("extra", [{"service_tier": "priority"}, {"model": "gpt-5-pro"}], ids=str)
@both_ways
def test_a_dearer_tier_or_model_in_the_extra_body_is_held(run: Run, extra: dict[str, Any]) -> None:
    """The budget has enough for the request's own model at the usual tier, and not for what is
    really sent.
    """
    with Ledger("sqlite://") as ledger, ScriptedModel([Say("once")]) as model:
        for given, sent in (({}, 1), (extra, 1)):
            turn = bounded(model, ledger, "0.0095", given)
            result = result_of(run(turn, ask("Q")))
            assert len(model.requests) == sent, result
    assert result.status == "budget"


@both_ways
def test_a_turn_cannot_widen_a_budget_that_the_ledger_keeps(run: Run) -> None:
    """All budgets hold at once, also where two have one name: the stricter refuses, and an unknown
    price with it.
    """
    kept = Budget(usd=Decimal("0.001"), per="account", period="month")
    wider = Budget(usd=Decimal(100), per="account", period="month", hard=False, unpriced="mark")
    for model_name in ("gpt-5-mini", "nobody-knows-me"):
        with Ledger("sqlite://") as ledger, ScriptedModel([Say("never")]) as model:
            ledger.set_budget(kept)
            provider = OpenAIProvider(config(model, model=model_name))
            result = result_of(run(chat_turn(provider, ledger=ledger, budget=wider), ask("Q")))
            assert (result.status, len(model.requests)) == ("budget", 0)


@both_ways
def test_a_budget_kept_in_the_ledger_caps_the_answer_too(run: Run) -> None:
    """Nobody told this turn of a budget; without a cap its answer may be as dear as the model can
    make it.
    """
    with Ledger("sqlite://") as ledger, ScriptedModel([Say("capped"), Say("never")]) as model:
        ledger.set_budget(Budget(usd=Decimal("0.02"), per="account", period="month"))
        turn = chat_turn(OpenAIProvider(config(model, model="gpt-5-mini")), ledger=ledger)
        assert result_of(run(turn, ask("Q"))).status == "completed"
        assert model.requests[0].body["max_completion_tokens"] == 4096
        result = result_of(run(turn, {"messages": [], "settings": TurnSettings(body=REQUEST)}))
        assert len(model.requests) == 1
    assert result.error is not None
    assert "put `max_completion_tokens` or `max_tokens` into it" in result.error.message


@both_ways
def test_a_cap_that_is_taken_out_after_the_money_was_held_is_missed(run: Run) -> None:
    """The request may be edited where the turn stands: what is sent must still be bounded."""
    thread: Any = {"configurable": {"thread_id": "t"}}
    with Ledger("sqlite://") as ledger, ScriptedModel([Say("never")]) as model:
        provider = OpenAIProvider(config(model, model="gpt-5-mini"))
        turn = chat_turn(
            provider,
            ledger=ledger,
            budget=Budget(usd=Decimal("0.10")),
            checkpointer=InMemorySaver(),
        )
        turn.invoke(ask("Q"), thread, interrupt_before=["call_llm"])
        request = turn.get_state(thread).values["request"]
        assert request.max_tokens == 4096
        turn.update_state(thread, {"request": request.model_copy(update={"max_tokens": None})})
        result = result_of(run(turn, None, thread))
        assert len(model.requests) == 0
    assert result.error is not None
    assert "no cap on its answer" in result.error.message


def test_an_answer_is_kept_before_anybody_is_told_of_it() -> None:
    """A listener that breaks off costs what the answer did, and not what was held for it."""

    def breaks_off(event: AnyEvent) -> None:
        if event.type == "response_received":
            raise KeyboardInterrupt

    with Ledger("sqlite://") as ledger, ScriptedModel([Say("once")]) as model:
        turn = chat_turn(config(model, model="gpt-5-mini"), ledger=ledger, on_event=breaks_off)
        with pytest.raises(KeyboardInterrupt):
            turn.invoke(ask("Q"))
        [row] = list(ledger.store.read(lambda tx: tx.conn.execute(attempt_t.select()).all()))
    # All stages in one step charge an answer in the transaction that stores it.
    assert row.state == "settled"
    assert row.usage is not None
    assert 0 < row.charge_nano < row.hold_nano
