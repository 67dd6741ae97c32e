"""A turn with a ledger commits as often as its guarantees need, and no more."""

import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from tests.commits import Commits
from tests.turns import Run, ask, both_ways, invoke, result_of, turn_on
from turngraph.billing import Budget, Ledger
from turngraph.billing.errors import TurnConflictError
from turngraph.nodes.support.stage_context import NEW_TURN
from turngraph.providers import OpenAIProvider
from turngraph.providers.writing.payload import Payload
from turngraph.scripted import Call, Say, ScriptedModel

THREAD: Any = {"configurable": {"thread_id": "t"}}
TWO_CALLS = [Call(("double", {"number": 21})), Say("42")]


@tool
def double(number: int) -> str:
    """Doubles a number."""
    return str(2 * number)


@pytest.fixture
def commits(ledger: Ledger) -> Commits:
    """The commits of `ledger`, whose tables are made."""
    return Commits(ledger)


@both_ways
@pytest.mark.parametrize("named", [False, True], ids=["unnamed", "named"])
@pytest.mark.parametrize("saver", [None, InMemorySaver], ids=["no thread", "thread"])
def test_a_turn_of_two_calls_in_one_step_commits_five_times_and_once_more_for_its_admission(
    run: Run, ledger: Ledger, commits: Commits, saver: Any, named: bool
) -> None:
    """Admitted; held and sent; answered and charged; held and sent; answered and charged; finished.

    Each is a moment that a crash may not undo, and between any two of them something happens that
    the ledger cannot take back: the thread is read, a request leaves, a tool runs, a checkpoint is
    stored. A turn that nobody else can know of is admitted with its first call.
    """
    with ScriptedModel(TWO_CALLS) as model:
        kept = None if saver is None else saver()
        turn = turn_on(model, ledger=ledger, tools=[double], checkpointer=kept, steps="one")
        given = ask("Twice 21?", turn_id="u") if named else ask("Twice 21?")
        out = run(turn, given, THREAD if kept else None)
    assert (result_of(out).answer, len(result_of(out).charges)) == ("42", 2)
    assert commits.count == (6 if named or kept else 5)
    # What is sent and answered waits for the disk; no worker survives a power cut to miss a lease.
    assert commits.flushed == 4


@both_ways
def test_a_turn_with_an_id_that_nobody_else_knows_is_admitted_with_its_first_call(
    run: Run, ledger: Ledger, commits: Commits
) -> None:
    """Only the id that is said to be new: one that was used before is met again."""
    with ScriptedModel([Say("Hi"), Say("Ho"), Say("Hu")]) as model:
        turn = turn_on(model, ledger=ledger, steps="one")
        for name, new, count in (("u", "u", 3), ("v", "v", 3), ("w", "v", 4)):
            commits.count = 0
            out = run(turn, ask("Hello", turn_id=name), {"configurable": {NEW_TURN: new}})
            assert (result_of(out).turn_id, commits.count) == (name, count)
        with pytest.raises(TurnConflictError, match="submitted before"):
            run(turn, ask("Another one?", turn_id="w"), {"configurable": {NEW_TURN: "v"}})
        assert len(model.requests) == 3


@both_ways
@pytest.mark.parametrize("steps", ["each", "one"])
def test_a_turn_that_ends_before_its_first_call_is_in_the_ledger(
    run: Run, ledger: Ledger, commits: Commits, steps: Any
) -> None:
    """A refused turn makes no call that it could be admitted with."""
    budget = Budget(usd=Decimal("0.0000001"), per="turn")
    with ScriptedModel(TWO_CALLS) as model:
        turn = turn_on(model, ledger=ledger, budget=budget, steps=steps)
        out = run(turn, ask("Twice 21?"), None)
        assert not model.requests
    assert (result_of(out).status, commits.count) == ("budget", 1)
    with ledger.store.engine.connect() as conn:
        found = conn.exec_driver_sql("SELECT turn_id, status FROM turn").all()
    assert [tuple(row) for row in found] == [(result_of(out).turn_id, "done")]


@pytest.mark.parametrize("named", [False, True], ids=["unnamed", "named"])
def test_a_thread_is_written_as_often_as_it_must(ledger: Ledger, named: bool) -> None:
    """A turn in one step stores its thread once. Without an id it could not be submitted again
    after a crash, so its input is stored too, in two checkpoints of LangGraph.
    """
    stored: list[Any] = []

    class Counted(InMemorySaver):
        def put(self, *given: Any, **options: Any) -> Any:
            stored.append(given)
            return super().put(*given, **options)

    with ScriptedModel(TWO_CALLS) as model:
        turn = turn_on(model, ledger=ledger, tools=[double], checkpointer=Counted(), steps="one")
        invoke(turn, ask("Twice 21?", turn_id="u") if named else ask("Twice 21?"), THREAD)
    assert len(stored) == (1 if named else 3)


@both_ways
def test_a_turn_of_two_calls_step_by_step_commits_eight_times(
    run: Run, ledger: Ledger, commits: Commits
) -> None:
    """Between the step that holds the money and the one that sends lies a checkpoint."""
    with ScriptedModel(TWO_CALLS) as model:
        turn = turn_on(
            model, ledger=ledger, tools=[double], checkpointer=InMemorySaver(), steps="each"
        )
        run(turn, ask("Twice 21?"), THREAD)
    assert commits.count == 8


@both_ways
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_request_is_built_once_for_its_money_and_its_wire(
    run: Run, ledger: Ledger, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one step, what was held for is what is sent."""
    built: list[object] = []
    with ScriptedModel(TWO_CALLS) as model:
        turn = turn_on(model, api=api, ledger=ledger, tools=[double])
        plain = OpenAIProvider.payload

        def counted(self: OpenAIProvider, *given: Any) -> Payload:
            built.append(given)
            return plain(self, *given)

        monkeypatch.setattr(OpenAIProvider, "payload", counted)
        run(turn, ask("Twice 21?"))
        assert len(model.requests) == len(built) == 2


class SlowSaver(InMemorySaver):
    """Stores each checkpoint late."""

    def put(self, *given: Any, **named: Any) -> Any:
        time.sleep(0.2)
        return super().put(*given, **named)


def test_a_turn_that_waits_for_its_thread_sees_all_of_the_turn_before(tmp_path: Path) -> None:
    """Once a turn is finished in the ledger, its messages are in the thread: the next worker reads
    it the moment it is admitted.
    """
    url, saver = f"sqlite:///{tmp_path}/ledger.db", SlowSaver()
    with Ledger(url) as one, Ledger(url) as other, ScriptedModel([Say("one"), Say("two")]) as model:
        turns = [
            turn_on(model, ledger=ledger, checkpointer=saver, steps="one", wait_s=20)
            for ledger in (one, other)
        ]
        with ThreadPoolExecutor(2) as threads:
            first = threads.submit(invoke, turns[0], ask("First?"), THREAD)
            while not model.requests:
                time.sleep(0.01)
            second = threads.submit(invoke, turns[1], ask("Second?"), THREAD)
            first.result(), second.result()
        assert [message.text for message in turns[0].get_state(THREAD).values["messages"]] == [
            "First?",
            "one",
            "Second?",
            "two",
        ]
