"""One chat turn, from the user's message to a billed, typed result: against a real server on a
socket.
"""

import json
import threading
import time
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool

from tests.turns import (
    Run,
    ask,
    both_apis,
    both_ways,
    config,
    invoke,
    result_of,
    streamed_or_not,
    told,
    turn_on,
)
from turngraph.graphs import chat_turn
from turngraph.providers import OpenAIProvider
from turngraph.providers.config import Timeouts
from turngraph.scripted import Call, Cut, Fail, Hang, Raw, Refuse, Say, ScriptedModel
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.limits import TurnLimits
from turngraph.state.result import TurnResult
from turngraph.state.turn import TurnSettings


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: rain"


@tool
def broken(city: str) -> str:
    """A tool that always fails."""
    raise RuntimeError(f"no station in {city}")


@tool
def slow(seconds: float) -> str:
    """Sleeps."""
    time.sleep(seconds)
    return "awake"


def bodies(model: ScriptedModel) -> list[dict[str, Any]]:
    """What the server was sent, in order."""
    return [request.body for request in model.requests]


@both_apis
@streamed_or_not
@both_ways
def test_a_plain_answer_is_billed_and_typed(run: Run, stream: bool, api: str) -> None:
    """The shortest turn there is, over both APIs, whole or in pieces."""
    with ScriptedModel([Say("Oslo.")]) as model:
        result = result_of(
            run(turn_on(model, api=api, stream=stream), ask("The capital of Norway?"))
        )
    assert (result.status, result.answer, result.error) == ("completed", "Oslo.", None)
    assert result.usage is not None
    assert result.cost_usd is not None
    assert result.cost_usd > 0
    assert [charge.price.source for charge in result.charges if charge.price] != []


@both_apis
@streamed_or_not
@both_ways
def test_follow_up_requests_carry_the_tools_and_their_results(
    run: Run, stream: bool, api: str
) -> None:
    """The old system's second request came without tools, so a model could not ask twice."""
    script = [
        Call(("weather", {"city": "Oslo"})),
        Call(("weather", {"city": "Rome"})),
        Say("Rain in both."),
    ]
    with ScriptedModel(script) as model:
        out = run(turn_on(model, api=api, stream=stream, tools=[weather]), ask("Oslo and Rome?"))
        sent = bodies(model)
    assert result_of(out).answer == "Rain in both."
    assert told(out) == ["Oslo: rain", "Rome: rain"]
    assert all(body["tools"] for body in sent)
    assert len(sent) == 3
    assert [attempt.number for attempt in result_of(out).attempts] == [1, 1, 1]


@both_ways
def test_parallel_calls_are_answered_in_the_order_they_were_asked(run: Run) -> None:
    """Whichever tool is first, the conversation reads the same; prompt caches and people rely on
    it.
    """
    calls = [("slow", {"seconds": seconds}) for seconds in (0.08, 0.0, 0.04)]
    with ScriptedModel([Call(*calls), Say("Done.")]) as model:
        out = run(turn_on(model, tools=[slow]), ask("Sleep."))
        answered = [m for m in bodies(model)[1]["messages"] if m["role"] == "tool"]
    asked = out["messages"][1].tool_calls
    assert [message["tool_call_id"] for message in answered] == [call["id"] for call in asked]
    assert [run.order for run in result_of(out).tool_runs] == [0, 1, 2]


@both_ways
@pytest.mark.parametrize(
    ("name", "arguments", "status", "said"),
    [
        (
            "wether",
            {"city": "Oslo"},
            "unknown",
            "No tool named `wether` in this turn. Offered: `broken`, `weather`.",
        ),
        ("weather", "{city: Oslo", "invalid", "JSON"),
        ("weather", {"town": "Oslo"}, "invalid", "city"),
        ("weather", {"city": 3}, "invalid", "city"),
        ("weather", "[1]", "invalid", "object"),
        ("broken", {"city": "Oslo"}, "error", "no station in Oslo"),
    ],
)
def test_what_is_wrong_with_a_call_is_told_to_the_model(
    run: Run, name: str, arguments: Any, status: str, said: str
) -> None:
    """The model reads its mistake and can mend it; nothing of it ends the turn."""
    with ScriptedModel([Call((name, arguments)), Say("I see.")]) as model:
        out = run(turn_on(model, tools=[weather, broken]), ask("Weather?"))
    assert result_of(out).answer == "I see."
    assert result_of(out).tool_runs[0].status == status
    assert said in told(out)[0]


@both_ways
def test_a_failing_tool_harms_no_sibling(run: Run) -> None:
    """One tool's exception ended the old system's turn."""
    with ScriptedModel(
        [Call(("broken", {"city": "A"}), ("weather", {"city": "B"})), Say("ok")]
    ) as model:
        out = run(turn_on(model, tools=[weather, broken]), ask("Both."))
    assert [run.status for run in result_of(out).tool_runs] == ["error", "ok"]


@both_ways
def test_a_hanging_tool_is_given_up(run: Run) -> None:
    """The turn goes on; the thread is left behind."""
    with ScriptedModel([Call(("slow", {"seconds": 3})), Say("Too slow.")]) as model:
        out = run(turn_on(model, tools=[slow], limits=TurnLimits(tool_seconds=0.05)), ask("Sleep."))
    assert result_of(out).tool_runs[0].status == "timeout"
    assert "did not answer within 0.05 seconds" in told(out)[0]
    assert result_of(out).status == "completed"


def test_a_long_tool_result_is_cut_with_a_notice() -> None:
    """Never silently: the model must know that there was more."""

    def flood() -> str:
        """Says a lot."""
        return "x" * 100_000

    with ScriptedModel([Call(("flood", {})), Say("Much.")]) as model:
        out = invoke(
            turn_on(model, tools=[flood], limits=TurnLimits(tool_result_chars=500)), ask("Go.")
        )
    assert 400 < len(told(out)[0]) <= 500
    assert "left out" in told(out)[0]
    assert result_of(out).tool_runs[0].truncated


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
def test_a_long_turn_does_not_lengthen_the_wait_for_a_silent_vendor(run: Run) -> None:
    """`limits.seconds` shortens the configured timeouts; it must never stretch them."""
    with ScriptedModel([Hang(20)]) as model:
        patient = config(model).replaced(timeouts=Timeouts(first_byte_s=0.5, idle_s=0.5))
        turn = chat_turn(patient, limits=TurnLimits(seconds=15, attempts=1))
        result = result_of(run(turn, ask("Q")))
    assert result.error is not None
    assert (result.status, result.error.kind) == ("error", "timeout")


@both_ways
def test_a_turn_cancelled_while_it_waits_to_ask_again_does_not_ask_again(run: Run) -> None:
    """Nor does it sit the wait out: a vendor may ask for a minute."""
    cancel = threading.Event()
    with ScriptedModel([Fail(429, headers={"Retry-After": "50"}), Say("never")]) as model:
        threading.Timer(0.3, cancel.set).start()
        result = result_of(run(turn_on(model), ask("Q"), {"configurable": {"cancel": cancel}}))
        assert len(model.requests) == 1
    assert (result.status, len(result.attempts)) == ("cancelled", 1)
    assert result.seconds < 40


@both_ways
@pytest.mark.parametrize("stream", [False, True])
def test_cancelling_the_flag_ends_a_call_that_is_under_way(run: Run, stream: bool) -> None:
    """A person who presses stop does not wait for the vendor, who may be silent for minutes."""
    cancel = threading.Event()
    with ScriptedModel([Hang(20)]) as model:
        threading.Timer(0.3, cancel.set).start()
        turn = turn_on(model, stream=stream)
        result = result_of(run(turn, ask("Q"), {"configurable": {"cancel": cancel}}))
        assert len(model.requests) == 1
    assert (result.status, len(result.attempts)) == ("cancelled", 1)
    assert result.seconds < 15


def test_the_callers_settings_hold_for_one_turn_only() -> None:
    """Zero is a wish, not «unset»."""
    with ScriptedModel([Say("a"), Say("b")]) as model:
        turn = turn_on(model)
        settings = TurnSettings(
            temperature=0.0, max_tokens=7, model="gpt-4.1-nano", system="Be brief."
        )
        invoke(turn, {**ask("Q"), "settings": settings})
        invoke(turn, ask("Q"))
        first, second = bodies(model)
    assert (first["temperature"], first["model"]) == (0.0, "gpt-4.1-nano")
    assert first["messages"][0] == {"role": "system", "content": "Be brief."}
    assert "temperature" not in second
    assert second["model"] == "gpt-4o-mini"


def test_a_conversations_own_system_message_is_kept() -> None:
    """The default role stands in only where nobody said anything."""
    with ScriptedModel([Say("a"), Say("b")]) as model:
        turn = turn_on(model)
        invoke(turn, {"messages": [SystemMessage("Rhyme."), HumanMessage("Q")]})
        invoke(turn, ask("Q"))
        first, second = bodies(model)
    assert first["messages"][0]["content"] == "Rhyme."
    assert "tools" in second["messages"][0]["content"]


def test_to_http_carries_every_request_and_response() -> None:
    """The gateway's reply is the vendor's last response, and the whole story of the turn."""
    with ScriptedModel([Call(("weather", {"city": "Oslo"})), Say("Rain.")]) as model:
        reply = result_of(invoke(turn_on(model, tools=[weather]), ask("Oslo?"))).to_http()
    body = json.loads(reply["body"])
    assert (reply["statusCode"], reply["isBase64Encoded"]) == (200, False)
    assert body["choices"][0]["message"]["content"] == "Rain."
    assert [attempt["request"]["model"] for attempt in body["turn"]["attempts"]] == [
        "gpt-4o-mini"
    ] * 2
    assert body["metadata"]["tool_calls"][0]["name"] == "weather"


def test_an_empty_conversation_is_a_400_and_nothing_is_sent() -> None:
    """There is nothing to ask."""
    with ScriptedModel([Say("never")]) as model:
        result = result_of(invoke(turn_on(model), {"messages": []}))
        seen = len(model.requests)
    assert (result.status, result.http_status, seen) == ("error", 400, 0)


def test_on_finish_may_replace_the_result() -> None:
    """A house has its own words for errors."""

    def house(result: TurnResult) -> TurnResult:
        return result.model_copy(update={"answer": "Please call us."})

    with ScriptedModel([Fail(400)]) as model:
        assert (
            result_of(invoke(turn_on(model, on_finish=house), ask("Q"))).answer == "Please call us."
        )


def test_a_subscriber_that_fails_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Watching must not change what is sent or billed."""

    def fails(event: object) -> None:
        raise ValueError("watcher")

    with ScriptedModel([Say("fine")]) as model:
        assert result_of(invoke(turn_on(model, on_event=fails), ask("Q"))).answer == "fine"
    assert "A subscriber failed" in caplog.text


def test_what_a_vendor_does_not_take_is_dropped_with_a_warning() -> None:
    """Never silently: the event and the result say what was left out."""
    seen: list[Any] = []
    with ScriptedModel([Say("a")]) as model:
        groq = OpenAIProvider(
            config(model, vendor="groq", model="llama-3.3-70b-versatile", temperature=0.0)
        )
        result = result_of(invoke(chat_turn(groq, on_event=seen.append), ask("Q")))
    assert any("temperature" in warning for warning in result.warnings)
    assert [event.message for event in seen if event.type == "warning"] == list(result.warnings)


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


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tools": weather}, "`tools` is a list"),
        ({"functions": "calculator"}, r"functions=\['calculator'\]"),
        ({"plugins": "examples"}, "load_manifests"),
        ({"limits": {"calls": 4}}, "TurnLimits"),
    ],
)
def test_slips_in_wiring_are_named(options: dict[str, Any], said: str) -> None:
    """Before anything is sent, with what to write instead."""
    with ScriptedModel() as model, pytest.raises(TurnConfigurationError, match=said):
        chat_turn(config(model), **options)


def test_a_cost_limit_that_cannot_hold_is_told() -> None:
    """An unpriced model is never counted as free, and not silently either."""
    with ScriptedModel([Say("a")]) as model:
        turn = chat_turn(
            config(model, model="nobody-prices-this"), limits=TurnLimits(usd=Decimal("0.01"))
        )
        result = result_of(invoke(turn, ask("Q")))
    assert any("`limits.usd`" in warning for warning in result.warnings)
