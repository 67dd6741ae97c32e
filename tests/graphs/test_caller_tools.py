"""Tools that the caller runs: offered by the turn, which stops until it has their answers."""

from typing import Any

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from tests.turns import Run, ask, both_ways, told, turn_on
from turngraph.billing.ledger import Ledger
from turngraph.scripted import Call, Say, ScriptedModel
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.request import ToolSpec
from turngraph.state.turn import TurnSettings

THREAD: Any = {"configurable": {"thread_id": "t"}}
LOCATE = ToolSpec(name="locate", parameters={"type": "object", "properties": {}})
OFFERS = TurnSettings(caller_tools=(LOCATE,))


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: rain"


@both_ways
@pytest.mark.parametrize("steps", ["each", "one"])
def test_the_turn_stops_for_the_caller_and_goes_on_with_the_answers(run: Run, steps: Any) -> None:
    """The turn's own tool runs beside, once; the model reads all answers in the calls' order."""
    calls = Call(("locate", {"who": "Ada"}), ("weather", {"city": "Oslo"}), ("locate", {}))
    with ScriptedModel([calls, Say("Done.")]) as model, Ledger("sqlite://") as ledger:
        turn = turn_on(
            model, tools=[weather], steps=steps, checkpointer=InMemorySaver(), ledger=ledger
        )
        stopped = run(turn, ask("Where?", turn_id="T", settings=OFFERS), THREAD)
        first, second = sorted(stopped["__interrupt__"], key=lambda each: each.value["order"])
        assert first.value == {
            "type": "tool_call",
            "call_id": first.value["call_id"],
            "tool": "locate",
            "arguments": '{"who": "Ada"}',
            "order": 0,
        }
        assert (len(model.requests), second.value["order"]) == (1, 2)
        answers = {first.id: "in Rome", second.id: [{"type": "text", "text": "nowhere"}]}
        out = run(turn, Command(resume=answers), THREAD)
        assert ledger.turn_bill("T").usd == out["result"].cost_usd
        offered = [each["function"]["name"] for each in model.requests[0].body["tools"]]
    assert offered == ["weather", "locate"]
    assert told(out) == ["in Rome", "Oslo: rain", "nowhere"]
    assert (out["result"].answer, out["result"].turn_id) == ("Done.", "T")


@both_ways
def test_without_a_checkpointer_the_caller_is_told(run: Run) -> None:
    """The turn would stop and never go on."""
    with ScriptedModel() as model:
        with pytest.raises(TurnConfigurationError, match=r"`caller_tools`.*checkpointer"):
            run(turn_on(model), ask("Where?", settings=OFFERS))
        assert not model.requests


@both_ways
def test_a_callers_tool_has_a_name_of_its_own(run: Run) -> None:
    """Two tools of one name would be refused by the vendor, or the wrong one run."""
    clash = TurnSettings(caller_tools=(LOCATE.model_copy(update={"name": "weather"}),))
    with ScriptedModel() as model:
        turn = turn_on(model, tools=[weather], checkpointer=InMemorySaver())
        out = run(turn, ask("Where?", settings=clash), THREAD)
        assert not model.requests
    assert "Two tools are named `weather`" in out["result"].error.message


def test_all_that_a_caller_may_set_reaches_the_vendor() -> None:
    """Zero and False are wishes, and the vendor's own parameters are passed on."""
    settings = TurnSettings(
        top_p=0.5,
        stop=("END",),
        seed=0,
        logprobs=True,
        top_logprobs=0,
        tool_choice="weather",
        parallel_tool_calls=False,
        stream=True,
        extra_body={"presence_penalty": 1},
        tools=("weather",),
    )
    with ScriptedModel([Call(("weather", {"city": "Oslo"})), Say("ok")]) as model:
        turn_on(model, tools=[weather]).run("Q", settings=settings)
        first, second = (one.body for one in model.requests)
    sent = {name: first[name] for name in ("top_p", "stop", "seed", "logprobs", "top_logprobs")}
    assert sent == {
        "top_p": 0.5,
        "stop": ["END"],
        "seed": 0,
        "logprobs": True,
        "top_logprobs": 0,
    }
    assert first["tool_choice"]["function"] == {"name": "weather"}
    assert (first["parallel_tool_calls"], first["stream"], first["presence_penalty"]) == (
        False,
        True,
        1,
    )
    assert second["tool_choice"] == "auto"
