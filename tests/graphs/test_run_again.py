"""A turn that is run again from its beginning finds every answer it has paid for, however durable
its checkpoints are.
"""

import asyncio
from threading import Event
from typing import Any

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from tests.turns import ask, result_of, streamed_or_not, turn_on
from turngraph.billing import Ledger
from turngraph.graphs import TurnGraph
from turngraph.scripted import Call, Say, ScriptedModel

THREAD: Any = {"configurable": {"thread_id": "t"}}
ANSWERS = [Call(("post", {"text": "hi"})), Say("Posted."), Say("never")]

in_steps = pytest.mark.parametrize("steps", ["each", "one"])
in_tasks_or_not = pytest.mark.parametrize("in_tasks", [False, True], ids=["sync", "async"])
durably = pytest.mark.parametrize("durability", ["sync", "async", "exit", None])


class Disk(InMemorySaver):
    """Stores nothing while `full` is set."""

    def __init__(self) -> None:
        super().__init__()
        # An object, because a turn works on a copy of its checkpointer.
        self.full = Event()

    def put(self, *given: Any, **named: Any) -> Any:
        if self.full.is_set():
            raise OSError("the disk is full")
        return super().put(*given, **named)


class Hook:
    """An `on_finish` that fails the first time, when everything is paid for."""

    failed = False

    def __call__(self, result: Any) -> Any:
        if not self.failed:
            self.failed = True
            raise OSError("the hook failed")
        return result


def run(turn: TurnGraph, in_tasks: bool, durability: str | None) -> dict[str, Any]:
    given, named = ask("Post hi.", turn_id="u"), {"durability": durability} if durability else {}
    if in_tasks:
        return dict(asyncio.run(turn.ainvoke(given, THREAD, **named)))
    return dict(turn.invoke(given, THREAD, **named))


@in_steps
@in_tasks_or_not
@streamed_or_not
@durably
def test_a_turn_that_failed_at_its_end_pays_for_nothing_twice(
    ledger: Ledger, durability: str | None, stream: bool, in_tasks: bool, steps: str
) -> None:
    """No call to the model is needless, and no tool with an effect runs again."""
    posted: list[str] = []

    @tool
    def post(text: str) -> str:
        """Posts a text."""
        posted.append(text)
        return "done"

    post.metadata = {"idempotent": False}
    with ScriptedModel(ANSWERS) as model:
        turn = turn_on(
            model,
            ledger=ledger,
            tools=[post],
            stream=stream,
            checkpointer=InMemorySaver() if durability else None,
            on_finish=Hook(),
            steps=steps,
        )
        with pytest.raises(OSError, match="hook"):
            run(turn, in_tasks, durability)
        out = run(turn, in_tasks, durability)
        assert (len(model.requests), posted) == (2, ["hi"])
    assert (result_of(out).answer, len(result_of(out).charges)) == ("Posted.", 2 + 1)
    kinds = [message.type for message in out["messages"]]
    assert kinds == ["human", "ai", "tool", "ai"]


@in_steps
@in_tasks_or_not
def test_a_turn_whose_thread_was_not_stored_pays_for_nothing_twice(
    ledger: Ledger, in_tasks: bool, steps: str
) -> None:
    """The whole turn ran, and its one checkpoint at the end could not be written."""
    disk = Disk()
    disk.full.set()
    with ScriptedModel([Say("Hello."), Say("never")]) as model:
        turn = turn_on(model, ledger=ledger, checkpointer=disk, steps=steps)
        with pytest.raises(OSError, match="full"):
            run(turn, in_tasks, "exit")
        disk.full.clear()
        out = run(turn, in_tasks, "exit")
        again = run(turn, in_tasks, "exit")
        assert len(model.requests) == 1
    assert result_of(out).answer == result_of(again).answer == "Hello."
    assert len(turn.get_state(THREAD).values["messages"]) == 2


def test_a_worker_that_dies_before_it_marks_the_end_leaves_a_turn_that_is_over(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread has the whole turn, and the ledger does not know that it is finished."""
    with ScriptedModel([Say("Hello."), Say("never")]) as model:
        turn = turn_on(model, ledger=ledger, checkpointer=InMemorySaver())
        with monkeypatch.context() as patched:
            patched.setattr(ledger.leases, "is_over", lambda *_: False)
            run(turn, False, "sync")
        assert status_of(ledger) == "running"
        out = run(turn, False, "sync")
        assert (len(model.requests), status_of(ledger)) == (1, "done")
    assert [message.type for message in out["messages"]] == ["human", "ai"]


@in_tasks_or_not
def test_a_turn_whose_end_was_not_marked_does_not_run_again_behind_a_later_one(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, in_tasks: bool
) -> None:
    """A power cut, too, may undo the mark. The later turn gave the first one up in the ledger, and
    the thread still has all of it.
    """
    with ScriptedModel([Say("Hello."), Say("Bye."), Say("never")]) as model:
        turn = turn_on(model, ledger=ledger, checkpointer=InMemorySaver())
        with monkeypatch.context() as patched:
            patched.setattr(ledger.leases, "is_over", lambda *_: False)
            run(turn, in_tasks, "sync")
        turn.invoke(ask("Bye?", turn_id="v"), THREAD)
        out = run(turn, in_tasks, "sync")
        assert (result_of(out).answer, len(model.requests)) == ("Hello.", 2)
    assert len(turn.get_state(THREAD).values["messages"]) == 4


def status_of(ledger: Ledger) -> str:
    with ledger.store.engine.connect() as conn:
        return str(conn.exec_driver_sql("SELECT status FROM turn").scalar_one())
