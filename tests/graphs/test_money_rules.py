"""What an attempt costs that did not simply succeed: refused, cut, answered too late, left by its
reader.
"""

import asyncio
import gc
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from sqlalchemy import text

from tests.turns import Run, ask, both_ways, invoke, result_of, turn_on
from turngraph.billing import FencedError, Ledger, Prices
from turngraph.scripted import Cut, Fail, Hang, Raw, Say, ScriptedModel
from turngraph.state.limits import TurnLimits

THREAD: Any = {"configurable": {"thread_id": "t"}}
API_ERROR = {
    "error": {
        "message": "The server had an error.",
        "type": "server_error",
        "code": None,
        "param": None,
    }
}
BEGUN = {
    "id": "c1",
    "choices": [{"index": 0, "delta": {"role": "assistant", "content": "It is f"}}],
}


def attempts(ledger: Ledger) -> list[dict[str, Any]]:
    """Every attempt, in order."""
    with ledger.store.engine.connect() as conn:
        return [
            dict(row)
            for row in conn.execute(
                text("select * from attempt order by created, attempt_id")
            ).mappings()
        ]


def until(true: Any) -> None:
    """Wait, half a minute at most."""
    for _ in range(3000):
        if true():
            return
        time.sleep(0.01)
    pytest.fail("it never came true")


FREE, OPEN, PARTLY = ("released", None), ("unknown", None), ("settled", 1)


@both_ways
@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (Fail(400), FREE),
        (Fail(401), FREE),
        (Fail(404), FREE),
        (Fail(422), FREE),
        (Fail(429), FREE),
        (Fail(503), FREE),
        (Fail(529), FREE),
        (Fail(500, API_ERROR), FREE),
        (Fail(502, "<html>Bad gateway</html>"), OPEN),
        (Fail(504), OPEN),
        (Fail(408), OPEN),
        (Cut(after=None), OPEN),
        (Raw([f"data: {json.dumps(BEGUN)}", f"data: {json.dumps(API_ERROR)}"]), PARTLY),
        (Raw([f"data: {json.dumps(BEGUN)}", "event: error\ndata: {}"]), PARTLY),
        (Cut(after=3, answer=Say("one two three four")), PARTLY),
    ],
    ids=[
        *(
            "400",
            "401",
            "404",
            "422",
            "429",
            "503",
            "529",
            "500 by the API",
            "502 by a proxy",
            "504",
            "408",
        ),
        *("no answer", "500 after tokens", "error after tokens", "cut after tokens"),
    ],
)
def test_what_a_failure_costs(
    run: Run, step: Any, expected: tuple[str, Any], ledger: Ledger
) -> None:
    """Refused by the API: free. Perhaps served: open until it is found out. Tokens seen: those and
    the prompt.
    """
    with ScriptedModel([step]) as model:
        turn = turn_on(model, ledger=ledger, stream=True, limits=TurnLimits(attempts=1))
        result = result_of(run(turn, ask("Q")))
    (row,) = attempts(ledger)
    assert not result.ok
    assert row["state"] == expected[0]
    if expected == PARTLY:
        assert (row["basis"], row["estimated"]) == ("partial", 1)
        assert row["charge_nano"] > 0
    if expected == FREE:
        assert row["charge_nano"] == 0


@both_ways
def test_an_answer_that_comes_to_a_worker_that_was_replaced_is_charged_and_not_used(
    run: Run, tmp_path: Path
) -> None:
    """The money was spent, so it is entered; the turn goes on with what its new worker got, and the
    old one stops.
    """
    url, saver = f"sqlite:///{tmp_path}/l.db", InMemorySaver()
    with (
        Ledger(url, owner="frozen") as old,
        # Its clock is an hour ahead: to it the other's lease has run out.
        Ledger(url, owner="heir", clock=lambda: time.time() + 3600) as heir,
        ScriptedModel([Hang(0.7, Say("late")), Say("in time")]) as model,
    ):
        frozen = turn_on(model, ledger=old, checkpointer=saver)
        caught: list[BaseException] = []

        def work() -> None:
            try:
                run(frozen, ask("Q", turn_id="T"), THREAD)
            except FencedError as exc:
                caught.append(exc)

        worker = threading.Thread(target=work)
        worker.start()
        until(lambda: model.requests)
        out = run(turn_on(model, ledger=heir, checkpointer=saver), ask("Q", turn_id="T"), THREAD)
        worker.join()
        assert len(caught) == 1
        state = frozen.get_state(THREAD).values
        heir.sweep(Prices())
        first, second = attempts(heir)
        assert heir.verify() == []
    assert result_of(out).answer == "in time"
    assert [message.text for message in state["messages"]] == ["Q", "in time"]
    assert (first["state"], first["basis"], first["estimated"]) == ("settled", "actual", 0)
    assert (second["state"], second["basis"]) == ("settled", "actual")
    assert first["charge_nano"] > 0


async def test_a_task_that_is_cancelled_twice_still_tells_the_ledger(ledger: Ledger) -> None:
    """Impatient callers cancel again; what was sent must not be left as if it were under way."""
    with ScriptedModel([Hang(5)]) as model:
        task = asyncio.create_task(turn_on(model, ledger=ledger).ainvoke(ask("Q")))
        await asyncio.to_thread(until, lambda: model.requests)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0.001)
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(until, lambda: attempts(ledger)[0]["state"] == "unknown")


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_stream_that_its_reader_left_is_charged(way: str, tmp_path: Path) -> None:
    """Read to its end or not, the vendor made it: an answer, or what was seen of one, and never
    nothing.
    """
    now = [time.time()]
    with (
        Ledger(f"sqlite:///{tmp_path}/l.db", clock=lambda: now[0]) as ledger,
        ScriptedModel([Say("word " * 300)], delay_s=0.001) as model,
    ):
        turn = turn_on(model, ledger=ledger, stream=True, checkpointer=InMemorySaver())
        if way == "sync":
            leave(turn)
        else:
            asyncio.run(aleave(turn))
        gc.collect()
        until(lambda: attempts(ledger)[0]["state"] in ("answered", "unknown", "settled"))
        now[0] += 3600
        ledger.sweep(Prices())
        (row,) = attempts(ledger)
        assert ledger.verify() == []
    assert row["state"] == "settled"
    assert json.loads(row["usage"])["output_tokens"] >= 1
    assert row["charge_nano"] > 0


def leave(turn: Any) -> None:
    """Read one piece, and go."""
    for event in turn.stream(ask("Q"), THREAD, stream_mode="custom"):
        if event.type == "token":
            return


async def aleave(turn: Any) -> None:
    """The same, on an event loop."""
    stream = turn.astream(ask("Q"), THREAD, stream_mode="custom")
    async for event in stream:
        if event.type == "token":
            break
    await stream.aclose()


def test_billing_again_changes_nothing(ledger: Ledger) -> None:
    """Whoever bills an attempt that is closed finds it closed, at the same amount."""
    with ScriptedModel([Say("one")]) as model:
        turn = turn_on(model, ledger=ledger, checkpointer=InMemorySaver())
        first = result_of(invoke(turn, ask("Q"), THREAD))
        before_bill = next(
            each for each in turn.get_state_history(THREAD) if each.next == ("bill",)
        )
        outs = [result_of(invoke(turn, None, before_bill.config)) for _ in range(3)]
    assert [out.cost_usd for out in outs] == [first.cost_usd] * 3
    with ledger.store.engine.connect() as conn:
        assert conn.execute(text("select count(*) from entry")).scalar_one() == 1
