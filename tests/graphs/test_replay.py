"""Going back in a turn: with recorded answers it costs nothing and asks nobody; without, it is a
call again.
"""

from decimal import Decimal
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from sqlalchemy import text

from tests.turns import Run, ask, both_apis, both_ways, invoke, result_of, turn_on
from turngraph.billing import Budget, Ledger, Prices, ToolPrice
from turngraph.scripted import Call, Fail, Say, ScriptedModel
from turngraph.scripted.script import ScriptStep
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.events import ChargeAuthorized

THREAD: Any = {"configurable": {"thread_id": "t"}}


def rows(ledger: Ledger, what: str) -> list[Any]:
    """Straight from the tables."""
    with ledger.store.engine.connect() as conn:
        return [tuple(row) for row in conn.execute(text(what))]


def paid(ledger: Ledger) -> int:
    """The sum of all entries, in nano-dollars."""
    return int(rows(ledger, "select sum(amount_nano) from entry")[0][0])


def recorded(config: Any) -> Any:
    """The same place, walked again with recorded answers."""
    return {**config, "configurable": {**config["configurable"], "turn_replay": "recorded"}}


def before(turn: Any, node: str) -> Any:
    """The first checkpoint from which `node` is next."""
    return [each for each in turn.get_state_history(THREAD) if each.next == (node,)][-1]


@both_ways
@both_apis
@pytest.mark.parametrize("node", ["prep_first_request", "call_llm"])
def test_going_back_with_recorded_answers_costs_nothing_and_asks_nobody(
    run: Run, api: str, node: str, ledger: Ledger
) -> None:
    """Every call of the turn gets its recorded answer; a tool that costs does not run again."""
    ran: list[str] = []

    @tool
    def weather(city: str) -> str:
        """The weather in a city."""
        ran.append(city)
        return f"{city}: rain"

    prices = Prices(tools=(ToolPrice(tool="weather", usd_per_call=Decimal("0.01")),))
    budget, seen = Budget(usd=Decimal(1), per="thread"), list[Any]()
    script: list[ScriptStep] = [Fail(503), Call(("weather", {"city": "Oslo"})), Say("Rain.")]
    with ScriptedModel(script) as model:
        paying: Any = {"prices": prices, "ledger": ledger, "budget": budget}
        saver = InMemorySaver()
        turn = turn_on(
            model, api=api, tools=[weather], checkpointer=saver, on_event=seen.append, **paying
        )
        first = result_of(run(turn, ask("Oslo?"), THREAD))
        assert first.ok
        spent, asked = paid(ledger), len(model.requests)
        seen.clear()
        again = result_of(run(turn, None, recorded(before(turn, node).config)))
        assert len(model.requests) == asked
    assert (again.answer, again.cost_usd) == ("Rain.", Decimal(0))
    assert not any(isinstance(event, ChargeAuthorized) for event in seen), "nothing need be held"
    assert ran == ["Oslo"]
    assert paid(ledger) == spent
    assert rows(
        ledger, "select kind, charge_nano from attempt where basis = 'replayed' order by kind"
    ) == [
        ("completion", 0),
        ("completion", 0),
        ("tool", 0),
    ]
    assert rows(ledger, "select 1 from attempt where state not in ('settled', 'released')") == []


@both_ways
def test_without_it_going_back_is_a_new_charge_in_a_lineage_of_its_own(
    run: Run, ledger: Ledger
) -> None:
    """What calls the model costs; that is what happens where nobody asked for recorded answers."""
    with ScriptedModel([Say("red"), Say("blue")]) as model:
        turn = turn_on(model, ledger=ledger, checkpointer=InMemorySaver())
        first = result_of(run(turn, ask("Color?"), THREAD))
        spent = paid(ledger)
        again = result_of(run(turn, None, before(turn, "call_llm").config))
        assert len(model.requests) == 2
    assert again.answer == "blue"
    assert again.cost_usd is not None
    assert paid(ledger) - spent == int(again.cost_usd.scaleb(9))
    assert first.attempts[0].call_id != again.attempts[0].call_id


def test_another_question_has_no_recorded_answer(ledger: Ledger) -> None:
    """The request's own bytes decide: an edited one is asked, and charged once; then it is recorded
    too.
    """
    with ScriptedModel([Say("red"), Say("blue"), Say("never")]) as model:
        turn = turn_on(model, ledger=ledger, checkpointer=InMemorySaver(), replay="recorded")
        first = invoke(turn, ask("Color?"), THREAD)
        place = before(turn, "call_llm")
        edited = HumanMessage("Other color?", id=first["messages"][0].id)
        fork = turn.update_state(place.config, {"messages": [edited]})
        outs = [
            invoke(turn, None, fork),
            invoke(turn, None, fork),
            invoke(turn, None, place.config),
        ]
        assert len(model.requests) == 2
    assert [result_of(out).answer for out in outs] == ["blue", "blue", "red"]
    assert [result_of(out).cost_usd == 0 for out in outs] == [False, True, True]


def test_a_run_may_ask_for_a_new_answer(ledger: Ledger) -> None:
    """`turn_replay` of a run is over what the graph was built with."""
    with ScriptedModel([Say("red"), Say("blue")]) as model:
        turn = turn_on(model, ledger=ledger, checkpointer=InMemorySaver(), replay="recorded")
        invoke(turn, ask("Color?"), THREAD)
        config: Any = before(turn, "call_llm").config
        fresh = {**config, "configurable": {**config["configurable"], "turn_replay": "call"}}
        assert result_of(invoke(turn, None, fresh)).answer == "blue"


@both_ways
def test_a_turn_inside_a_parent_is_replayed_too(run: Run, ledger: Ledger) -> None:
    """There it is another turn in every lineage; its thread and its request tell that it was
    answered.
    """
    with ScriptedModel([Say("red")]) as model:
        turn = turn_on(model, ledger=ledger)
        graph = StateGraph(MessagesState)
        graph.add_node("chat", turn)
        graph.add_edge(START, "chat")
        parent = graph.compile(checkpointer=InMemorySaver())
        run(parent, ask("Color?"), THREAD)
        spent = paid(ledger)
        out = run(parent, None, recorded(before(parent, "chat").config))
        assert len(model.requests) == 1
    assert [message.text for message in out["messages"]] == ["Color?", "red"]
    assert paid(ledger) == spent


def test_recorded_answers_need_a_ledger() -> None:
    """They are kept there."""
    with ScriptedModel() as model, pytest.raises(TurnConfigurationError, match="kept in a ledger"):
        turn_on(model, replay="recorded")
