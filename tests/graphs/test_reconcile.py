"""Calls whose answer never arrived: what is kept of them, and what the vendor says when it is asked later."""

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.turns import Run, ask, both_apis, both_ways, result_of, turn_on
from turngraph.billing import Ledger
from turngraph.billing.verify import verify
from turngraph.providers.scripted import Cut, Say, ScriptedModel

LONG = Say("one two three four five six seven eight nine ten")


@pytest.fixture
def ledger(tmp_path: Path) -> Any:
    """A ledger in a file, closed afterwards, whose books must balance."""
    with Ledger(f"sqlite:///{tmp_path}/ledger.db") as kept:
        yield kept
        assert kept.read(verify) == [], "the books do not balance"


def row(ledger: Ledger) -> dict[str, Any]:
    """The only attempt."""
    with ledger.engine.connect() as conn:
        (found,) = conn.execute(text("select * from attempt")).mappings()
    return dict(found)


@both_ways
@both_apis
def test_a_cut_stream_leaves_its_id_and_an_estimate_of_all_it_used(run: Run, api: str, ledger: Ledger) -> None:
    """The prompt was read whole, however little was answered; and the id is what the vendor can be asked by."""
    question = "word " * 1000
    with ScriptedModel([Cut(after=8, answer=LONG)]) as model:
        result = result_of(run(turn_on(model, api=api, stream=True, ledger=ledger), ask(question)))
    kept = row(ledger)
    assert (result.status, kept["basis"], kept["estimated"]) == ("truncated", "partial", 1)
    assert kept["provider_id"].startswith("resp_" if api == "responses" else "chatcmpl-")
    usage = json.loads(kept["usage"])
    assert 1200 < usage["prompt_tokens"] < 1600
    assert 0 < usage["completion_tokens"] < 10
    assert result.cost_usd is not None
    assert result.cost_usd > Decimal("0.00018")  # 1200 tokens of gpt-4o-mini


async def test_a_reader_that_goes_away_leaves_what_it_had_read(ledger: Ledger) -> None:
    """The connection is closed, the vendor charges for what it made: the attempt says how much was seen, and its id."""
    seen = asyncio.Event()
    with ScriptedModel([Say("word " * 500)], delay_s=0.01) as model:
        turn = turn_on(model, api="responses", stream=True, ledger=ledger, on_event=lambda e: tell(e, seen))
        task = asyncio.create_task(turn.ainvoke(ask("Q")))
        await asyncio.wait_for(seen.wait(), 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    kept = row(ledger)
    assert (kept["state"], kept["note"]) == ("unknown", "CancelledError")
    assert kept["provider_id"].startswith("resp_")
    assert json.loads(kept["usage"])["completion_tokens"] > 0


def tell(event: Any, seen: asyncio.Event) -> None:
    """Set `seen` when a piece of the answer is there."""
    if event.type == "token":
        seen.set()
