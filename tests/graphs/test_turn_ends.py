"""Limits and cancellation end a turn with a result."""

import asyncio
import threading
import time
from decimal import Decimal

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import tool

from tests.turns import (
    Run,
    ask,
    both_ways,
    config,
    invoke,
    result_of,
    turn_on,
)
from turngraph.graphs import chat_turn
from turngraph.providers.config import Timeouts
from turngraph.scripted import Call, Fail, Hang, Say, ScriptedModel
from turngraph.state.limits import TurnLimits


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: rain"


@both_ways
@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (TurnLimits(calls=2), "`limits.calls` is 2"),
        (TurnLimits(tool_calls=2), "`limits.tool_calls` is 2"),
        (TurnLimits(tokens=1), "`limits.tokens` is 1"),
        (TurnLimits(usd=Decimal("0.000000001")), "`limits.usd` is 0.000000001"),
        (TurnLimits(seconds=0.0001), "`limits.seconds` is 0.0001"),
    ],
)
def test_a_model_that_calls_for_ever_is_stopped_by_a_limit(
    run: Run, limits: TurnLimits, said: str
) -> None:
    """LangGraph's own limit is 10 007 steps, which is none."""
    forever = [Call(("weather", {"city": str(n)})) for n in range(20)]
    with ScriptedModel(forever) as model:
        out = run(turn_on(model, tools=[weather], limits=limits), ask("Go on."))
    result = result_of(out)
    assert result.status == "limit"
    assert result.error is not None
    assert said in result.error.message
    calls = [
        call["id"] for m in out["messages"] if isinstance(m, AIMessage) for call in m.tool_calls
    ]
    answered = [
        message.tool_call_id for message in out["messages"] if isinstance(message, ToolMessage)
    ]
    assert sorted(answered) == sorted(map(str, calls)), "a call left open would end the thread"


@both_ways
def test_a_time_limit_holds_while_the_model_is_silent(run: Run) -> None:
    """The vendor hangs; the caller does not."""
    with ScriptedModel([Hang(5)]) as model:
        result = result_of(
            run(turn_on(model, limits=TurnLimits(seconds=0.2, attempts=1)), ask("Q"))
        )
    assert result.status == "limit"
    assert result.http_status == 408


@both_ways
def test_a_cancelled_turn_ends_with_a_result(run: Run) -> None:
    """What the caller's flag stops is typed like everything else, and the thread can go on."""
    cancel = threading.Event()

    @tool
    def give_up() -> str:
        """Cancels the turn from inside."""
        cancel.set()
        return "cancelled"

    with ScriptedModel([Call(("give_up", {}))]) as model:
        turn = turn_on(model, tools=[give_up])
        out = run(turn, ask("Q"), {"configurable": {"cancel": cancel}})
    assert result_of(out).status == "cancelled"
    assert result_of(out).http_status == 499


@both_ways
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_cancelled_turn_does_not_wait_for_a_tool(run: Run, kind: str) -> None:
    """The async tool is cancelled. The thread of the sync tool cannot be stopped, and is left."""
    cancel, over, unwound = threading.Event(), threading.Event(), threading.Event()

    @tool
    def wait_in_thread() -> str:
        """Waits until the test is over."""
        cancel.set()
        return str(over.wait(600))

    @tool
    async def wait_on_loop() -> str:
        """Waits for an hour."""
        cancel.set()
        try:
            await asyncio.sleep(3600)
        finally:
            unwound.set()
        return "never"

    chosen = wait_in_thread if kind == "sync" else wait_on_loop
    with ScriptedModel([Call((chosen.name, {})), Say("never")]) as model:
        out = run(turn_on(model, tools=[chosen]), ask("Q"), {"configurable": {"cancel": cancel}})
        assert len(model.requests) == 1
    over.set()
    assert result_of(out).status == "cancelled"
    assert [tool_run.status for tool_run in result_of(out).tool_runs] == ["timeout"]
    assert "The turn was cancelled while `wait_" in out["messages"][-1].content
    assert kind == "sync" or unwound.wait(60)


@both_ways
def test_a_long_turn_does_not_lengthen_the_wait_for_a_silent_vendor(run: Run) -> None:
    """`limits.seconds` shortens the configured timeouts; it must never stretch them."""
    with ScriptedModel([Hang(600)]) as model:
        impatient = config(model).replaced(timeouts=Timeouts(first_byte_s=0.5))
        turn = chat_turn(impatient, limits=TurnLimits(seconds=15, attempts=1))
        result = result_of(run(turn, ask("Q")))
    assert result.error is not None
    assert (result.status, result.error.kind) == ("error", "timeout")
    assert "no answer within 0.5 seconds" in str(result.error)


def cancel_once_asked(model: ScriptedModel, cancel: threading.Event) -> None:
    """Sets `cancel` when the first request has come, however busy the machine is."""

    def wait() -> None:
        while not model.requests:
            time.sleep(0.02)
        cancel.set()

    threading.Thread(target=wait, daemon=True).start()


@both_ways
def test_a_turn_cancelled_while_it_waits_to_ask_again_does_not_ask_again(run: Run) -> None:
    """Nor does it sit the wait out: a vendor may ask for a minute."""
    cancel = threading.Event()
    with ScriptedModel([Fail(429, headers={"Retry-After": "50"}), Say("never")]) as model:
        cancel_once_asked(model, cancel)
        result = result_of(run(turn_on(model), ask("Q"), {"configurable": {"cancel": cancel}}))
        assert len(model.requests) == 1
    assert (result.status, len(result.attempts)) == ("cancelled", 1)
    assert result.seconds < 40


@both_ways
@pytest.mark.parametrize("stream", [False, True])
def test_cancelling_the_flag_ends_a_call_that_is_under_way(run: Run, stream: bool) -> None:
    """A person who presses stop does not wait for the vendor, who may be silent for minutes."""
    cancel = threading.Event()
    with ScriptedModel([Hang(600)]) as model:
        cancel_once_asked(model, cancel)
        turn = turn_on(model, stream=stream)
        result = result_of(run(turn, ask("Q"), {"configurable": {"cancel": cancel}}))
        assert len(model.requests) == 1
    assert (result.status, len(result.attempts)) == ("cancelled", 1)
    assert result.seconds < 300


def test_a_cost_limit_that_cannot_hold_is_told() -> None:
    """An unpriced model is never counted as free, and not silently either."""
    with ScriptedModel([Say("a")]) as model:
        turn = chat_turn(
            config(model, model="nobody-prices-this"), limits=TurnLimits(usd=Decimal("0.01"))
        )
        result = result_of(invoke(turn, ask("Q")))
    assert any("`limits.usd`" in warning for warning in result.warnings)
