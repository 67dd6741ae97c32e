"""Ctrl-c ends `turngraph studio`, whatever the user's graphs are doing."""

import http.client
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ENDLESS = """
import time
from typing import TypedDict
from langgraph.graph import START, StateGraph

class Word(TypedDict, total=False):
    word: str

def never_ends(state):
    time.sleep(1_000_000)

graph = StateGraph(Word).add_node("never_ends", never_ends).add_edge(START, "never_ends").compile()
"""


@pytest.fixture
def studio(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """The command, with a graph whose node never returns."""
    (tmp_path / "endless.py").write_text(ENDLESS)
    process = subprocess.Popen(
        [Path(sys.executable).with_name("turngraph"), "studio", "endless.py:graph", "--no-open"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)},
    )
    yield process
    process.kill()
    process.communicate()


def ask(address: str, method: str, path: str, body: object = None) -> str:
    """Sends a request with the studio's cookie, and returns the text of the answer."""
    port, token = re.findall(r":(\d+)/\?token=(\S+)", address)[0]
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)
    cookie = f"turngraph-studio-{port}={token}"
    headers = {"Content-Type": "application/json", "Cookie": cookie}
    connection.request(method, path, json.dumps(body), headers)
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def test_ctrl_c_ends_the_studio_while_a_node_never_returns(
    studio: "subprocess.Popen[str]",
) -> None:
    """A function that waits for ever can be stopped by nobody: it is left, and that is said."""
    assert studio.stdout is not None
    address = studio.stdout.readline()
    begin = {"graph": "endless.py:graph", "input": {"word": "a"}}
    walk = json.loads(ask(address, "POST", "/api/walks", begin))["id"]
    ask(address, "POST", f"/api/walks/{walk}/moves", {"client": "c", "message": {"action": "step"}})
    studio.send_signal(signal.SIGINT)
    _, said = studio.communicate(timeout=60)
    assert "code of your graphs is still running" in said


def test_a_file_that_hangs_on_import_is_named_on_the_page_and_ctrl_c_ends_the_studio(
    studio: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    """The page goes on answering meanwhile."""
    assert studio.stdout is not None
    address = studio.stdout.readline()
    hanging = f"import time\ntime.sleep(1_000_000)\n{ENDLESS}"
    for second in range(40):
        # Written again, because the studio may not watch the file yet when it prints its address.
        (tmp_path / "endless.py").write_text(f"{hanging}# {second}\n")
        time.sleep(1)
        if "still being imported" in (page := ask(address, "GET", "/api/studio")):
            break
    assert "still being imported" in page
    studio.send_signal(signal.SIGINT)
    _, said = studio.communicate(timeout=60)
    assert "code of your graphs is still running" in said
