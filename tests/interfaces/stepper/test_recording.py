"""A recorded turn is replayed without key and network: the same requests, the same answer."""

import re
from decimal import Decimal
from pathlib import Path

import pytest
from langchain_core.tools import tool

from tests.turns import KEY, ask, both_apis, config, invoke, result_of, streamed_or_not
from turngraph.billing import Prices, ToolPrice
from turngraph.graphs import chat_turn
from turngraph.interfaces.cli.commands.replay import replay
from turngraph.interfaces.plain_text import money
from turngraph.interfaces.stepper.engine.recording import Recorder
from turngraph.interfaces.stepper.engine.replay import replay_cassette
from turngraph.scripted import Call, Fail, Say, ScriptedModel
from turngraph.state.errors import TurnValueError


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: rain"


def record(file: Path, api: str = "chat", *, stream: bool = False) -> str:
    """Records a turn of two requests and two tool calls; returns its answer."""
    calls = Call(("weather", {"city": "Oslo"}), ("weather", {"city": "Rome"}))
    with (
        ScriptedModel([calls, Say(f"Rain, says {KEY}.")]) as model,
        Recorder(config(model, api=api), file) as recorder,
    ):
        out = invoke(chat_turn(recorder.recorded, tools=[weather], stream=stream), ask("Both?"))
        return result_of(out).answer


@both_apis
@streamed_or_not
def test_a_recorded_turn_is_replayed_as_it_was(tmp_path: Path, api: str, stream: bool) -> None:
    """It runs through the graph, and every request equals the recorded one."""
    file = tmp_path / "turn.jsonl"
    answer = record(file, api, stream=stream)
    assert KEY not in file.read_text()
    replayed = replay_cassette(file)
    assert [str(changes) for changes in replayed.requests] == ["no difference"] * 2
    assert replayed.same
    assert replayed.result.answer == answer.replace(KEY, "[redacted]")
    assert [run.content for run in replayed.result.tool_runs] == ["Oslo: rain", "Rome: rain"]


def test_a_changed_model_and_prompt_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In every request that they change; the exit code is 1 if anything differs."""
    file = tmp_path / "turn.jsonl"
    record(file)
    assert replay(file) == 0
    assert "every request is the recorded one" in capsys.readouterr().out
    assert replay(file, model="gpt-5-mini", system="Be brief.") == 1
    out = capsys.readouterr().out
    for number in (1, 2):
        assert f"request {number}: model: gpt-4o-mini → gpt-5-mini" in out
        assert re.search(rf"request {number}: message 1 \(system\), content: .* → Be brief\.", out)


def test_the_cost_at_other_prices_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The requests are the same; the cost is not."""
    file, prices = tmp_path / "turn.jsonl", tmp_path / "prices.yaml"
    record(file)
    listed = replay_cassette(file)
    rates = "rates: {input: {usd_per_mtok: 1000}, output: {usd_per_mtok: 0}}"
    prices.write_text(f"prices:\n  - vendor: openai\n    model: gpt-4o-mini\n    {rates}\n")
    assert replay(file, prices=prices) == 1
    out = capsys.readouterr().out
    assert "every request is the recorded one" in out
    usage = listed.result.usage
    assert usage is not None
    assert usage.input_tokens is not None
    assert f"cost: {money(listed.cost_usd)} → {money(Decimal(usage.input_tokens) / 1000)}" in out


def test_a_call_without_a_price_is_not_shown_as_free(tmp_path: Path) -> None:
    """The priced tool gives a sum; the line says that the model calls have no price."""
    file = tmp_path / "turn.jsonl"
    record(file)
    prices = Prices(tools=(ToolPrice(tool="weather", usd_per_call="0.001"),))
    file.write_text(file.read_text().replace("gpt-4o-mini", "nobody-knows-it"))
    text = str(replay_cassette(file, prices=prices))
    assert "cost: no price → $0.002 and more without a price" in text


def test_an_error_of_the_vendor_is_recorded_too(tmp_path: Path) -> None:
    """Most bug reports are about errors."""
    file = tmp_path / "turn.jsonl"
    with ScriptedModel([Fail(400)]) as model, Recorder(config(model), file) as recorder:
        invoke(chat_turn(recorder.recorded), ask("Q"))
    replayed = replay_cassette(file)
    assert replayed.result.error is not None
    assert replayed.result.error.status == 400
    assert replayed.same


def test_a_file_without_requests_is_refused(tmp_path: Path) -> None:
    """With one sentence, before anything runs."""
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(TurnValueError, match="no recorded request"):
        replay(tmp_path / "empty.jsonl")
    for contents in ("import this\n", '{"id": 1}\n', "[]\n"):
        (tmp_path / "other.jsonl").write_text(contents)
        with pytest.raises(TurnValueError, match=r"other.jsonl` is no recording.*--record"):
            replay(tmp_path / "other.jsonl")
    with pytest.raises(TurnValueError, match="no file"):
        replay(tmp_path / "absent.jsonl")
