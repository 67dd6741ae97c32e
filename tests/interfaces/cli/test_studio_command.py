"""`turngraph studio`: it prints an address, answers there, and ends with ctrl-c."""

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.interfaces.cli.commands import TURNGRAPH, environment
from tests.paths import ROOT
from turngraph.interfaces.cli.app import run_command

AGENT = """
from turngraph import chat_turn
app = chat_turn("scripted", ledger="sqlite:///turns.db")
"""


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Runs `turngraph studio` in `folder`, without a browser."""
    with subprocess.Popen(
        [TURNGRAPH, "studio", "--no-open", *arguments],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        text=True,
        stderr=subprocess.PIPE,
    ) as process:
        yield process


@pytest.mark.parametrize("page", ["README.md", "docs/how-to/studio.md"])
def test_the_agent_and_the_command_on_a_page_open_a_graph(page: str, tmp_path: Path) -> None:
    """Pasted as they stand; the run that is started stands before its first stage."""
    text = (ROOT / page).read_text("utf-8")
    (agent,) = re.findall(r"^```python\n([^`]*^app = chat_turn\([^`]*)^```", text, re.MULTILINE)
    (arguments,) = re.findall(r"^turngraph studio (agent.py:app)\b", text, re.MULTILINE)
    (tmp_path / "agent.py").write_text(agent)
    with started(tmp_path, arguments) as process:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("The studio is open at ").strip()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        root = opener.open(url, timeout=60).url
        (graph,) = json.loads(opener.open(f"{root}api/studio", timeout=60).read())["graphs"]
        assert (graph["name"], graph["problem"]) == (arguments, "")
        body = {"graph": arguments, "input": {"messages": [["user", "Hi"]]}}
        headers = {"Content-Type": "application/json"}
        asked = urllib.request.Request(f"{root}api/walks", json.dumps(body).encode(), headers)
        walk = json.loads(opener.open(asked, timeout=60).read())["id"]
        about = json.loads(opener.open(f"{root}api/walks/{walk}", timeout=60).read())
        assert about["at"] == "0: start → prep_first_request"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def test_it_serves_the_graphs_of_langgraph_json_until_ctrl_c(tmp_path: Path) -> None:
    """A cookie takes the token's place. The ledger of a graph's own turn is shown."""
    (tmp_path / "agent.py").write_text(AGENT)
    (tmp_path / "langgraph.json").write_text('{"graphs": {"mine": "./agent.py:app"}}')
    with started(tmp_path) as process:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("The studio is open at ").strip()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        page = opener.open(url, timeout=60)
        assert b"turngraph studio" in page.read()
        assert "token" not in page.url
        answer = opener.open(page.url + "api/studio", timeout=60)
        studio = json.loads(answer.read())
        assert ([graph["name"] for graph in studio["graphs"]], studio["has_ledger"]) == (
            ["mine"],
            True,
        )
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "")
    assert err == "Ctrl-c closes it.\n"


def test_what_it_cannot_open_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No graph, none that can be loaded, a port that is taken, no such thread."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "agent_of_a_command.py"
    file.write_text(AGENT)

    def refused(*args: str) -> str:
        assert run_command(["studio", *args, "--history", str(tmp_path / "threads")]) == 2
        return capsys.readouterr().err

    assert "turngraph studio agent.py:app" in refused()
    assert "There is no file `nope.py`" in refused("nope.py:app")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
        said = refused(f"{file.name}:app", "--port", port)
    assert f"Port {port} of 127.0.0.1 cannot be used" in said
    assert "There is no" in refused(f"{file.name}:app", "--thread", "nothere")


def test_without_its_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the name of the package that is missing."""
    monkeypatch.delitem(sys.modules, "turngraph.interfaces.studio.server", raising=False)
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    assert run_command(["studio", "agent.py:app"]) == 2
    said = capsys.readouterr().err
    assert "The studio needs `watchfiles`: pip install 'turngraph[studio]'." in said
