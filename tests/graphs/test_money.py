"""Turns with a ledger: held before, charged after, once; refused before anything is sent; one
worker a thread.
"""

import asyncio
import json
import re
import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from sqlalchemy import text

from tests.turns import Run, ask, both_ways, config, invoke, result_of, streamed_or_not, turn_on
from turngraph.billing import Budget, Ledger, Prices, ToolPrice, TurnConflictError
from turngraph.billing.pricing.money import rounded
from turngraph.graphs import chat_turn
from turngraph.providers import OpenAIProvider
from turngraph.scripted import Call, Cut, Fail, Hang, Raw, Say, ScriptedModel
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.events import BudgetWarning, ChargeAuthorized, ChargeDeclined
from turngraph.state.limits import TurnLimits
from turngraph.state.turn import TurnSettings
from turngraph.state.usage import Usage

THREAD: Any = {"configurable": {"thread_id": "t"}}


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: rain"


def rows(ledger: Ledger, what: str) -> list[Any]:
    """Straight from the tables."""
    with ledger.store.engine.connect() as conn:
        return [tuple(row) for row in conn.execute(text(what))]


def until_asked(model: ScriptedModel) -> None:
    """Wait for the first request, half a minute at most."""
    for _ in range(3000):
        if model.requests:
            return
        time.sleep(0.01)
    pytest.fail("nothing was sent")


@both_ways
@streamed_or_not
def test_every_attempt_is_a_row_and_every_row_is_charged_once(
    run: Run, stream: bool, ledger: Ledger
) -> None:
    """A retried call has a free attempt and a charged one; the turn's bill is the sum."""
    with ScriptedModel([Fail(503), Call(("weather", {"city": "Oslo"})), Say("Rain.")]) as model:
        turn = turn_on(
            model, tools=[weather], ledger=ledger, stream=stream, checkpointer=InMemorySaver()
        )
        out = run(turn, ask("Oslo?", settings=TurnSettings(account="acme")), THREAD)
    result = result_of(out)
    assert [row[0] for row in rows(ledger, "select state from attempt order by created")] == [
        "released",
        "settled",
        "settled",
    ]
    assert result.cost_usd is not None
    total = rows(ledger, "select sum(amount_nano) from entry")[0][0]
    assert Decimal(total).scaleb(-9) == result.cost_usd
    assert {row[0] for row in rows(ledger, "select account from attempt")} == {"acme"}
    assert rows(ledger, "select status from turn") == [("done",)]


@both_ways
def test_a_call_that_the_budget_cannot_pay_is_refused_before_it_is_sent(
    run: Run, ledger: Ledger
) -> None:
    """402, typed, with the budget's name; the vendor never hears of it."""
    seen: list[Any] = []
    with ScriptedModel([Say("never")]) as model:
        turn = turn_on(
            model, ledger=ledger, budget=Budget(usd=Decimal("0.0000001")), on_event=seen.append
        )
        result = result_of(run(turn, ask("Q")))
        assert len(model.requests) == 0
    assert (result.status, result.http_status) == ("budget", 402)
    assert result.error is not None
    assert re.match(
        r"The budget of one turn allows 0\.0000001 USD; .* this call may need",
        result.error.message,
    )
    assert [type(event) for event in seen if isinstance(event, ChargeDeclined)] == [ChargeDeclined]


@both_ways
def test_a_turn_is_stopped_when_its_budget_is_used_up(run: Run, ledger: Ledger) -> None:
    """A model that calls for ever runs into the money, and the conversation stays whole."""
    seen: list[Any] = []
    forever = [Call(("weather", {"city": str(n)})) for n in range(30)]
    with ScriptedModel(forever) as model:
        turn = turn_on(
            model,
            tools=[weather],
            ledger=ledger,
            budget=Budget(usd=Decimal("0.00262")),
            on_event=seen.append,
        )
        out = run(turn, ask("Go on."))
        assert 0 < len(model.requests) < 16
    result = result_of(out)
    assert result.status == "budget"
    assert result.cost_usd is not None
    assert result.cost_usd <= Decimal("0.00262")
    assert out["messages"][-1].type == "tool"
    assert any(isinstance(event, ChargeAuthorized) for event in seen)


@both_ways
def test_money_kept_back_pays_one_last_answer_without_tools(run: Run, ledger: Ledger) -> None:
    """A model that calls for ever runs into its budget, and the turn still ends with an answer,
    inside the limit.
    """
    forever = [Call(("weather", {"city": str(n)})) for n in range(30)]

    def script(asked: Any) -> Any:
        return forever.pop() if asked.body.get("tools") else Say("As far as I got: rain.")

    limit = Decimal("0.006")
    budget = Budget(usd=limit, last_answer_usd=Decimal("0.0035"))
    with ScriptedModel([script] * 30) as model:
        result = result_of(
            run(turn_on(model, tools=[weather], ledger=ledger, budget=budget), ask("Go on."))
        )
        offered = ["tools" in request.body for request in model.requests]
    assert (result.status, result.answer) == ("completed", "As far as I got: rain.")
    assert offered.count(False) == 1
    assert not offered[-1]
    assert result.cost_usd is not None
    assert result.cost_usd <= limit


def test_a_budget_puts_a_cap_on_the_answer(ledger: Ledger) -> None:
    """Without `max_tokens` on the wire no call has a worst case."""
    with ScriptedModel([Say("a"), Say("b")]) as model:
        invoke(turn_on(model, ledger=ledger, budget=Budget(usd=Decimal(1))), ask("Q"))
        invoke(turn_on(model, ledger=ledger), ask("Q"))
        first, second = (request.body for request in model.requests)
    assert first["max_completion_tokens"] == 4096
    assert "max_completion_tokens" not in second


def test_a_soft_budget_only_tells(tmp_path: Path) -> None:
    """An event at the threshold, and the turn goes on."""
    seen: list[Any] = []
    soft = Budget(usd=Decimal("0.000001"), per="account", period="month", hard=False)
    with (
        Ledger(f"sqlite:///{tmp_path}/l.db", budgets=(soft,)) as ledger,
        ScriptedModel([Say("fine")]) as model,
    ):
        result = result_of(invoke(turn_on(model, ledger=ledger, on_event=seen.append), ask("Q")))
    assert result.status == "completed"
    assert any(isinstance(event, BudgetWarning) for event in seen)


def test_a_budget_without_a_ledger_is_a_mistake() -> None:
    """Money that is not counted cannot be limited."""
    with ScriptedModel() as model, pytest.raises(TurnConfigurationError, match="needs a ledger"):
        turn_on(model, budget=Budget(usd=Decimal(1)))


@both_ways
def test_a_cut_stream_is_charged_for_what_was_seen(run: Run, ledger: Ledger) -> None:
    """Marked as an estimate, never zero."""
    with ScriptedModel([Cut(after=4, answer=Say("one two three four five six seven"))]) as model:
        result = result_of(run(turn_on(model, stream=True, ledger=ledger), ask("Count.")))
    assert result.status == "truncated"
    assert result.charges[0].estimated
    assert result.cost_usd is not None
    assert result.cost_usd > 0
    assert rows(ledger, "select basis from attempt") == [("partial",)]


async def test_a_cancelled_call_is_unknown_and_not_forgotten(ledger: Ledger) -> None:
    """The vendor may charge for it: it stays open until somebody finds out."""
    with ScriptedModel([Hang(5)]) as model:
        task = asyncio.create_task(turn_on(model, ledger=ledger).ainvoke(ask("Q")))
        await asyncio.to_thread(until_asked, model)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert rows(ledger, "select state from attempt") == [("unknown",)]


@both_ways
def test_an_answer_that_was_kept_is_used_and_not_asked_for_again(run: Run, ledger: Ledger) -> None:
    """Killed between the answer and the checkpoint: the resumed stage finds the answer on the
    attempt.
    """
    blown: list[int] = []

    def blow(event: Any) -> None:
        if event.type == "response_received" and not blown:
            blown.append(1)

    with ScriptedModel([Say("paid once"), Say("never")]) as model:
        turn = turn_on(
            model,
            ledger=ledger,
            checkpointer=InMemorySaver(),
            on_event=blow,
            interrupt_after=["call_llm"],
        )
        run(turn, ask("Q"), THREAD)
        before = next(each for each in turn.get_state_history(THREAD) if each.next == ("call_llm",))
        assert before.tasks[0].id
        attempts = rows(ledger, "select attempt_id, state from attempt")
        assert attempts[0][1] == "settled"
        out = run(turn, None, THREAD)
        assert len(model.requests) == 1
    assert result_of(out).answer == "paid once"
    assert len(result_of(out).charges) == 1


def test_a_fork_is_charged_once_in_its_own_lineage(ledger: Ledger) -> None:
    """Time travel that calls the model costs; replaying what comes after the call does not."""
    with ScriptedModel([Say("red"), Say("blue")]) as model:
        turn = turn_on(model, ledger=ledger, checkpointer=InMemorySaver())
        first = invoke(turn, ask("Color?"), THREAD)
        history = list(turn.get_state_history(THREAD))
        before_call = next(each for each in history if each.next == ("call_llm",))
        before_bill = next(each for each in history if each.next == ("bill",))
        again = invoke(turn, None, before_bill.config)
        assert result_of(again).cost_usd == result_of(first).cost_usd
        fork = turn.update_state(before_call.config, {"messages": [("user", "And now?")]})
        second = invoke(turn, None, fork)
    assert result_of(second).answer == "blue"
    assert len(rows(ledger, "select 1 from entry")) == 2


@both_ways
def test_two_workers_on_one_thread_do_not_both_run_it(run: Run, tmp_path: Path) -> None:
    """The second gets a clear conflict, nothing of either is lost, and afterwards the thread goes
    on.
    """
    url, saver = f"sqlite:///{tmp_path}/l.db", InMemorySaver()
    with (
        Ledger(url, owner="one") as one,
        Ledger(url, owner="two") as two,
        ScriptedModel([Hang(0.6), Say("b")]) as model,
    ):
        first = turn_on(model, ledger=one, checkpointer=saver)
        second = turn_on(model, ledger=two, checkpointer=saver)
        outs: list[Any] = []
        worker = threading.Thread(target=lambda: outs.append(invoke(first, ask("first"), THREAD)))
        worker.start()
        until_asked(model)
        with pytest.raises(TurnConflictError, match="run by another worker"):
            run(second, ask("second"), THREAD)
        worker.join()
        out = run(second, ask("third"), THREAD)
    texts = [message.text for message in out["messages"]]
    assert texts[0] == "first"
    assert texts[2:] == ["third", "b"]


@both_ways
def test_the_second_worker_may_wait_instead(run: Run, tmp_path: Path) -> None:
    """`wait_s`: it runs as soon as the first is done."""
    url, saver = f"sqlite:///{tmp_path}/l.db", InMemorySaver()
    with (
        Ledger(url, owner="one") as one,
        Ledger(url, owner="two") as two,
        ScriptedModel([Hang(0.4), Say("b")]) as model,
    ):
        first = turn_on(model, ledger=one, checkpointer=saver)
        second = turn_on(model, ledger=two, checkpointer=saver, wait_s=20)
        worker = threading.Thread(target=lambda: invoke(first, ask("first"), THREAD))
        worker.start()
        until_asked(model)
        out = run(second, ask("second"), THREAD)
        worker.join()
    assert [message.text for message in out["messages"]][2:] == ["second", "b"]


@both_ways
def test_a_stream_that_is_left_early_does_not_lock_its_thread(run: Run, ledger: Ledger) -> None:
    """A reader that goes away leaves no lease behind: the next turn need not wait a minute for it
    to run out.
    """
    with ScriptedModel([Say("one"), Say("next")]) as model:
        turn = turn_on(model, ledger=ledger, stream=True, checkpointer=InMemorySaver())
        run(turn, ask("first"), THREAD)
        for _ in turn.stream(ask("second"), THREAD, stream_mode="custom"):
            break
        out = run(turn, ask("third"), THREAD)
    assert [message.text for message in out["messages"]] == [
        "first",
        "one",
        "second",
        "third",
        "next",
    ]


async def test_a_cancelled_turn_does_not_lock_its_thread(ledger: Ledger) -> None:
    """Nor does one whose task was cancelled; the same turn may be asked for again, too."""
    with ScriptedModel([Hang(30), Say("next")]) as model:
        turn = turn_on(model, ledger=ledger, checkpointer=InMemorySaver())
        task = asyncio.create_task(turn.ainvoke(ask("first", turn_id="T1"), THREAD))
        await asyncio.to_thread(until_asked, model)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        out = await turn.ainvoke(ask("first", turn_id="T1"), THREAD)
    assert result_of(out).answer == "next"


@both_ways
def test_one_turn_asked_for_twice_at_once_in_one_process_runs_once(
    run: Run, ledger: Ledger
) -> None:
    """A double click: the second is told, the first is not thrown out of its own turn, and the
    model is asked once.
    """
    with ScriptedModel([Hang(0.6, Say("one"))]) as model:
        turn = turn_on(model, ledger=ledger, checkpointer=InMemorySaver())
        outs: list[Any] = []
        worker = threading.Thread(
            target=lambda: outs.append(invoke(turn, ask("Q", turn_id="T1"), THREAD))
        )
        worker.start()
        until_asked(model)
        with pytest.raises(TurnConflictError, match="run by another worker"):
            run(turn, ask("Q", turn_id="T1"), THREAD)
        worker.join()
        assert len(model.requests) == 1
    assert [result_of(out).answer for out in outs] == ["one"]


@both_ways
def test_a_turn_in_a_parent_is_its_own_turn_in_the_ledger(run: Run, ledger: Ledger) -> None:
    """Twice in one parent, side by side or in a row: two turns, and the parent's thread is the
    parent's.
    """
    with ScriptedModel() as model:
        turn = turn_on(model, ledger=ledger)
        graph = StateGraph(MessagesState)
        graph.add_node("left", turn)
        graph.add_node("right", turn)
        graph.add_edge(START, "left")
        graph.add_edge(START, "right")
        run(graph.compile(checkpointer=InMemorySaver()), ask("Q"), THREAD)
    assert len(rows(ledger, "select turn_id from turn where status = 'done'")) == 2
    assert len(rows(ledger, "select 1 from attempt where state = 'settled'")) == 2


class KilledError(BaseException):
    """Stands in for the end of the process: nothing between it and the caller catches it."""


def killed_when(kind: str) -> Any:
    """A subscriber that ends the run at the first event of this kind."""
    left = [kind]

    def end(event: Any) -> None:
        if event.type in left:
            left.clear()
            raise KilledError

    return end


@both_ways
@pytest.mark.parametrize(
    ("moment", "ran", "told"),
    [("tool_responded", 1, "paid"), ("plugin_called", 0, "paid")],
    ids=["after the tool", "nothing"],
)
def test_a_tool_that_must_not_run_twice_does_not(
    run: Run, moment: str, ran: int, told: str, ledger: Ledger
) -> None:
    """Its answer is kept when it is given, and the resumed turn uses it."""
    calls: list[int] = []

    @tool
    def pay(amount: int) -> str:
        """Pays."""
        calls.append(amount)
        return "paid"

    pay.metadata = {"idempotent": False}
    with ScriptedModel([Call(("pay", {"amount": 100})), Say("Done.")]) as model:
        turn = turn_on(
            model,
            tools=[pay],
            ledger=ledger,
            checkpointer=InMemorySaver(),
            on_event=killed_when(moment),
        )
        try:
            out = run(turn, ask("Pay."), THREAD)
        except KilledError:
            assert calls == [100] * ran
            out = run(turn, None, THREAD)
    assert calls == [100]
    assert [message.text for message in out["messages"] if message.type == "tool"] == [told]
    assert result_of(out).status == "completed"


@both_ways
def test_a_tool_that_was_interrupted_and_must_not_run_twice_is_told_as_unknown(
    run: Run, ledger: Ledger
) -> None:
    """Nobody knows whether the money left; running it again would be worse than saying so."""
    calls: list[int] = []

    @tool
    def pay(amount: int) -> str:
        """Pays."""
        calls.append(amount)
        raise KeyboardInterrupt

    pay.metadata = {"idempotent": False}
    with ScriptedModel([Call(("pay", {"amount": 100})), Say("I do not know.")]) as model:
        turn = turn_on(model, tools=[pay], ledger=ledger, checkpointer=InMemorySaver())
        with pytest.raises(KeyboardInterrupt):
            run(turn, ask("Pay."), THREAD)
        out = run(turn, None, THREAD)
    assert calls == [100]
    assert "must not run twice" in next(m.text for m in out["messages"] if m.type == "tool")


@both_ways
def test_a_priced_tool_is_a_charge_of_its_own(run: Run, ledger: Ledger) -> None:
    """By its own price, never by the tokens of the call that asked for it."""
    prices = Prices(tools=(ToolPrice(tool="weather", usd_per_call=Decimal("0.01")),))
    with ScriptedModel(
        [Call(("weather", {"city": "Oslo"}), ("weather", {"city": "Rome"})), Say("Rain.")]
    ) as model:
        result = result_of(
            run(turn_on(model, tools=[weather], ledger=ledger, prices=prices), ask("Q"))
        )
    assert [charge.amount_usd for charge in result.charges if charge.kind == "tool"] == [
        Decimal("0.01")
    ] * 2
    assert result.cost_usd is not None
    assert result.cost_usd > Decimal("0.02")
    assert len(rows(ledger, "select 1 from attempt where kind = 'tool' and state = 'settled'")) == 2


@both_ways
@pytest.mark.parametrize(
    ("answer", "counted"),
    [({"rows": [{"n": 1}, {"n": 2}]}, 2), (["a", "b", "c"], 3), ("one text", 0)],
)
def test_a_tool_with_a_price_per_row_is_charged_for_the_rows_it_gave(
    run: Run, ledger: Ledger, answer: Any, counted: int
) -> None:
    """Rows are counted in the answer, so the charge may exceed what was held for the call."""

    @tool
    def find(what: str) -> Any:
        """Find something."""
        return answer

    price = ToolPrice(tool="find", usd_per_call=Decimal("0.01"), usd_per_row=Decimal("0.001"))
    with ScriptedModel([Call(("find", {"what": "x"})), Say("ProviderRecord.")]) as model:
        result = result_of(
            run(
                turn_on(model, tools=[find], ledger=ledger, prices=Prices(tools=(price,))), ask("Q")
            )
        )
    (charge,) = (charge for charge in result.charges if charge.kind == "tool")
    assert charge.amount_usd == Decimal("0.01") + counted * Decimal("0.001")
    assert (result.tool_runs[0].rows, charge.overrun) == (counted, counted > 0)


@both_ways
def test_a_tool_with_a_price_per_second_is_charged_for_the_time_it_took(
    run: Run, ledger: Ledger
) -> None:
    """The time that stands on its run, so that the two can be held against each other."""
    price = ToolPrice(tool="weather", usd_per_second=Decimal("0.5"))
    with ScriptedModel([Call(("weather", {"city": "Oslo"})), Say("Rain.")]) as model:
        result = result_of(
            run(
                turn_on(model, tools=[weather], ledger=ledger, prices=Prices(tools=(price,))),
                ask("Q"),
            )
        )
    (charge,) = (charge for charge in result.charges if charge.kind == "tool")
    assert charge.amount_usd == rounded(price.cost(rows=0, seconds=result.tool_runs[0].seconds))


@both_ways
def test_what_the_vendor_says_it_cost_is_what_the_turn_cost(run: Run, ledger: Ledger) -> None:
    """OpenRouter's own word, whatever a list says of the model."""
    used = Usage(input_tokens=10, output_tokens=5, total_tokens=15, cost_usd=Decimal("0.0123"))
    with ScriptedModel([Say("Hi.", usage=used)]) as model:
        result = result_of(run(turn_on(model, ledger=ledger), ask("Q")))
    (charge,) = result.charges
    assert charge.price is not None
    assert (charge.amount_usd, charge.price.source) == (Decimal("0.0123"), "provider")
    assert rows(ledger, "select charge_nano from attempt") == [(12_300_000,)]


@both_ways
def test_a_call_of_which_nobody_knows_stays_open_in_the_ledger(run: Run, ledger: Ledger) -> None:
    """Sent, and no answer: it may have been billed, so it is neither free nor charged until it is
    found out.
    """
    limits = TurnLimits(seconds=0.3, attempts=1)
    with ScriptedModel([Hang(5)]) as model:
        result = result_of(run(turn_on(model, ledger=ledger, limits=limits), ask("Q")))
    assert (result.status, result.unpriced, result.cost_usd) == ("limit", True, None)
    assert rows(ledger, "select state from attempt") == [("unknown",)]
    assert rows(ledger, "select hold_nano > 0 from attempt")[0][0]


@both_ways
def test_no_retry_waits_past_the_time_limit(run: Run) -> None:
    """A vendor's "come back in 50 seconds" does not fit into a turn of one."""
    with ScriptedModel([Fail(429, headers={"Retry-After": "50"})]) as model:
        result = result_of(run(turn_on(model, limits=TurnLimits(seconds=1)), ask("Q")))
        assert len(model.requests) == 1
    assert result.error is not None
    assert result.error.kind == "rate_limit"


@pytest.mark.parametrize("extra", [{"max_completion_tokens": 1_000_000}, {"n": 128}])
def test_what_is_really_sent_is_what_is_held_for(ledger: Ledger, extra: dict[str, Any]) -> None:
    """A caller's own members of the request may ask for more than the turn thinks it asks for."""
    with ScriptedModel([Say("never")]) as model:
        provider = OpenAIProvider(config(model, api="chat", extra_body=extra))
        turn = chat_turn(provider, ledger=ledger, budget=Budget(usd=Decimal("0.01")))
        result = result_of(invoke(turn, ask("Q")))
        assert len(model.requests) == 0
    assert result.status == "budget"


def test_a_passed_through_body_without_a_cap_is_refused_under_a_budget(ledger: Ledger) -> None:
    """Without one no call has a worst case, and a caller's own body is not written into."""
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}
    with ScriptedModel([Say("paid")]) as model:
        turn = turn_on(model, ledger=ledger, budget=Budget(usd=Decimal(1)))
        refused = result_of(invoke(turn, {"messages": [], "settings": TurnSettings(body=body)}))
        paid = result_of(
            invoke(turn, {"messages": [], "settings": TurnSettings(body={**body, "max_tokens": 9})})
        )
        assert len(model.requests) == 1
    assert (refused.http_status, paid.status) == (400, "completed")
    assert refused.error is not None
    assert "max_completion_tokens" in refused.error.message


@both_ways
def test_a_turn_is_counted_for_its_key_and_each_of_its_tags(run: Run, ledger: Ledger) -> None:
    """Whoever pays by key or by feature finds the calls of models and of tools there, and budgets
    of them hold.
    """
    by_key = Budget(usd=Decimal(1), per="api_key_id")
    budgets = (by_key, Budget(usd=Decimal(1), per="tag", period="day"))
    prices = Prices(tools=(ToolPrice(tool="weather", usd_per_call=Decimal("0.01")),))
    settings = TurnSettings(account="acme", api_key_id="k_17", tags=("web", "beta"))
    with ScriptedModel([Call(("weather", {"city": "Oslo"})), Say("Rain.")]) as model:
        turn = turn_on(model, tools=[weather], ledger=ledger, budget=budgets, prices=prices)
        result = result_of(run(turn, ask("Oslo?", settings=settings)))
    assert result.ok
    assert rows(ledger, "select distinct api_key_id, tags from attempt") == [
        ("k_17", '["beta", "web"]')
    ]
    windows = rows(ledger, "select budget_id, settled_nano from budget_window order by budget_id")
    assert result.cost_usd is not None
    spent = int(result.cost_usd.scaleb(9))
    assert windows == [
        ("api_key_id:k_17", spent),
        ("tag-day:beta", spent),
        ("tag-day:web", spent),
    ]


@both_ways
@pytest.mark.parametrize(
    "count", [-10, 10**30, float("nan"), True, "many", 1.5], ids=lambda count: str(count)[:6]
)
def test_a_prompt_that_is_no_count_is_estimated_and_marked(run: Run, count: Any) -> None:
    """Counted as absent and billed as zero, every such call would be cheap without a mark."""
    body = {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "scripted",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello!"},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": count, "completion_tokens": 5, "total_tokens": count},
    }
    answer = Raw(json.dumps(body), content_type="application/json")
    with ScriptedModel([answer]) as model:
        result = result_of(run(turn_on(model), ask("Hello!")))
    [charge] = result.charges
    assert charge.estimated
    assert charge.usage is not None
    assert charge.usage.input_tokens is not None
    assert charge.usage.input_tokens > 10
    assert charge.usage.output_tokens == 5
