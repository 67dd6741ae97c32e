"""call_llm: one call to the model, on a real socket."""

from typing import Any

import pytest
from langchain_core.messages import AnyMessage, HumanMessage

from tests.nodes.stages import (
    NOW,
    QUESTION,
    Drive,
    Flag,
    Recorder,
    attempt,
    both_drivers,
    context_for,
    run_stage,
)
from turngraph.billing import Ledger
from turngraph.nodes import StageContext
from turngraph.nodes.call_llm import call_llm
from turngraph.nodes.prep_first_request import prep_first_request
from turngraph.scripted import Call, Cut, Fail, Refuse, Say, ScriptedModel
from turngraph.state.flow import drive
from turngraph.state.limits import TurnLimits


def state(context: StageContext, *messages: AnyMessage, **keys: Any) -> dict[str, Any]:
    return {
        "messages": list(messages) or [QUESTION],
        "turn_id": "turn",
        "settings": None,
        "started_at": NOW,
        "request": context.deps.template,
        "reservation": None,
        "attempts": [],
        "tool_runs": [],
        **keys,
    }


def call(model: ScriptedModel, driver: Drive, **options: Any) -> dict[str, Any]:
    """The patch of one call that `model` answers, with retries that wait for nothing."""
    context = context_for(model, **{"chance": lambda: 0.0, **options})
    return run_stage(call_llm, state(context), context, driver)


@both_drivers
def test_an_answer_becomes_a_message_and_ends_the_turn(driver: Drive) -> None:
    """The message has an id that is the same after a resume."""
    with ScriptedModel([Say("42.")]) as model:
        patch = call(model, driver)
    [message], [made] = patch["messages"], patch["attempts"]
    assert (message.content, message.id) == ("42.", "msg-task")
    assert (made.id, made.number, made.messages_sent) == ("task.1", 1, 1)
    assert patch["outcome"].status == "completed"
    assert patch["pending_tool_calls"] == []


@both_drivers
def test_a_tool_call_waits_for_its_answer(driver: Drive) -> None:
    """The turn goes on: it has no outcome yet."""
    with ScriptedModel([Call(("weather", {"city": "Oslo"}))]) as model:
        patch = call(model, driver)
    assert [each.name for each in patch["pending_tool_calls"]] == ["weather"]
    assert patch["outcome"] is None


@both_drivers
def test_a_failure_that_may_pass_is_tried_again(driver: Drive) -> None:
    """Every attempt is kept, because each may be billed."""
    seen = Recorder()
    with ScriptedModel([Fail(503), Fail(503), Say("42.")]) as model:
        patch = call(model, driver, subscribers=(seen,))
    assert [made.error is None for made in patch["attempts"]] == [False, False, True]
    assert [made.number for made in patch["attempts"]] == [1, 2, 3]
    assert patch["outcome"].status == "completed"
    assert [event for event in seen.types if event != "token"] == [
        *("request_sent", "response_failed") * 2,
        *("request_sent", "response_received"),
    ]


@pytest.mark.parametrize(
    ("limits", "before", "sent"),
    [(TurnLimits(attempts=2), 0, 2), (TurnLimits(calls=4), 3, 1), (TurnLimits(), 0, 3)],
)
def test_retries_stop_at_the_limits(limits: TurnLimits, before: int, sent: int) -> None:
    """`attempts` counts those of one call, `calls` those of the whole turn."""
    earlier = [attempt(number) for number in range(before)]
    with ScriptedModel([Fail(503)] * 5) as model:
        context = context_for(model, chance=lambda: 0.0, limits=limits)
        patch = run_stage(call_llm, state(context, attempts=earlier), context)
        assert len(model.requests) == sent
    assert patch["outcome"].error.kind == "overloaded"


def test_a_request_that_is_wrong_is_not_sent_again() -> None:
    """It would be refused in the same words."""
    with ScriptedModel([Fail(400), Say("never")]) as model:
        patch = call(model, drive)
        assert len(model.requests) == 1
    assert (patch["outcome"].status, patch["outcome"].error.kind) == ("error", "bad_request")
    assert "messages" not in patch


def test_a_cut_answer_is_kept_and_not_asked_for_again() -> None:
    """Its beginning was shown to someone; another attempt would show it a second time."""
    with ScriptedModel([Cut(after=3, answer=Say("A long answer in pieces.")), Say("no")]) as model:
        patch = call(model, drive, stream=True)
        assert len(model.requests) == 1
    [made] = patch["attempts"]
    assert patch["outcome"].status == "truncated"
    assert made.reply.truncated
    assert made.billed == "partial"
    assert made.estimate is not None
    assert patch["messages"][0].content == made.reply.text


def test_an_answer_that_stopped_at_its_cap_runs_no_tools() -> None:
    """Their arguments may not have arrived whole."""
    step = Call(("weather", {"city": "Oslo"}), text="Let me", finish_reason="length")
    with ScriptedModel([step]) as model:
        patch = call(model, drive)
    assert (patch["outcome"].status, patch["pending_tool_calls"]) == ("length", [])
    assert patch["messages"][0].tool_calls == []


def test_an_empty_answer_leaves_no_message() -> None:
    """Mistral and Gemini would refuse it in the next request."""
    with ScriptedModel([Say("")]) as model:
        patch = call(model, drive)
    assert patch["outcome"].status == "empty"
    assert "messages" not in patch


def test_a_refusal_is_an_answer() -> None:
    """It is in the conversation, and its tokens are billed."""
    with ScriptedModel([Refuse("I cannot help with that.")]) as model:
        patch = call(model, drive)
    assert patch["outcome"].status == "refused"
    assert patch["attempts"][0].reply.refusal == "I cannot help with that."
    assert len(patch["messages"]) == 1


def test_a_name_that_no_vendor_takes_is_made_valid() -> None:
    """Sent back unchanged it would be refused in every later request of the thread."""
    with ScriptedModel([Call(("functions/weather", {}))]) as model:
        patch = call(model, drive)
    [pending] = patch["pending_tool_calls"]
    assert pending.name == "unknown_functions_weather"
    assert patch["messages"][0].tool_calls[0]["name"] == pending.name


def test_more_tool_calls_than_allowed_end_the_turn() -> None:
    """Before any of them runs."""
    with ScriptedModel([Call(("a", {}), ("b", {}))]) as model:
        patch = call(model, drive, limits=TurnLimits(tool_calls=1))
    assert (patch["outcome"].status, patch["outcome"].error.kind) == ("limit", "limit")


def test_a_history_that_cannot_be_sent_ends_the_turn_unsent() -> None:
    """An error with a sentence, and no request."""
    with ScriptedModel([Say("never")]) as model:
        context = context_for(model)
        empty = HumanMessage([{"type": "odd", "x": 1}], id="q")
        patch = run_stage(call_llm, state(context, empty), context)
        assert len(model.requests) == 0
    assert patch["outcome"].error.kind == "value"


def test_a_caller_who_cancels_waits_for_no_retry() -> None:
    """The vendor asked for half a minute; the flag is looked at meanwhile."""
    with ScriptedModel([Fail(429, headers={"retry-after": "30"}), Say("never")]) as model:
        context = context_for(model, cancel=Flag(looks_left=2))
        patch = run_stage(call_llm, state(context), context)
        assert len(model.requests) == 1
    assert patch["outcome"].status == "cancelled"
    assert len(patch["attempts"]) == 1


def test_a_passed_through_answer_leaves_the_conversation_alone() -> None:
    """Its messages and its tool calls are the caller's own."""
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}
    with ScriptedModel([Call(("weather", {}))]) as model:
        context = context_for(model)
        request = context.deps.template.model_copy(update={"body": body})
        patch = run_stage(call_llm, state(context, request=request), context)
        assert model.requests[0].body == body
    assert (patch["outcome"].status, patch["pending_tool_calls"]) == ("completed", [])
    assert "messages" not in patch


@both_drivers
def test_a_call_that_was_answered_before_is_not_made_again(driver: Drive) -> None:
    """A worker was killed after the answer was stored; the next one finds it in the ledger."""
    with Ledger("sqlite://") as ledger, ScriptedModel([Say("42."), Say("never")]) as model:
        context = context_for(model, ledger=ledger)
        first = {"messages": [QUESTION], "turn_id": "turn", "settings": None}
        held = run_stage(prep_first_request, first, context)["reservation"]
        given = state(context, reservation=held)
        once, again = (run_stage(call_llm, given, context, driver) for _ in range(2))
        assert len(model.requests) == 1
    assert again["messages"][0].content == once["messages"][0].content == "42."
    assert again["attempts"][0].id == once["attempts"][0].id


def test_the_provider_is_the_one_of_the_context() -> None:
    """Nothing is looked up elsewhere: the same state is answered by another server."""
    with ScriptedModel([Say("first")]) as first, ScriptedModel([Say("second")]) as second:
        context = context_for(first)
        run_stage(call_llm, state(context), context)
        patch = run_stage(call_llm, state(context), context_for(second))
    assert patch["messages"][0].content == "second"
