"""What `langgraph.json` names: a turn that answers without a key."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interfaces.cli.commands import environment
from tests.paths import ROOT
from turngraph.graphs import TurnGraph

RUN = """
from turngraph.interfaces.langgraph_server import turn
result = turn.invoke({"messages": [("user", "What is 6 * 7?")]})["result"]
print(result.status, result.tool_runs[0].content)
"""
FIRST_STAGE = """
from turngraph.interfaces.langgraph_server import turn
given = {"messages": [("user", "Hi")]}
begun = next(turn.stream(given, stream_mode="custom", interrupt_after=["prep_first_request"]))
print(begun.vendor, begun.model)
"""


def test_the_file_names_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """`langgraph.json` is read by another program, which says little when it is wrong."""
    monkeypatch.delenv("TURNGRAPH_MODEL", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    graphs = json.loads((ROOT / "langgraph.json").read_text("utf-8"))["graphs"]
    module, _, name = graphs["chat_turn"].partition(":")
    assert isinstance(getattr(importlib.import_module(module), name), TurnGraph)


def test_without_a_key_it_answers(tmp_path: Path) -> None:
    """The scripted model lives as long as the process of the server."""
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("completed 42\n", "")


def test_the_model_may_be_named_by_the_environment(tmp_path: Path) -> None:
    """The server has no command line of ours."""
    env = environment(tmp_path, TURNGRAPH_MODEL="groq:llama-3.3-70b-versatile", GROQ_API_KEY="none")
    named = subprocess.check_output(
        [sys.executable, "-c", FIRST_STAGE], env=env, text=True, timeout=60
    )
    assert named == "groq llama-3.3-70b-versatile\n"
