"""One attempt at a call: what is stored before anyone is told, and what a cut one leaves."""

from typing import Any

import pytest

from tests.nodes.stages import NOW, QUESTION, Drive, Flag, both_drivers, context_for
from turngraph.billing import Ledger
from turngraph.nodes import StageContext
from turngraph.nodes.support.attempt import AttemptRun, ModelCall
from turngraph.nodes.support.ledger_calls import attribution_of, ledger_call
from turngraph.scripted import Fail, Say, ScriptedModel
from turngraph.state.events import ResponseReceived, TurnEvent


def call_in(context: StageContext) -> ModelCall:
    deps, request = context.deps, context.deps.template
    payload = deps.provider.payload(request, [QUESTION])
    attribution = attribution_of("turn", None, context)
    return ModelCall(
        id=context.task_id,
        turn_id="turn",
        request=request,
        payload=payload,
        ledger_call=ledger_call(request, payload, attribution, 1, deps),
        reservation=None,
        started=None,
        messages=[QUESTION],
        ends_at=None,
    )


def run(context: StageContext, driver: Drive, number: int = 1) -> Any:
    return driver(AttemptRun(call_in(context), number, context).run())


@both_drivers
def test_an_attempt_says_what_was_sent_and_what_came(driver: Drive) -> None:
    """Its id is the vendor's `X-Client-Request-Id` too, by which support finds the request."""
    with ScriptedModel([Say("42.")]) as model:
        made = run(context_for(model), driver, number=2)
        headers = {name.lower(): value for name, value in model.requests[0].headers.items()}
    assert (made.id, made.number, made.started_at) == ("task.2", 2, NOW)
    assert headers["x-client-request-id"] == made.id
    assert (made.reply.text, made.error, made.held_usd) == ("42.", None, None)


@both_drivers
def test_an_error_is_data(driver: Drive) -> None:
    """Nothing is raised, so the caller decides about a retry."""
    with ScriptedModel([Fail(401)]) as model:
        made = run(context_for(model), driver)
    assert (made.reply, made.error.kind, made.billed) == (None, "authentication", "none")


@both_drivers
def test_a_caller_who_cancels_keeps_what_has_arrived(driver: Drive) -> None:
    """The flag is looked at with every chunk."""
    with ScriptedModel([Say("one two three four five six seven eight nine ten")]) as model:
        context = context_for(model, stream=True, cancel=Flag(looks_left=4))
        made = run(context, driver)
    assert (made.error.kind, made.billed) == ("cancelled", "partial")
    assert made.reply is None or made.reply.truncated


@both_drivers
def test_a_listener_that_fails_cannot_lose_an_answer(driver: Drive) -> None:
    """The answer is stored before anyone is told of it, so it is not paid for twice."""

    def fail(event: TurnEvent) -> None:
        if isinstance(event, ResponseReceived):
            raise OSError("the stream is closed")

    with Ledger("sqlite://") as ledger, ScriptedModel([Say("42."), Say("never")]) as model:
        quiet = context_for(model, ledger=ledger)
        loud = StageContext(quiet.deps, task_id=quiet.task_id, writer=fail)
        with pytest.raises(OSError, match="closed"):
            run(loud, driver)
        assert run(quiet, driver).reply.text == "42."
        assert len(model.requests) == 1
