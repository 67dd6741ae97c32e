"""A turn run with types: messages in, a `TurnResult` or typed events out."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from tests.turns import config
from turngraph import (
    Budget,
    Ledger,
    ProviderConfig,
    ScriptedModel,
    TurnConfigurationError,
    TurnInvocationError,
    TurnPausedError,
    TurnResult,
    TurnSettings,
    TurnValueError,
    chat_turn,
)
from turngraph.graphs import TurnGraph
from turngraph.scripted import Call, Say
from turngraph.state import PromptFinished, PromptStarted, Token


def arun(turn: TurnGraph, *given: Any, **named: Any) -> TurnResult:
    return asyncio.run(turn.arun(*given, **named))


both = pytest.mark.parametrize("run", [TurnGraph.run, arun], ids=["sync", "async"])


@both
def test_a_text_becomes_a_typed_result(run: Any) -> None:
    """The shortest way to use a turn; it needs no key."""
    result = run(chat_turn("scripted", functions=["calculator"]), "What is 17% of 2,340?")
    assert isinstance(result, TurnResult)
    assert (result.status, result.tool_runs[0].content) == ("completed", "397.8")


@both
def test_a_run_goes_on_with_its_thread_under_its_settings(run: Any) -> None:
    """What a caller would write into `config` and the input has arguments of its own."""
    with ScriptedModel() as model:
        turn = chat_turn(config(model), checkpointer=InMemorySaver())
        run(turn, "My name is Ada.", thread="t")
        run(turn, [("user", "Who am I?")], thread="t", settings=TurnSettings(temperature=0.5))
        sent = model.requests[1].body
    assert (
        [m["content"] for m in sent["messages"] if m["role"] == "user"],
        sent["temperature"],
    ) == (
        ["My name is Ada.", "Who am I?"],
        0.5,
    )


@both
def test_a_named_turn_is_not_run_twice(run: Any, tmp_path: Path) -> None:
    """Submitted again it returns the same result, and nothing is sent."""
    with ScriptedModel() as model, Ledger(f"sqlite:///{tmp_path}/l.db") as ledger:
        turn = chat_turn(config(model), checkpointer=InMemorySaver(), ledger=ledger)
        first = run(turn, "Hello!", thread="t", turn_id="one")
        again = run(turn, "Hello!", thread="t", turn_id="one")
        assert len(model.requests) == 1
    assert (first.turn_id, first) == ("one", again)


@both
def test_a_turn_that_waits_for_a_person_says_so_and_is_resumed(run: Any) -> None:
    """There is no result yet; the error has the question and says how to answer it."""
    with ScriptedModel([Call(("calculator", {"expression": "6*7"})), Say("42")]) as model:
        saver = InMemorySaver()
        turn = chat_turn(config(model), functions=["calculator"], approve=True, checkpointer=saver)
        with pytest.raises(TurnPausedError, match=r"approve `calculator`\?") as paused:
            run(turn, "What is 6 * 7?", thread="t")
        assert paused.value.interrupts[0].value["arguments"] == {"expression": "6*7"}
        result = run(turn, Command(resume={"decision": "approve"}), thread="t")
    assert (result.status, result.answer) == ("completed", "42")


def test_a_resume_takes_no_new_settings() -> None:
    """The turn that goes on has its own."""
    with pytest.raises(TurnInvocationError, match="leave `turn_id` and `settings` out"):
        chat_turn("scripted").run(Command(resume=True), turn_id="x")


@pytest.mark.parametrize("run", [TurnGraph.run, arun], ids=["sync", "async"])
def test_a_command_that_says_nothing_is_refused(run: Any) -> None:
    """LangGraph itself would raise an UnboundLocalError."""
    with ScriptedModel([Call(("calculator", {"expression": "6*7"}))]) as model:
        saver = InMemorySaver()
        turn = chat_turn(config(model), functions=["calculator"], approve=True, checkpointer=saver)
        with pytest.raises(TurnPausedError):
            run(turn, "What is 6 * 7?", thread="t")
        with pytest.raises(TurnInvocationError, match="The command says nothing"):
            run(turn, Command(resume=None), thread="t")


def test_events_are_typed_from_the_first_to_the_last() -> None:
    """Tokens too, where the turn streams."""
    turn = chat_turn("scripted", stream=True)
    events = list(turn.stream_events("Hello!"))
    assert isinstance(events[0], PromptStarted)
    assert isinstance(events[-1], PromptFinished)
    text = "".join(event.text for event in events if isinstance(event, Token))
    assert text == turn.run("Hello!").answer


async def test_events_are_typed_on_an_event_loop_too() -> None:
    """The same events in the same order."""
    turn = chat_turn("scripted")
    types = [event.type async for event in turn.astream_events("Hello!")]
    assert types == [event.type for event in turn.stream_events("Hello!")]


async def test_langchains_own_events_are_where_they_were() -> None:
    """A graph's input, as other software gives it, has LangChain's events."""
    turn = chat_turn("scripted")
    given: Any = {"messages": [("user", "Hello!")]}
    names = [event["event"] async for event in turn.astream_events(given, version="v2")]
    assert names[0] == "on_chain_start"


def test_a_ledger_is_opened_from_its_url(tmp_path: Path) -> None:
    """One argument is enough to keep the books."""
    turn = chat_turn("scripted", ledger=f"sqlite:///{tmp_path}/turns.db")
    turn.run("Hello!")
    assert turn.ledger is not None
    turn.ledger.close()
    assert (tmp_path / "turns.db").exists()


def test_prices_are_given_as_a_dict() -> None:
    """USD per million tokens; exact, also where a float was written."""
    with ScriptedModel() as model:
        provider = ProviderConfig(
            vendor="berget", model="llama-9", base_url=model.base_url, api_key="k"
        )
        result = chat_turn(
            provider, prices={"berget:llama-*": {"input": 0.1, "output": "0.2"}}
        ).run("Hello!")
    assert result.usage is not None
    assert result.cost_usd is not None
    assert result.charges[0].price is not None
    assert str(result.charges[0].price.input_usd_per_mtok) == "0.1"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"ledger": 7}, "`ledger` is a int. Allowed: a Ledger, or the URL of one"),
        ({"ledger": "turns.db"}, "turns.db"),
        ({"prices": 7}, "`prices` is a int. Allowed: Prices, the path of a price file"),
        ({"prices": {"gpt-5": {"input": 1}}}, "no price for `gpt-5`. Write 'vendor:model'"),
        ({"prices": {"a:b": {"input": "much"}}}, r"`prices\['a:b'\]`"),
        ({"prices": {"a:b": {"inputs": 1}}}, r"`prices\['a:b'\]`, inputs"),
        ({"prices": "nowhere.yaml"}, "`nowhere.yaml` cannot be read"),
        ({"budget": Budget(usd=Decimal(1))}, "A budget needs a ledger"),
        ({"replay": "recorded"}, "Recorded answers are kept in a ledger"),
    ],
)
def test_what_cannot_be_used_is_refused_when_the_turn_is_built(wrong: Any, sentence: str) -> None:
    """With a sentence that says what is allowed, before anything is sent."""
    from turngraph.state.errors import TurngraphError

    with pytest.raises(TurngraphError, match=sentence):
        chat_turn("scripted", **wrong)


def test_another_kind_of_model_is_refused() -> None:
    """The sentence names what a model may be."""
    with pytest.raises(TurnConfigurationError, match="Allowed: 'vendor:model', 'scripted'"):
        chat_turn(7)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [{"messages": [("user", "Hello!")]}, None, b"Hello!", 7])
def test_what_is_no_text_and_no_messages_is_refused_by_a_typed_run(wrong: Any) -> None:
    """A dict is the input of `invoke`; its keys were taken for messages."""
    with pytest.raises(TurnValueError, match="takes a text or a list of messages, not"):
        chat_turn("scripted").run(wrong)
