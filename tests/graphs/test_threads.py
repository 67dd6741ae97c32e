"""Threads: many turns, time travel, forks, a killed worker, bad input. Nothing is lost and nothing
sent twice.
"""

import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command

import turngraph.state.turn
from tests.turns import Run, ask, both_apis, both_ways, invoke, result_of, turn_on
from turngraph.billing.ledger import Ledger
from turngraph.scripted import Call, Fail, Say, ScriptedModel
from turngraph.state.errors import TurnValueError
from turngraph.state.turn import TurnSettings

THREAD: Any = {"configurable": {"thread_id": "t"}}


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: rain"


def texts(out: dict[str, Any]) -> list[str]:
    """The conversation, as text."""
    return [message.text for message in out["messages"]]


@both_ways
def test_a_thread_remembers_and_each_turn_has_its_own_result(run: Run) -> None:
    """Attempts, charges and tool runs belong to the turn; the conversation to the thread."""
    with ScriptedModel(
        [Call(("weather", {"city": "Oslo"})), Say("Rain."), Say("You are welcome.")]
    ) as model:
        turn = turn_on(model, tools=[weather], checkpointer=InMemorySaver())
        run(turn, ask("Oslo?"), THREAD)
        out = run(turn, ask("Thanks."), THREAD)
        assert len(model.requests[2].body["messages"]) == 6
    result = result_of(out)
    assert texts(out) == ["Oslo?", "", "Oslo: rain", "Rain.", "Thanks.", "You are welcome."]
    assert (len(result.attempts), len(result.charges), len(result.tool_runs)) == (1, 1, 0)
    assert [turn.get_state(THREAD).values["messages"][i].id for i in (4, 5)] == list(
        result.message_ids
    )


@pytest.mark.parametrize("turns", [1, 7, 40])
def test_a_thread_reads_the_same_across_snapshots(
    tmp_path: Path, turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Delta channels rebuild a thread from its writes; before, at and after a full copy it must be
    the same.
    """
    monkeypatch.setattr(turngraph.state.turn._MESSAGES, "snapshot_frequency", 10)
    with ScriptedModel() as model, SqliteSaver.from_conn_string(str(tmp_path / "t.db")) as saver:
        turn = turn_on(model, functions=["calculator"], checkpointer=saver)
        for n in range(turns):
            out = invoke(turn, ask(f"What is {n} * 2?"), THREAD)
        stored = turn.get_state(THREAD).values["messages"]
        again = turn_on(model, checkpointer=saver).get_state(THREAD).values["messages"]
    assert [m.id for m in out["messages"]] == [m.id for m in stored] == [m.id for m in again]
    assert [m.text for m in stored if isinstance(m, HumanMessage)] == [
        f"What is {n} * 2?" for n in range(turns)
    ]
    assert len(stored) == turns * 4


async def test_an_async_saver_keeps_a_thread_too(tmp_path: Path) -> None:
    """Two savers, sync and async; a turn takes both."""
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "t.db")) as saver:
        with ScriptedModel([Say("one"), Say("two")]) as model:
            turn = turn_on(model, checkpointer=saver)
            await turn.ainvoke(ask("1"), THREAD)
            out = await turn.ainvoke(ask("2"), THREAD)
    assert texts(dict(out)) == ["1", "one", "2", "two"]


@both_ways
@pytest.mark.parametrize("thread", [7, UUID(int=7)], ids=["number", "UUID"])
def test_a_thread_is_named_by_whatever_langgraph_takes(run: Run, thread: object) -> None:
    """Its savers store it as text, and so does the ledger."""
    config: Any = {"configurable": {"thread_id": thread}}
    with ScriptedModel([Say("one"), Say("two")]) as model, Ledger("sqlite://") as ledger:
        turn = turn_on(model, checkpointer=InMemorySaver(), ledger=ledger)
        run(turn, ask("1"), config)
        out = run(turn, ask("2"), config)
    assert texts(out) == ["1", "one", "2", "two"]


@both_ways
@pytest.mark.parametrize(
    "bad",
    [
        {"messages": [("wizard", "x")]},
        {"messages": [3]},
        {"messages": [("user", "\ud800")]},
        {"messages": [("user", "x" * 10_000_000)]},
        {"mesages": []},
        {"messages": ["x"], "settings": {"temperature": "hot"}},
        {"messages": ["x"], "turn_id": 3},
        Command(update={"attempts": ["x"]}),
    ],
)
def test_bad_input_is_refused_before_anything_is_stored_or_sent(run: Run, bad: Any) -> None:
    """LangGraph stores an input before it checks it, and then cannot read the thread any more."""
    with ScriptedModel([Say("one"), Say("two")]) as model:
        turn = turn_on(model, checkpointer=InMemorySaver())
        run(turn, ask("1"), THREAD)
        with pytest.raises(TurnValueError):
            run(turn, bad, THREAD)
        assert len(model.requests) == 1
        assert texts(run(turn, ask("2"), THREAD)) == ["1", "one", "2", "two"]


def test_a_bad_update_is_refused_and_a_good_one_holds() -> None:
    """Editing a thread from outside is how people debug; a slip must not cost the thread."""
    with ScriptedModel([Say("one"), Say("two")]) as model:
        turn = turn_on(model, checkpointer=InMemorySaver())
        out = invoke(turn, ask("1"), THREAD)
        with pytest.raises(TurnValueError, match="`charges`"):
            turn.update_state(THREAD, {"charges": "none"})
        turn.update_state(THREAD, {"messages": [HumanMessage("ONE?", id=out["messages"][0].id)]})
        turn.update_state(THREAD, {"messages": [RemoveMessage(id=out["messages"][1].id)]})
        assert texts(invoke(turn, ask("2"), THREAD)) == ["ONE?", "2", "two"]


@both_ways
def test_the_same_turn_submitted_twice_is_run_once(run: Run) -> None:
    """A client that retries its request must not pay twice, nor ask twice."""
    with ScriptedModel([Say("one"), Say("two")]) as model:
        turn = turn_on(model, checkpointer=InMemorySaver())
        first = run(turn, ask("Q", turn_id="T1"), THREAD)
        second = run(turn, ask("Q", turn_id="T1"), THREAD)
        assert len(model.requests) == 1
    assert texts(first) == texts(second) == ["Q", "one"]
    assert result_of(first) == result_of(second)
    assert result_of(first).turn_id == "T1"


@both_ways
def test_an_error_does_not_end_the_thread(run: Run) -> None:
    """The next turn asks again, with everything said before."""
    with ScriptedModel([Fail(400), Say("fine now")]) as model:
        turn = turn_on(model, checkpointer=InMemorySaver())
        assert result_of(run(turn, ask("1"), THREAD)).status == "error"
        out = run(turn, ask("2"), THREAD)
    assert texts(out) == ["1", "2", "fine now"]


@both_ways
@pytest.mark.parametrize(
    "bad",
    [
        ("user", ""),
        HumanMessage([{"type": "flurb"}]),
        HumanMessage([{"type": "text", "text": None}]),
    ],
    ids=["empty", "unknown block", "no text"],
)
@pytest.mark.parametrize("begun", [False, True], ids=["new thread", "old thread"])
def test_what_nobody_could_be_sent_does_not_end_the_thread(run: Run, bad: Any, begun: bool) -> None:
    """It would stand in every later request. The caller is told, and only that message is taken out
    again.
    """
    with ScriptedModel() as model:
        turn = turn_on(model, checkpointer=InMemorySaver())
        if begun:
            run(turn, ask("first"), THREAD)
        before = len(model.requests)
        result = result_of(run(turn, {"messages": [bad]}, THREAD))
        assert len(model.requests) == before
        out = run(turn, ask("last"), THREAD)
    assert (result.status, result.http_status) == ("error", 400)
    assert any("were removed" in warning for warning in result.warnings)
    assert result_of(out).status == "completed"
    assert texts(out)[0] == ("first" if begun else "last")
    assert len(out["messages"]) == (4 if begun else 2)


@both_ways
@both_apis
@pytest.mark.parametrize(
    "name", ["", "../../etc/passwd\n", "n" * 1000], ids=["empty", "path", "long"]
)
def test_a_tool_name_that_a_model_made_up_does_not_end_the_thread(
    run: Run, api: str, name: str
) -> None:
    """It stands in the history of every later request, where a vendor takes only letters, digits,
    `_` and `-`.
    """
    with ScriptedModel([Call((name, {})), Say("sorry"), Say("last")]) as model:
        turn = turn_on(model, api=api, tools=[weather], checkpointer=InMemorySaver())
        result = result_of(run(turn, ask("Q"), THREAD))
        out = run(turn, ask("again"), THREAD)
    assert [(called.status, result.status) for called in result.tool_runs] == [
        ("unknown", "completed")
    ]
    assert result_of(out).answer == "last"
    called = next(
        message
        for message in out["messages"]
        if isinstance(message, AIMessage) and message.tool_calls
    )
    assert re.fullmatch("[A-Za-z0-9_-]{1,64}", called.tool_calls[0]["name"])


@both_ways
def test_a_setting_nobody_could_be_sent_costs_no_message(run: Run) -> None:
    """Nothing is wrong with the question: it stays."""
    with ScriptedModel() as model:
        turn = turn_on(model, checkpointer=InMemorySaver())
        result = result_of(run(turn, ask("Q", settings=TurnSettings(tools=("nope",))), THREAD))
        assert (result.status, result.warnings) == ("error", ())
        assert texts(run(turn, ask("again"), THREAD))[:2] == ["Q", "again"]


def test_a_call_left_open_by_a_lost_turn_is_answered_before_the_next_request() -> None:
    """A vendor refuses a history with an unanswered call: without mending, the thread would be
    dead.
    """
    lost = AIMessage(
        "", id="a", tool_calls=[{"name": "weather", "args": {"city": "Oslo"}, "id": "c1"}]
    )
    with ScriptedModel([Say("Sorry, again?")]) as model:
        turn = turn_on(model, tools=[weather], checkpointer=InMemorySaver())
        out = invoke(
            turn,
            {"messages": [HumanMessage("Q", id="q"), lost, HumanMessage("Hello?", id="h")]},
            THREAD,
        )
        roles = [message["role"] for message in model.requests[0].body["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "user"]
    assert "interrupted" in out["messages"][2].text
    assert texts(invoke(turn, None, THREAD)) == texts(out), (
        "the mended conversation is what was stored"
    )


def test_going_back_and_forking_is_a_new_call_in_a_lineage_of_its_own() -> None:
    """Time travel: an edited question is asked anew, and billed anew; the first lineage stays as it
    was.
    """
    with ScriptedModel([Say("red"), Say("blue")]) as model:
        turn = turn_on(model, checkpointer=InMemorySaver())
        first = invoke(turn, ask("Color?"), THREAD)
        history = list(turn.get_state_history(THREAD))
        before_call = next(each for each in history if each.next == ("call_llm",))
        question = first["messages"][0]
        fork = turn.update_state(
            before_call.config, {"messages": [HumanMessage("Other color?", id=question.id)]}
        )
        second = invoke(turn, None, fork)
        assert len(model.requests) == 2
        old = turn.get_state(history[0].config).values
    assert texts(second) == ["Other color?", "blue"]
    assert texts(old) == ["Color?", "red"]
    assert result_of(second).attempts[0].id != result_of(first).attempts[0].id


def test_resuming_after_the_answer_calls_nobody_again() -> None:
    """From the checkpoint behind `call_llm` only what comes after it is run."""
    with ScriptedModel([Say("red"), Say("never")]) as model:
        turn = turn_on(model, checkpointer=InMemorySaver())
        first = invoke(turn, ask("Color?"), THREAD)
        before_bill = next(
            each for each in turn.get_state_history(THREAD) if each.next == ("bill",)
        )
        again = invoke(turn, None, before_bill.config)
        assert len(model.requests) == 1
    assert result_of(again).charges == result_of(first).charges


def test_stepping_node_by_node_ends_where_a_run_ends() -> None:
    """`interrupt_before="*"` at the call: every stage can be stopped at."""
    with ScriptedModel([Call(("weather", {"city": "Oslo"})), Say("Rain.")]) as model:
        turn = turn_on(model, tools=[weather], checkpointer=InMemorySaver())
        turn.invoke(ask("Oslo?"), THREAD, interrupt_before="*")
        seen = []
        while turn.get_state(THREAD).next:
            seen.append(turn.get_state(THREAD).next[0])
            turn.invoke(None, THREAD, interrupt_before="*")
        out = turn.get_state(THREAD).values
    assert seen == [
        *("prep_first_request", "call_llm", "bill", "dispatch_tools"),
        *("prep_second_request", "call_llm", "bill", "finalize"),
    ]
    assert out["status"] == "done"
    assert out["result"].answer == "Rain."


KILLED = """
    import os, signal, sys
    from langchain_core.tools import tool
    from langgraph.checkpoint.sqlite import SqliteSaver
    from turngraph.graphs import chat_turn
    from turngraph.providers import ProviderConfig

    base_url, database, deadly = sys.argv[1:]

    @tool
    def weather(city: str) -> str:
        "The weather in a city."
        if deadly == "yes" and city == "Rome":
            os.kill(os.getpid(), signal.SIGKILL)
        print("ran", city, flush=True)
        return f"{city}: rain"

    config = ProviderConfig(
        vendor="openai", model="gpt-4o-mini", base_url=base_url, api_key="k", api="chat"
    )
    with SqliteSaver.from_conn_string(database) as saver:
        turn = chat_turn(config, tools=[weather], checkpointer=saver)
        given = None if deadly == "no" else {"messages": [("user", "Oslo and Rome?")]}
        out = turn.invoke(given, {"configurable": {"thread_id": "t"}})
        print(out["result"].answer, len(out["messages"]), len(out["charges"]), flush=True)
"""


def test_a_killed_turn_is_resumed_by_another_process(tmp_path: Path) -> None:
    """SIGKILL inside a tool: what was answered is not asked again, and the turn is finished and
    billed whole.
    """

    def start(deadly: str) -> subprocess.CompletedProcess[str]:
        script = [
            sys.executable,
            "-c",
            textwrap.dedent(KILLED),
            model.base_url,
            str(tmp_path / "t.db"),
            deadly,
        ]
        return subprocess.run(
            script, capture_output=True, text=True, timeout=120, env=dict(os.environ)
        )

    steps = [Call(("weather", {"city": "Oslo"})), Call(("weather", {"city": "Rome"})), Say("Rain.")]
    with ScriptedModel(steps) as model:
        killed = start("yes")
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert len(model.requests) == 2
        resumed = start("no")
        assert resumed.returncode == 0, resumed.stderr
        assert len(model.requests) == 3
    assert killed.stdout.split() == ["ran", "Oslo"]
    assert resumed.stdout.splitlines() == ["ran Rome", "Rain. 6 3"]


@both_ways
def test_a_stream_left_in_a_threads_first_stage_costs_the_thread_nothing(run: Run) -> None:
    """A person closes the page before the first checkpoint behind a stage is written; the next
    message must work.
    """
    with ScriptedModel([Say("one two"), Say("next"), Say("last")]) as model:
        turn = turn_on(model, stream=True, checkpointer=InMemorySaver())
        for _ in turn.stream(ask("first"), THREAD, stream_mode="custom"):
            break
        run(turn, ask("second"), THREAD)
        out = run(turn, ask("third"), THREAD)
    assert [text for text in texts(out) if text in ("second", "third")] == ["second", "third"]
    assert result_of(out).ok
