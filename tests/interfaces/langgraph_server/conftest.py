"""LangGraph's development server, as `langgraph dev` starts it, and its official client."""

import importlib.util
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from langgraph_sdk import get_sync_client
from langgraph_sdk.client import SyncLangGraphClient

from tests.interfaces.cli.commands import environment
from tests.paths import ROOT

STARTS_WITHIN_S = 90


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the server, which serves the repository's `langgraph.json`."""
    if importlib.util.find_spec("langgraph_api") is None:
        pytest.skip("`langgraph dev` is not installed here: `make langgraph-server` does both")
    home = tmp_path_factory.mktemp("served")
    (home / "langgraph.json").write_text((ROOT / "langgraph.json").read_text("utf-8"))
    (home / "pyproject.toml").write_text('[project]\nname = "served"\nversion = "0"\n')
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    langgraph = str(Path(sys.executable).parent / "langgraph")
    command = [langgraph, "dev", "--no-browser", "--no-reload", "--port", str(port)]
    env = environment(home, LANGSMITH_TRACING="false", PYTHONWARNINGS="default")
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=home, env=env, stdout=log, stderr=log)
    try:
        wait_until_up(f"http://127.0.0.1:{port}/ok", home / "log", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def wait_until_up(url: str, log: Path, process: "subprocess.Popen[bytes]") -> None:
    """Fails with what the server logged if it does not answer."""
    ends_at = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < ends_at and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.3)
    pytest.fail(log.read_text(errors="replace")[-3000:])


@pytest.fixture
def client(server: str) -> Iterator[SyncLangGraphClient]:
    with get_sync_client(url=server) as opened:
        yield opened


@pytest.fixture
def thread(client: SyncLangGraphClient) -> str:
    """The id of a new thread."""
    return client.threads.create()["thread_id"]
