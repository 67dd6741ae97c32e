"""A short run of `make fuzz`, with one seed; `make fuzz` takes another one every time."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from tests.interfaces.stepper.test_recording import record
from tests.paths import ROOT
from tests.turns import turn_on
from turngraph.interfaces.stepper.engine.replay import replay_cassette
from turngraph.scripted import ScriptedModel
from turngraph.state.errors import TurnInvocationError, TurnValueError


@pytest.mark.long
def test_only_named_errors_come_out_whatever_goes_in() -> None:
    """500 examples over `invoke`, `ainvoke`, `handler`, `ahandler`, manifests and recordings."""
    seed = "2026"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.fuzz", "--examples", "500", "--seed", seed],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"seed {seed}\n{done.stdout[-6000:]}{done.stderr[-6000:]}"
    assert "0 targets failed, 0 threads left" in done.stdout


@pytest.mark.parametrize("saved", [False, True])
def test_nothing_goes_on_where_nothing_was_begun(saved: bool) -> None:
    """None resumes a run; without one it is the caller's mistake, told in a sentence."""
    config = {"configurable": {"thread_id": "new"}} if saved else None
    with ScriptedModel() as model:
        turn = turn_on(model, checkpointer=InMemorySaver() if saved else None)
        with pytest.raises(TurnInvocationError, match="there is none"):
            turn.invoke(None, config)  # type: ignore[arg-type]
        with pytest.raises(TurnInvocationError, match="there is none"):
            asyncio.run(turn.ainvoke(None, config))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('"body": ', '"gone": '),
        ('"messages": [', '"gone": ['),
        ('"model": "', '"gone": "'),
        ('"api": "', '"gone": "'),
        ('"name": "weather"', '"gone": 1'),
        ('"status": 200', '"status": {}'),
        ('"status": 200', '"status": Infinity'),
        ('"path": "', '"gone": "'),
    ],
)
def test_a_damaged_recording_is_a_named_error(right: str, wrong: str, tmp_path: Path) -> None:
    """Whichever member is missing, or of another type."""
    file = tmp_path / "turn.jsonl"
    record(file)
    damaged = file.read_text().replace(right, wrong)
    assert damaged != file.read_text()
    file.write_text(damaged)
    with pytest.raises(TurnValueError, match="is no recording"):
        replay_cassette(file)
