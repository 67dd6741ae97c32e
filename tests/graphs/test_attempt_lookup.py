"""Calls whose answer never arrived: what is kept of them, and what the vendor says when it is asked
later.
"""

import asyncio
import json
import subprocess
import sys
import textwrap
import time
from collections import deque
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from langgraph.checkpoint.memory import InMemorySaver
from sqlalchemy import text

from tests.turns import Run, ask, both_apis, both_ways, config, invoke, result_of, turn_on
from turngraph.billing import Ledger, PriceKey, Prices
from turngraph.billing.operations.sweeper import Outstanding
from turngraph.graphs import chat_turn, vendor_lookup
from turngraph.providers import OpenAIProvider, ProviderConfig
from turngraph.scripted import Cut, Fail, LoopbackServer, Say, ScriptedModel
from turngraph.state.limits import TurnLimits
from turngraph.state.turn import TurnSettings
from turngraph.state.usage import Usage

LONG = Say("one two three four five six seven eight nine ten")


def row(ledger: Ledger) -> dict[str, Any]:
    """The only attempt."""
    with ledger.store.engine.connect() as conn:
        (found,) = conn.execute(text("select * from attempt")).mappings()
    return dict(found)


@both_ways
@both_apis
def test_a_cut_stream_leaves_its_id_and_an_estimate_of_all_it_used(
    run: Run, api: str, ledger: Ledger
) -> None:
    """The prompt was read whole, however little was answered; and the id is what the vendor can be
    asked by.
    """
    question = "word " * 1000
    with ScriptedModel([Cut(after=8, answer=LONG)]) as model:
        result = result_of(run(turn_on(model, api=api, stream=True, ledger=ledger), ask(question)))
    kept = row(ledger)
    assert (result.status, kept["basis"], kept["estimated"]) == ("truncated", "partial", 1)
    assert kept["provider_id"].startswith("resp_" if api == "responses" else "chatcmpl-")
    usage = json.loads(kept["usage"])
    assert 1200 < usage["input_tokens"] < 1600
    assert 0 < usage["output_tokens"] < 10
    assert result.cost_usd is not None
    assert result.cost_usd > Decimal("0.00018")  # 1200 tokens of gpt-4o-mini


async def test_a_reader_that_goes_away_leaves_what_it_had_read(ledger: Ledger) -> None:
    """The connection is closed, the vendor charges for what it made: the attempt says how much was
    seen, and its id.
    """
    seen = asyncio.Event()
    with ScriptedModel([Say("word " * 500)], delay_s=0.01) as model:
        turn = turn_on(
            model, api="responses", stream=True, ledger=ledger, on_event=lambda e: tell(e, seen)
        )
        task = asyncio.create_task(turn.ainvoke(ask("Q")))
        await asyncio.wait_for(seen.wait(), 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    kept = row(ledger)
    assert (kept["state"], kept["note"]) == ("unknown", "CancelledError")
    assert kept["provider_id"].startswith("resp_")
    assert json.loads(kept["usage"])["output_tokens"] > 0


def tell(event: Any, seen: asyncio.Event) -> None:
    """Set `seen` when a piece of the answer is there."""
    if event.type == "token":
        seen.set()


@both_ways
@pytest.mark.parametrize(
    "given", [{"api": "responses"}, {"api": "chat", "store": True}], ids=["responses", "chat"]
)
def test_a_cut_stream_is_charged_by_what_the_vendor_says_later(
    run: Run, given: Any, ledger: Ledger
) -> None:
    """The guess is made good by a further entry, to the nano-dollar, and never twice."""
    with ScriptedModel([Cut(after=8, answer=LONG)]) as model:
        provider = OpenAIProvider(config(model, **given))
        result = result_of(
            run(chat_turn(provider, stream=True, ledger=ledger), ask("word " * 1000))
        )
        guess = result.cost_usd
        swept = [ledger.sweep(Prices(), lookup=vendor_lookup(provider)) for _ in range(2)]
    kept = row(ledger)
    assert [one.corrected for one in swept] == [1, 0]
    assert (kept["basis"], kept["estimated"]) == ("reconciled", 0)
    usage = Usage.model_validate_json(kept["usage"])
    priced = Prices().charge(usage, PriceKey("openai", "gpt-4o-mini", at=datetime.now(UTC)))
    assert priced is not None
    assert guess != priced.usd == paid(ledger)
    assert json.loads(kept["response"])["text"] == LONG.text


@both_ways
@pytest.mark.parametrize(
    ("given", "sent", "found"),
    [
        ({"api": "chat", "store": True}, True, "reconciled"),
        ({"api": "chat", "store": True}, False, "released"),
        ({"api": "chat"}, True, "max"),
        ({"api": "responses"}, True, "max"),
    ],
    ids=["kept", "never arrived", "not kept", "no id"],
)
def test_a_call_without_an_answer_is_looked_up_where_it_can_be(
    run: Run, given: Any, sent: bool, found: str, tmp_path: Path
) -> None:
    """ProviderRecord: charged, and a resumed turn uses the answer. Certainly not there: free.
    Nowhere to look: the hold.
    """
    clock = [time.time()]
    with (
        Ledger(f"sqlite:///{tmp_path}/ledger.db", clock=lambda: clock[0]) as ledger,
        ScriptedModel([Cut(after=None, answer=LONG) if sent else Fail(504), Say("never")]) as model,
    ):
        provider = OpenAIProvider(config(model, **given))
        turn = chat_turn(provider, ledger=ledger, limits=TurnLimits(attempts=1))
        result_of(run(turn, ask("Q")))
        assert row(ledger)["state"] == "unknown"
        lookup = vendor_lookup(provider, clock=lambda: clock[0])
        if found == "released":
            assert ledger.sweep(Prices(), lookup=lookup).left == 1, "too early to be sure"
        clock[0] += 3600
        ledger.sweep(Prices(), lookup=lookup)
        kept = row(ledger)
        assert kept["basis"] == found
        assert [request.method for request in model.requests].count("POST") == 1
        assert ledger.verify() == []
    assert (kept["response"] is not None) == (found == "reconciled")


def test_a_name_in_the_metadata_is_sent_only_with_the_answer_that_is_kept(ledger: Ledger) -> None:
    """The attempt's own id, on each attempt; a caller's own body goes out as it is."""
    body = {"model": "gpt-4o-mini", "store": True, "messages": [{"role": "user", "content": "Hi"}]}
    with ScriptedModel([Fail(503), Say("kept"), Say("not kept"), Say("passed through")]) as model:
        provider = OpenAIProvider(config(model, api="chat", store=True))
        first = result_of(invoke(chat_turn(provider, ledger=ledger), ask("Q")))
        invoke(turn_on(model, ledger=ledger), ask("Q"))
        invoke(
            chat_turn(provider, ledger=ledger),
            {"messages": [], "settings": TurnSettings(body=body)},
        )
        sent = [request.body.get("metadata") for request in model.requests]
    assert sent == [*({"tg_attempt": made.id} for made in first.attempts), None, None]


def test_a_background_response_is_charged_when_it_is_done(ledger: Ledger) -> None:
    """Queued, then in progress, then there: the guess made at the end of the turn is corrected
    once.
    """
    answers = deque(
        {**RESPONSE, "status": status, "usage": usage}
        for status, usage in [("queued", None), ("in_progress", None), ("completed", USED)]
    )

    async def serve(request: web.Request) -> web.Response:
        return web.json_response(answers.popleft())

    with LoopbackServer(serve) as server:
        provider = OpenAIProvider(
            ProviderConfig(
                vendor="openai",
                model="gpt-4o-mini",
                base_url=server.base_url,
                api_key="k",
                api="responses",
                extra_body={"background": True},
            )
        )
        invoke(chat_turn(provider, ledger=ledger), ask("Q"))
        lookup = vendor_lookup(provider)
        assert [ledger.sweep(Prices(), lookup=lookup).corrected for _ in range(3)] == [0, 1, 0]
    assert paid(ledger) == Decimal("0.00045")  # 1000 in at 0.15, 500 out at 0.60 USD per million


def test_the_answer_that_was_found_is_used_when_the_turn_is_resumed(tmp_path: Path) -> None:
    """A worker dies while its answer is on the way; another finds the answer at the vendor's and
    need not ask again.
    """
    url, saver, thread = (
        f"sqlite:///{tmp_path}/l.db",
        InMemorySaver(),
        {"configurable": {"thread_id": "t"}},
    )
    with ScriptedModel([Cut(after=None, answer=LONG), Say("never")]) as model:
        provider = OpenAIProvider(config(model, api="chat", store=True))
        with Ledger(url, owner="dead") as dead:
            dying = chat_turn(provider, ledger=dead, checkpointer=saver, on_event=die)
            with pytest.raises(KeyboardInterrupt):
                invoke(dying, ask("Q"), thread)
        with Ledger(url, owner="heir") as heir:
            assert heir.sweep(Prices(), lookup=vendor_lookup(provider)).settled == 1
            out = invoke(chat_turn(provider, ledger=heir, checkpointer=saver), None, thread)
        assert [request.method for request in model.requests].count("POST") == 1
    assert result_of(out).answer == LONG.text
    assert result_of(out).cost_usd is not None


def die(event: Any) -> None:
    """What a signal does in the middle of a call."""
    if event.type == "response_failed":
        raise KeyboardInterrupt


KILLED = """
    import sys
    from turngraph.billing import Ledger
    from turngraph.graphs import chat_turn
    from turngraph.providers import OpenAIProvider, ProviderConfig

    base_url, ledger = sys.argv[1:]
    config = ProviderConfig(
        vendor="openai", model="gpt-4o-mini", base_url=base_url, api_key="k", api="responses"
    )
    turn = chat_turn(OpenAIProvider(config), stream=True, ledger=Ledger(ledger))
    turn.invoke({"messages": [("user", "Q")]})
"""


def test_a_worker_killed_in_the_middle_of_an_answer_leaves_its_id(tmp_path: Path) -> None:
    """SIGKILL writes nothing; the id was written when the answer began, and the vendor says what it
    came to.
    """
    url = f"sqlite:///{tmp_path}/ledger.db"
    later = time.time() + 3600
    with (
        ScriptedModel([Say("word " * 2000)], delay_s=0.01) as model,
        Ledger(url, clock=lambda: later) as ledger,
    ):
        assert ledger.verify() == []
        command = [sys.executable, "-c", textwrap.dedent(KILLED), model.base_url, url]
        with subprocess.Popen(command) as worker:
            until(lambda: attempts(ledger, "provider_id is not null"))
            worker.kill()
        (begun,) = attempts(ledger)
        assert (begun["state"], begun["response"]) == ("sent", None)
        swept = ledger.sweep(Prices(), lookup=vendor_lookup(config(model, api="responses")))
        kept = row(ledger)
        assert ledger.verify() == []
    assert (swept.unknown, swept.settled) == (1, 1)
    assert (kept["basis"], kept["estimated"]) == ("reconciled", 0)
    assert json.loads(kept["usage"])["output_tokens"] == 2000


def attempts(ledger: Ledger, where: str = "true") -> list[dict[str, Any]]:
    """The attempts there are."""
    with ledger.store.engine.connect() as conn:
        return [
            dict(found)
            for found in conn.execute(text(f"select * from attempt where {where}")).mappings()
        ]


def until(true: Any) -> None:
    """Wait, a minute at most."""
    for _ in range(3000):
        if true():
            return
        time.sleep(0.02)
    pytest.fail("it never came true")


def test_only_whoever_serves_the_call_is_asked(ledger: Ledger) -> None:
    """Another vendor's endpoint knows nothing of it, and must not see its id; a failed lookup is no
    answer.
    """
    with (
        ScriptedModel([Cut(after=8, answer=LONG)]) as model,
        ScriptedModel(api_key="other") as other,
    ):
        provider = OpenAIProvider(config(model, api="responses"))
        invoke(chat_turn(provider, stream=True, ledger=ledger), ask("Q"))
        elsewhere = OpenAIProvider(config(other, api="responses"))
        wrong_key = OpenAIProvider(config(model, api="responses", headers={"Host": "x"}))
        assert ledger.sweep(Prices(), lookup=vendor_lookup(elsewhere)).corrected == 0
        assert other.requests == ()
        assert (
            ledger.sweep(Prices(), lookup=vendor_lookup(elsewhere, wrong_key, provider)).corrected
            == 1
        )


def paid(ledger: Ledger) -> Decimal:
    """The sum of all entries, in USD."""
    with ledger.store.engine.connect() as conn:
        return (
            Decimal(conn.execute(text("select sum(amount_nano) from entry")).scalar_one())
            .scaleb(-9)
            .normalize()
        )


RESPONSE = {"id": "resp_1", "object": "response", "model": "gpt-4o-mini", "output": []}
USED = {"input_tokens": 1000, "output_tokens": 500, "total_tokens": 1500}


@pytest.mark.parametrize(
    ("known", "answer", "says"),
    [
        ({}, {"object": "list", "data": []}, "absent"),
        ({"usage": Usage(output_tokens=3)}, {"object": "list", "data": []}, None),
        (
            {"stored": "responses", "provider_id": "resp_1"},
            {**RESPONSE, "status": "cancelled", "usage": None},
            None,
        ),
        (
            {"stored": "responses", "provider_id": "resp_1"},
            {**RESPONSE, "status": "queued"},
            "pending",
        ),
        (
            {"stored": "responses", "provider_id": "resp_1"},
            {**RESPONSE, "status": "failed"},
            "failed",
        ),
        ({"stored": None}, {}, None),
        ({"kind": "tool"}, {}, None),
    ],
    ids=["not kept", "not kept, but begun", "cancelled", "queued", "failed", "nowhere", "tool"],
)
def test_only_what_is_certain_is_said(known: Any, answer: Any, says: str | None) -> None:
    """An answer that began was made, stored or not. Without usage its cost is unknown."""

    async def serve(request: web.Request) -> web.Response:
        return web.json_response(answer)

    with LoopbackServer(serve) as server:
        asked = ProviderConfig(
            vendor="openai", model="gpt-4o-mini", base_url=server.base_url, api_key="k"
        )
        given = {
            "kind": "completion",
            "stored": "chat",
            "provider_id": None,
            "usage": None,
            **known,
        }
        attempt = Outstanding(
            attempt_id="c.1",
            state="unknown",
            account="",
            vendor="openai",
            model="gpt-4o-mini",
            base_url=server.base_url,
            answered_model=None,
            service_tier=None,
            tool=None,
            held_usd=Decimal(1),
            created=0.0,
            **given,
        )
        assert vendor_lookup(asked)(attempt) == says
