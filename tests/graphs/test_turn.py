"""One chat turn, from the user's message to a billed, typed result: against a real server on a
socket.
"""

import json
import time
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.tools import tool

from tests.turns import (
    Run,
    Vendor,
    ask,
    both_apis,
    both_ways,
    completion,
    config,
    invoke,
    result_of,
    streamed_or_not,
    told,
    turn_on,
)
from turngraph.graphs import chat_turn
from turngraph.providers import OpenAIProvider, ProviderConfig
from turngraph.scripted import Call, Fail, Say, ScriptedModel
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


def test_the_callers_settings_hold_for_one_turn_only() -> None:
    """Zero is a wish, not "unset"."""
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


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tools": weather}, "`tools`.*must be a list of tools"),
        ({"functions": "calculator"}, r"functions=\['calculator'\]"),
        ({"plugins": "examples"}, "load_manifests"),
        ({"limits": {"calls": 4}}, "TurnLimits"),
    ],
)
def test_slips_in_wiring_are_named(options: dict[str, Any], said: str) -> None:
    """Before anything is sent, with what to write instead."""
    with ScriptedModel() as model, pytest.raises(TurnConfigurationError, match=said):
        chat_turn(config(model), **options)


@both_ways
def test_a_tool_that_wants_its_arguments_back_gets_them(run: Run) -> None:
    """Moonshot runs it once it has them: https://platform.moonshot.ai/docs/guide/use-web-search"""
    web: Any = {"type": "builtin_function", "function": {"name": "$web_search"}}
    function = {"name": "$web_search", "arguments": '{"q": "oak"}'}
    call = {"id": "w:0", "type": "builtin_function", "function": function}
    answers = completion({"tool_calls": [call]}, "tool_calls"), completion({"content": "Done."})
    with Vendor(*answers) as vendor:
        own = ProviderConfig(
            vendor="moonshot",
            model="kimi-k2",
            base_url=vendor.base_url,
            api_key="k",
            builtin_tools=(web,),
        )
        result = result_of(run(chat_turn(own), ask("Search.")))
    assert (result.answer, [one.status for one in result.tool_runs]) == ("Done.", ["ok"])
    asked, told = vendor.bodies[1]["messages"][-2:]
    assert asked["tool_calls"] == [call]
    assert json.loads(told["content"]) == {"q": "oak"}
