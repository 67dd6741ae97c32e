"""prep_first_request: what a turn starts with."""

from typing import Any

import pytest
from langchain_core.messages import AnyMessage, HumanMessage, SystemMessage
from langchain_core.tools import tool
from langgraph.types import Overwrite

from tests.nodes.stages import NOW, QUESTION, REQUEST, Flag, Recorder, asks, context_for, run_stage
from turngraph.billing import Budget, Ledger
from turngraph.nodes.prep_first_request import first_request, prep_first_request
from turngraph.state.turn import TurnSettings


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: rain"


def state(*messages: AnyMessage, **keys: Any) -> dict[str, Any]:
    return {"messages": list(messages) or [QUESTION], "turn_id": "", "settings": None, **keys}


def test_the_last_turns_keys_are_emptied() -> None:
    """They are still in the thread, and this turn's limits and charges must not count them."""
    patch = run_stage(prep_first_request, state(), context_for())
    assert (patch["charges"], patch["pending_tool_calls"], patch["result"]) == ([], [], None)
    assert patch["attempts"] == patch["tool_runs"] == Overwrite([])
    assert (patch["status"], patch["outcome"], patch["started_at"]) == ("running", None, NOW)
    assert "messages" not in patch


def test_a_turn_without_an_id_gets_langgraphs_task_id() -> None:
    """It is the same when a killed turn is resumed, so the turn keeps its id."""
    patch = run_stage(prep_first_request, state(), context_for())
    assert (patch["turn_id"], patch["reservation"]) == ("task", None)
    assert run_stage(prep_first_request, state(turn_id="t7"), context_for())["turn_id"] == "t7"


def test_the_callers_settings_go_over_the_graphs() -> None:
    """Zero is a value; None keeps what the graph was built with."""
    settings = TurnSettings(temperature=0, system="Be brief.")
    request = run_stage(prep_first_request, state(settings=settings), context_for())["request"]
    assert (request.temperature, request.system, request.model) == (0.0, "Be brief.", "gpt-4o-mini")


@pytest.mark.parametrize("model", ["gpt-5", "openai:gpt-5"])
def test_a_vendor_before_the_callers_model_is_not_sent(model: str) -> None:
    settings = TurnSettings(model=model)
    request = run_stage(prep_first_request, state(settings=settings), context_for())["request"]
    assert (request.vendor, request.model) == ("openai", "gpt-5")


@pytest.mark.parametrize(
    ("template", "settings", "messages", "system"),
    [
        ("graph", "caller", [SystemMessage("thread")], "caller"),
        ("graph", None, [SystemMessage("thread")], "graph"),
        (None, None, [SystemMessage("thread"), QUESTION], "thread"),
        (None, None, [QUESTION, SystemMessage("late")], "default"),
        (None, None, [], "default"),
    ],
)
def test_the_system_message_is_the_nearest_one(
    template: str | None, settings: str | None, messages: list[AnyMessage], system: str
) -> None:
    """The caller's, else the graph's, else the thread's first message, else the default."""
    built = REQUEST.model_copy(update={"system": template})
    request = first_request(built, TurnSettings(system=settings), messages, "default")
    assert request.system == system


def test_a_callers_own_body_is_passed_through() -> None:
    """Only what the turn must know is read from it."""
    body = {"model": "gpt-4.1", "stream": True, "messages": []}
    request = first_request(REQUEST, TurnSettings(body=body), [], "default")
    assert (request.body, request.model, request.stream) == (body, "gpt-4.1", True)
    assert (request.system, request.vendor) == (None, "openai")


def test_only_the_tools_that_the_caller_names_are_offered() -> None:
    """A gateway offers each account its own tools."""
    context = context_for(tools=(weather, "calculator"))
    given = state(settings=TurnSettings(tools=("calculator",)))
    request = run_stage(prep_first_request, given, context)["request"]
    assert [spec.name for spec in request.tools] == ["calculator"]


def test_a_tool_that_nobody_built_ends_the_turn_with_its_name() -> None:
    """The caller's mistake is in the result, with the names that can be used."""
    given = state(settings=TurnSettings(tools=("wether",)))
    outcome = run_stage(prep_first_request, given, context_for(tools=(weather,)))["outcome"]
    assert (outcome.status, outcome.error.kind) == ("error", "value")
    assert "`wether`" in outcome.error.message
    assert "Built: `weather`." in outcome.error.message


def test_a_call_without_an_answer_gets_one() -> None:
    """A vendor would refuse the history, in this turn and in every later one of the thread."""
    given = state(HumanMessage("Oslo?", id="h"), asks("weather"), QUESTION)
    patch = run_stage(prep_first_request, given, context_for())
    repaired = patch["messages"].value
    assert [message.type for message in repaired] == ["human", "ai", "tool", "human"]
    assert repaired[2].tool_call_id == "weather"


def test_a_turn_that_is_cancelled_at_once_sends_nothing() -> None:
    """The edge after this stage then leads to finalize."""
    patch = run_stage(prep_first_request, state(), context_for(cancel=Flag()))
    assert patch["outcome"].status == "cancelled"


def test_the_prompt_and_every_tool_are_announced() -> None:
    """A person who watches sees what the model is offered before it answers."""
    seen = Recorder()
    context = context_for(tools=(weather, "calculator"), subscribers=(seen,))
    run_stage(prep_first_request, state(), context)
    assert seen.types == ["prompt_started", "tool_presented", "tool_presented"]


def test_the_most_a_call_can_cost_is_held_before_it_is_sent() -> None:
    """With a budget the answer gets a cap, because a call without one has no greatest cost."""
    seen = Recorder()
    with Ledger("sqlite://") as ledger:
        context = context_for(ledger=ledger, budgets=(Budget(usd="0.50"),), subscribers=(seen,))
        patch = run_stage(prep_first_request, state(), context)
    assert (patch["outcome"], patch["request"].max_tokens) == (None, 4096)
    assert seen.types == ["prompt_started", "charge_authorized"]


def test_a_call_that_the_budget_cannot_pay_ends_the_turn() -> None:
    """Nothing is sent, and the result says which budget it was."""
    seen = Recorder()
    with Ledger("sqlite://") as ledger:
        budgets = (Budget(usd="0.0000001"),)
        context = context_for(ledger=ledger, budgets=budgets, subscribers=(seen,))
        outcome = run_stage(prep_first_request, state(), context)["outcome"]
    assert (outcome.status, outcome.error.kind) == ("budget", "budget")
    assert seen.types[-1] == "charge_declined"
