"""A turn submitted again by its id, at once or late, is run and charged once; and its result is
told again.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command
from sqlalchemy import text

from tests.turns import Run, ask, both_ways, invoke, result_of, turn_on
from turngraph.billing import Ledger, TurnConflictError
from turngraph.interfaces import ahandler, handler
from turngraph.scripted import Call, Say, ScriptedModel
from turngraph.state import StageState
from turngraph.state.turn import TurnSettings

THREAD: Any = {"configurable": {"thread_id": "t"}}


@tool
def today() -> str:
    """The day of the week."""
    return "Monday"


def entries(ledger: Ledger) -> int:
    """How many charges were made."""
    with ledger.store.engine.connect() as conn:
        return int(conn.execute(text("select count(*) from entry")).scalar_one())


def texts(out: dict[str, Any]) -> list[str]:
    """The conversation, as text."""
    return [message.text for message in out["messages"]]


@both_ways
@pytest.mark.parametrize("between", [0, 3])
def test_the_same_turn_submitted_again_returns_what_it_came_to(
    run: Run, between: int, ledger: Ledger
) -> None:
    """At once, or when the thread has gone on: a client's retry never asks nor pays twice, and
    changes nothing.
    """
    with ScriptedModel() as model:
        turn = turn_on(model, ledger=ledger, checkpointer=InMemorySaver())
        first = run(turn, ask("Q", turn_id="T1"), THREAD)
        for n in range(between):
            run(turn, ask(f"more {n}", turn_id=f"M{n}"), THREAD)
        stands = turn.get_state(THREAD)
        again = run(turn, ask("Q", turn_id="T1"), THREAD)
        assert len(model.requests) == 1 + between
    assert result_of(again) == result_of(first)
    assert texts(again) == texts(first)
    assert turn.get_state(THREAD).config == stands.config
    assert entries(ledger) == 1 + between


@pytest.mark.parametrize("way", ["sync", "async"])
def test_it_is_found_in_a_database_too(way: str, ledger: Ledger, tmp_path: Path) -> None:
    """Every saver filters its own way."""
    path = str(tmp_path / "threads.db")

    async def both_turns(model: ScriptedModel) -> list[str]:
        async with AsyncSqliteSaver.from_conn_string(path) as saver:
            turn = turn_on(model, ledger=ledger, checkpointer=saver)
            asked: Any = [ask("Q", turn_id="T1"), ask("R", turn_id="T2"), ask("Q", turn_id="T1")]
            return [result_of(dict(await turn.ainvoke(one, THREAD))).answer for one in asked]

    with ScriptedModel([Say("one"), Say("two")]) as model:
        if way == "async":
            answers = asyncio.run(both_turns(model))
        else:
            with SqliteSaver.from_conn_string(path) as saver:
                turn = turn_on(model, ledger=ledger, checkpointer=saver)
                asked = [ask("Q", turn_id="T1"), ask("R", turn_id="T2"), ask("Q", turn_id="T1")]
                answers = [result_of(invoke(turn, one, THREAD)).answer for one in asked]
    assert answers == ["one", "two", "one"]


@both_ways
def test_where_its_result_is_not_kept_the_caller_is_told(run: Run, ledger: Ledger) -> None:
    """Another thread, or no thread at all: it is not run again, whatever it was."""
    with ScriptedModel() as model:
        turn = turn_on(model, ledger=ledger, checkpointer=InMemorySaver())
        run(turn, ask("Q", turn_id="T1"), THREAD)
        forgetful = turn_on(model, ledger=ledger)
        for elsewhere, config, why in (
            (turn, {"configurable": {"thread_id": "other"}}, "not in the history of this thread"),
            (forgetful, None, "With a `checkpointer=` and the same `thread_id`"),
        ):
            with pytest.raises(TurnConflictError, match=f"was finished before.*{why}") as caught:
                run(elsewhere, ask("Q", turn_id="T1"), config)
            assert caught.value.turn_id == "T1"
        turn.checkpointer.delete_thread("t")  # type: ignore[union-attr]
        with pytest.raises(TurnConflictError, match="pruned"):
            run(turn, ask("Q", turn_id="T1"), THREAD)
        assert len(model.requests) == 1


@both_ways
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    "other",
    [
        ask("Another question", turn_id="T1"),
        ask("Q", turn_id="T1", settings=TurnSettings(temperature=0.5)),
        ask("Q", turn_id="T1", settings=TurnSettings(account="another")),
    ],
    ids=["question", "settings", "account"],
)
def test_another_request_under_the_same_id_is_a_conflict(
    run: Run, other: Any, late: bool, ledger: Ledger
) -> None:
    """It would get an answer to a question it did not ask."""
    with ScriptedModel() as model:
        turn = turn_on(model, ledger=ledger, checkpointer=InMemorySaver())
        run(turn, ask("Q", turn_id="T1"), THREAD)
        if late:
            run(turn, ask("R"), THREAD)
        with pytest.raises(TurnConflictError, match="with another request"):
            run(turn, other, THREAD)


class KilledError(BaseException):
    """Stands in for the end of the process."""


class DyingSaver(InMemorySaver):
    """Dies once, at the checkpoint behind the last stage, when the ledger has the turn as done
    already.
    """

    dies = True

    def put(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        """Store, or die."""
        if (
            self.dies
            and "result" in new_versions
            and checkpoint["channel_values"].get("status") == "done"
        ):
            self.dies = False
            raise KilledError
        return super().put(config, checkpoint, metadata, new_versions)


@both_ways
def test_a_worker_that_died_between_the_ledger_and_the_thread_left_a_turn_that_is_finished(
    run: Run, ledger: Ledger
) -> None:
    """The ledger says done, the thread does not yet: its last stage is run, and nothing else."""
    with ScriptedModel([Say("one"), Say("two")]) as model:
        turn = turn_on(model, ledger=ledger, checkpointer=DyingSaver())
        with pytest.raises(KilledError):
            run(turn, ask("Q", turn_id="T1"), THREAD)
        assert turn.get_state(THREAD).tasks
        again = run(turn, ask("Q", turn_id="T1"), THREAD)
        assert not turn.get_state(THREAD).tasks
        assert len(model.requests) == 1
        assert result_of(run(turn, ask("Q", turn_id="T1"), THREAD)) == result_of(again)
    assert result_of(again).answer == "one"
    assert entries(ledger) == 1


@both_ways
@pytest.mark.parametrize(
    "going_on", [None, Command(resume={"decision": "approve"})], ids=["resume", "decision"]
)
def test_a_turn_that_was_resumed_is_not_run_again_without_a_ledger_either(
    run: Run, going_on: Any
) -> None:
    """A person is asked, the turn goes on, the client repeats its first request: nobody is asked or
    told twice.
    """
    with ScriptedModel([Call(("today", {})), Say("It is Monday."), Say("never")]) as model:
        turn = turn_on(
            model, tools=[today], checkpointer=InMemorySaver(), approve=going_on is not None
        )
        stop = {} if going_on is not None else {"interrupt_before": ["dispatch_tools"]}
        turn.invoke(ask("Q", turn_id="T1"), THREAD, **stop)
        first = run(turn, going_on, THREAD)
        again = run(turn, ask("Q", turn_id="T1"), THREAD)
        assert len(model.requests) == 2
    assert result_of(first).answer == "It is Monday."
    assert (result_of(again), texts(again)) == (result_of(first), texts(first))


@both_ways
def test_a_turn_that_was_resumed_without_its_name_is_found_by_it(run: Run, ledger: Ledger) -> None:
    """`invoke(None)` does not say which turn goes on; the checkpoints of the thread do."""
    with ScriptedModel([Say("one"), Say("two")]) as model:
        turn = turn_on(
            model, ledger=ledger, checkpointer=InMemorySaver(), interrupt_before=["bill"]
        )
        run(turn, ask("Q", turn_id="T1"), THREAD)
        first = run(turn, None, THREAD)
        at_once = run(turn, ask("Q", turn_id="T1"), THREAD)
        run(turn, ask("R", turn_id="T2"), THREAD)
        run(turn, None, THREAD)
        late = run(turn, ask("Q", turn_id="T1"), THREAD)
        assert len(model.requests) == 2
    assert result_of(first).answer == "one"
    assert result_of(first) == result_of(at_once) == result_of(late)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"stream_mode": "values"}, 1),
        ({"stream_mode": ["updates", "values"]}, 1),
        ({"stream_mode": "values", "subgraphs": True}, 1),
        ({"stream_mode": ["values"], "subgraphs": True}, 1),
        ({"stream_mode": "values", "version": "v2"}, 1),
        ({"stream_mode": "values", "output_keys": ["result"]}, 1),
        ({"stream_mode": "updates"}, 0),
        ({}, 0),
    ],
)
def test_a_stream_of_a_finished_turn_has_the_form_of_any_other(
    asked: Any, told: int, ledger: Ledger
) -> None:
    """As LangGraph's own streams end: the last part of the first run is the only part of the
    second.
    """
    with ScriptedModel() as model:
        turn = turn_on(model, ledger=ledger, checkpointer=InMemorySaver())
        first = list(turn.stream(ask("Q", turn_id="T1"), THREAD, **asked))
        invoke(turn, ask("R"), THREAD)
        again = list(turn.stream(ask("Q", turn_id="T1"), THREAD, **asked))
    assert again == first[-1:] * told


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_gateway_returns_the_result_of_a_request_that_is_repeated(
    way: str, ledger: Ledger
) -> None:
    """As with `Idempotency-Key`: the same conversation sent again gets the same result."""
    asked = {"session_key": "s", "messages": [{"role": "user", "content": "Q"}]}
    said = [{"role": "user", "content": "before"}, {"role": "assistant", "content": "yes"}]

    def post(data: Any, turn_id: str) -> dict[str, Any]:
        if way == "async":
            return asyncio.run(ahandler(turn, data, turn_id=turn_id))
        return handler(turn, data, turn_id=turn_id)

    with ScriptedModel() as model:
        turn = turn_on(model, ledger=ledger, checkpointer=InMemorySaver())
        first = post({**asked, "messages": [*said, *asked["messages"]]}, "T1")
        post({**asked, "messages": [{"role": "user", "content": "R"}]}, "T2")
        again = post({**asked, "messages": [*said, *asked["messages"]]}, "T1")
        other = post({**asked, "messages": [{"role": "user", "content": "S"}]}, "T1")
        assert len(model.requests) == 2
    assert first["statusCode"] == 200
    assert json.loads(again["body"]) == json.loads(first["body"])
    assert other["statusCode"] == 409


def test_two_accounts_may_name_their_requests_alike(ledger: Ledger) -> None:
    """A gateway serves many; what one of them sent is neither in another's way nor told to it."""
    with ScriptedModel([Say("for acme"), Say("for bolt")]) as model:
        turn = turn_on(model, ledger=ledger, checkpointer=InMemorySaver())
        asked = {"messages": [{"role": "user", "content": "Q"}]}
        one = handler(turn, {**asked, "session_key": "a"}, account="acme", turn_id="1")
        two = handler(turn, {**asked, "session_key": "b"}, account="bolt", turn_id="1")
        stolen = handler(turn, {**asked, "session_key": "a"}, account="bolt", turn_id="1")
    assert ["for acme" in one["body"], "for bolt" in two["body"]] == [True, True]
    assert stolen["statusCode"] == 409
    assert "for acme" not in stolen["body"]


def test_accounts_are_told_apart_whatever_they_are_called() -> None:
    """`a:b` with the name `c` is not `a` with the name `b:c`, even where they share a thread."""
    with ScriptedModel([Say("for the one"), Say("for the other")]) as model:
        turn = turn_on(model, checkpointer=InMemorySaver())
        asked = {"session_key": "s", "messages": [{"role": "user", "content": "Q"}]}
        one = handler(turn, asked, account="a:b", turn_id="c")
        two = handler(turn, asked, account="a", turn_id="b:c")
    assert ["for the one" in one["body"], "for the other" in two["body"]] == [True, True]


@both_ways
@pytest.mark.parametrize("steps", ["each", "one"])
def test_a_turn_without_checkpoints_finds_what_it_paid_for(
    run: Run, steps: str, ledger: Ledger
) -> None:
    """It fails before its second call. Submitted again, it runs from its beginning: the first
    answer comes from the ledger, and a tool that must not run twice does not.
    """
    paid: list[int] = []
    broken = True

    @tool
    def pay(amount: int) -> str:
        """Pay an amount."""
        paid.append(amount)
        return "paid"

    def fail_once(state: StageState) -> None:
        if broken and state["attempts"]:
            raise RuntimeError("the worker dies here")

    pay.metadata = {"idempotent": False}
    with ScriptedModel([Call(("pay", {"amount": 5})), Say("done")]) as model:
        options: Any = {"tools": [pay], "before_model": [fail_once], "steps": steps}
        turn = turn_on(model, ledger=ledger, **options)
        with pytest.raises(RuntimeError, match="dies here"):
            run(turn, ask("Pay 5", turn_id="order"))
        broken = False
        result = result_of(run(turn, ask("Pay 5", turn_id="order")))
        assert len(model.requests) == 2
    assert (result.status, result.answer, paid) == ("completed", "done", [5])
    assert ledger.verify() == []
