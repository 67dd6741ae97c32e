"""What a vendor or a connection does wrong: how the turn ends, and what is asked again."""

import json
import threading

import pytest

from tests.turns import (
    Run,
    ask,
    both_apis,
    both_ways,
    config,
    invoke,
    result_of,
    streamed_or_not,
    turn_on,
)
from turngraph.graphs import chat_turn
from turngraph.scripted import Call, Cut, Fail, Raw, Refuse, Say, ScriptedModel
from turngraph.state.limits import TurnLimits


@streamed_or_not
def test_a_cut_answer_runs_no_tool(stream: bool) -> None:
    """`finish_reason: length` inside a call's arguments: what arrived may not be what was meant."""
    ran = threading.Event()

    def pay(amount: int) -> str:
        """Pays."""
        ran.set()
        return "paid"

    cut = Call(("pay", '{"amount": 100'), text="I will pay", finish_reason="length")
    with ScriptedModel([cut, Say("Again.")]) as model:
        turn = turn_on(model, tools=[pay], stream=stream)
        result = result_of(invoke(turn, ask("Pay.")))
    assert (result.status, result.answer) == ("length", "I will pay")
    assert not ran.is_set()


@both_ways
@streamed_or_not
@pytest.mark.parametrize("status", ["cancelled", "in_progress", "queued", "incomplete", "failed"])
def test_a_response_that_is_not_completed_runs_no_tool(run: Run, stream: bool, status: str) -> None:
    """Its call looks whole, and the vendor says that the answer is not."""
    paid: list[int] = []

    def pay(amount: int) -> str:
        """Pays."""
        paid.append(amount)
        return "paid"

    call = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "pay"}
    call |= {"arguments": '{"amount": 5}', "status": "completed"}
    usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    response = {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-4o-mini"}
    body = json.dumps(response | {"status": status, "output": [call], "usage": usage})
    kind = "response.failed" if status == "failed" else "response.incomplete"
    event = f'data: {{"type": "{kind}", "sequence_number": 0, "response": {body}}}\n\n'
    answer = Raw(event) if stream else Raw(body, content_type="application/json")
    with ScriptedModel([answer] * 3) as model:
        out = run(turn_on(model, tools=[pay], api="responses", stream=stream), ask("Pay."))
    assert result_of(out).status not in ("completed", "refused")
    assert paid == []


@both_apis
def test_refusal_empty_and_filter_are_statuses_of_their_own(api: str) -> None:
    """None of them is an answer, and none is an exception."""
    with ScriptedModel(
        [Refuse("I will not."), Say(""), Say("Par", finish_reason="content_filter")]
    ) as model:
        turn = turn_on(model, api=api)
        results = [result_of(invoke(turn, ask("Q"))) for _ in range(3)]
    assert [result.status for result in results] == ["refused", "empty", "content_filter"]
    assert results[0].refusal == "I will not."
    assert results[2].answer == "Par"


@both_ways
@pytest.mark.parametrize(
    ("status", "kind", "requests"),
    [
        (400, "bad_request", 1),
        (401, "authentication", 1),
        (403, "permission", 1),
        (404, "not_found", 1),
        (422, "bad_request", 1),
        (429, "rate_limit", 3),
        (500, "server", 3),
        (503, "overloaded", 3),
    ],
)
def test_a_providers_error_is_the_turns_with_its_true_status(
    run: Run, status: int, kind: str, requests: int
) -> None:
    """Never a 200 with a stack trace; retried in one place, and only where that may help."""
    with ScriptedModel([Fail(status) for _ in range(3)]) as model:
        result = result_of(run(turn_on(model), ask("Q")))
        seen = len(model.requests)
    assert result.status == "error"
    assert result.error is not None
    assert (result.error.kind, result.error.status, result.to_http()["statusCode"]) == (
        kind,
        status,
        status,
    )
    assert seen == requests == len(result.attempts)
    assert result.cost_usd == 0


@both_ways
def test_a_retry_that_helps_is_a_second_attempt_of_the_same_call(run: Run) -> None:
    """Each attempt is on record; the answer is one."""
    with ScriptedModel([Fail(503), Say("Now.")]) as model:
        result = result_of(run(turn_on(model), ask("Q")))
        ids = [request.headers["x-client-request-id"] for request in model.requests]
    assert result.answer == "Now."
    assert [(attempt.number, attempt.call_id) for attempt in result.attempts] == [
        (1, result.attempts[0].call_id),
        (2, result.attempts[0].call_id),
    ]
    assert ids == [attempt.id for attempt in result.attempts]


def test_a_wait_that_is_too_long_is_told_instead() -> None:
    """`Retry-After: 3600` must not hang a turn for an hour."""
    with ScriptedModel([Fail(429, headers={"Retry-After": "3600"})]) as model:
        result = result_of(invoke(turn_on(model), ask("Q")))
    assert result.error is not None
    assert result.error.retry_after_s == 3600
    assert result.to_http()["headers"]["Retry-After"] == "3600"
    assert len(result.attempts) == 1


@both_ways
def test_a_stream_cut_in_the_middle_keeps_its_text_and_is_not_sent_again(run: Run) -> None:
    """Whoever watched has seen the beginning; a second one would be a second bill too."""
    with ScriptedModel([Cut(after=4, answer=Say("one two three four five six seven"))]) as model:
        out = run(turn_on(model, stream=True), ask("Count."))
        seen = len(model.requests)
    result = result_of(out)
    assert result.status == "truncated"
    assert result.answer
    assert "one two three four five six seven".startswith(result.answer)
    assert seen == 1
    assert result.charges[0].estimated
    assert out["messages"][-1].text == result.answer


@both_ways
def test_nobody_at_the_endpoint_is_said_as_it_is(run: Run) -> None:
    """The first thing a newcomer without a server meets; it is no timeout, sync or async."""
    with ScriptedModel() as model:
        gone = config(model)
    result = result_of(run(chat_turn(gone, limits=TurnLimits(attempts=1)), ask("Q")))
    assert result.error is not None
    assert (result.error.kind, result.http_status) == ("connection", 502)
    assert "nobody answers" in result.error.message
    assert result.attempts[0].billed == "none"
