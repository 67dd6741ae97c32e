"""What `langgraph dev` serves: the turn, without a key, with threads and streams."""

import importlib
import importlib.util
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interfaces.cli.commands import environment
from tests.paths import ROOT
from turngraph.graphs import TurnGraph

QUESTION = {
    "assistant_id": "chat_turn",
    "input": {"messages": [{"role": "user", "content": "What is 6 * 7?"}]},
}
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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The development server itself, where it is installed."""
    if importlib.util.find_spec("langgraph_api") is None:
        pytest.skip("`langgraph dev` is not installed: uv pip install 'langgraph-cli[inmem]'")
    home = tmp_path_factory.mktemp("served")
    (home / "langgraph.json").write_text((ROOT / "langgraph.json").read_text("utf-8"))
    (home / "pyproject.toml").write_text('[project]\nname = "served"\nversion = "0"\n')
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        str(Path(sys.executable).parent / "langgraph"),
        "dev",
        "--no-browser",
        "--no-reload",
        "--port",
        str(port),
    ]
    env = environment(home, LANGSMITH_TRACING="false", PYTHONWARNINGS="default")
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=home, env=env, stdout=log, stderr=log)
    try:
        wait_until_up(f"http://127.0.0.1:{port}/ok", home / "log", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def wait_until_up(url: str, log: Path, process: "subprocess.Popen[bytes]") -> None:
    """Raise with what the server logged where it does not come up."""
    ends_at = time.monotonic() + 90
    while time.monotonic() < ends_at and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.3)
    pytest.fail(log.read_text(errors="replace")[-3000:])


def post(url: str, body: Any) -> Any:
    """What the server answers, as JSON."""
    return json.loads(posted(url, body))


def posted(url: str, body: Any) -> bytes:
    asked = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return bytes(answer.read())


def test_the_development_server_runs_turns_in_threads(server: str) -> None:
    """Two turns of one thread: the second sees the first."""
    thread = post(f"{server}/threads", {})["thread_id"]
    first = post(f"{server}/threads/{thread}/runs/wait", QUESTION)
    second = post(f"{server}/threads/{thread}/runs/wait", QUESTION)
    assert [message["type"] for message in first["messages"]] == ["human", "ai", "tool", "ai"]
    assert first["result"]["status"] == "completed"
    assert first["result"]["tool_runs"][0]["content"] == "42"
    assert len(second["messages"]) == 8


def test_the_development_server_streams_events_and_tokens(server: str) -> None:
    """What Studio and chat front ends read."""
    body = {**QUESTION, "stream_mode": ["custom", "messages-tuple"]}
    asked = urllib.request.Request(
        f"{server}/runs/stream", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:
        text = answer.read().decode()
    assert '"type":"prompt_finished"' in text
    assert "event: messages" in text
