"""`turngraph serve`: its configuration, a graph of the user's own, and signals."""

import json
import logging
import os
import pty
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from tests.interfaces.server.serving import PlainCallers, Vendor, client, running
from turngraph.interfaces.cli.app import run_command
from turngraph.interfaces.server.app import create_app
from turngraph.interfaces.server.command import config_from
from turngraph.scripted import Say
from turngraph.state.errors import TurnConfigurationError

COMMAND = str(Path(sys.executable).with_name("turngraph"))
ASK: Any = [{"role": "user", "content": "Hi"}]


@pytest.fixture
def logs_as_before() -> Iterator[None]:
    """The server sends logs to standard error, which here is a test's own."""
    loggers = [logging.getLogger(name) for name in ("turngraph", "uvicorn")]
    before = [(each.handlers, each.propagate, each.level) for each in loggers]
    yield
    for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


TIMES = (
    *(("server", "drain_seconds"), ("server", "sweep_seconds")),
    *(("store", "lease_seconds"), ("store", "days")),
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[server]\nprot = 1", "server.prot: Extra inputs"),
        ("[models.a]\nsystem = 'x'", "models.a: give one of `model`, `manifest` and `graph`"),
        ("[models.a]\nmodel = 'scripted'\ngraph = 'a.py'", "not `model` and `graph`"),
        ("[models.a]\nmanifest = 'c'", "models.a: `manifest` needs `plugins`"),
        (
            "[models.a]\nmodel = 'x'\nprovider = {api_key = 'sk-1'}",
            "name the variable in `key_env`",
        ),
        ("[models.a]\nmodel = 'scripted'\n[[models.a.fallbacks]]\nmodel = 'b'", "not served"),
        ("[server]\nworkers = 2", "several workers need a database"),
        ("[models.a]\nmodel = 'nobody:x'", "`models.a`"),
        ("[models.a]\nmodel = 'openai:x'\nkey_env = 'NOT_SET'", "`NOT_SET`, and that variable"),
        ("[models.a]\nmodel = 'scripted'\nplugins = ['gone']", "no file or folder"),
        ("[server]\nhost = '0.0.0.0'", "no database to keep API keys in"),
        ("nonsense", "cannot be read"),
        ("[passthrough.nobody]", "`passthrough.nobody`: No vendor is called `nobody`"),
        ("[passthrough.openai]\nkey_env = 'NOT_SET'", "the variable `NOT_SET`, which is not set"),
        ("[store]\ndatabase = 'turns.db'", "`turns.db` is not a database URL"),
        ("[store]\ndatabase = 'mysql://db/turns'", "use SQLite or PostgreSQL"),
        *(
            (f"[{table}]\n{name} = {value}", f"{table}.{name}: Input should be less than")
            for table, name in TIMES
            for value in ("inf", "nan", "1e300")
        ),
    ],
)
def test_a_wrong_configuration_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, told: str
) -> None:
    """Before anything is served. A key in the file is never repeated."""
    file = tmp_path / "turngraph.toml"
    file.write_text(text)
    assert run_command(["serve", str(file), "--check"]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert "sk-1" not in said
    assert len(said.splitlines()) == 1


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    """Windows' own editor begins files with one."""
    file = tmp_path / "turngraph.toml"
    file.write_bytes(b"\xef\xbb\xbf[models.m]\nmodel = 'scripted'\n")
    assert run_command(["serve", str(file), "--check"]) == 0


NO_MESSAGES = """
from typing import TypedDict
from langgraph.graph import START, StateGraph

class State(TypedDict):
    report: str

app = StateGraph(State).add_node("write", lambda state: state).add_edge(START, "write").compile()
"""


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["nope.py:app"], "There is no file `nope.py`"),
        (["report.py:nope"], "`report.py` has no `nope`. Graphs found: `report.py:app`."),
        (["report.py:app"], "has no `messages`, which clients send"),
        (["report.py:app", "--check"], "Its state has: report."),
        (["report.py:app", "--workers", "2", "--database", "sqlite:///a.db"], "no `messages`"),
        (["--port", "99999"], "99999"),
        (["--workers", "2"], "The options: several workers need a database"),
        (["nope.toml"], "`nope.toml` cannot be read: No such file or directory."),
        (["--database", "sqlite:///report.py/all.db"], "report.py"),
        (["--database", "mysql://db/turns"], "use SQLite or PostgreSQL"),
    ],
)
def test_what_cannot_be_served_is_one_sentence(
    args: list[str],
    told: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    logs_as_before: None,
) -> None:
    """It is the last line, after logs that hold no traceback; the exit code is that of a typo."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "report.py").write_text(NO_MESSAGES)
    monkeypatch.delitem(sys.modules, "report", raising=False)
    port = [] if "--port" in args else ["--port", "0"]
    assert run_command(["serve", *args, *port]) == 2
    said = capsys.readouterr().err
    assert told in said.splitlines()[-1]
    assert said.splitlines()[-1].startswith("turngraph: ")
    assert "Traceback" not in said


def test_a_person_is_told_where_the_models_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], logs_as_before: None
) -> None:
    """On a terminal two plain lines; a second server on the port says that it is taken."""
    port = free_port()
    screen, terminal = pty.openpty()
    with subprocess.Popen(
        [COMMAND, "serve", "--port", str(port)],
        cwd=tmp_path,
        stdout=terminal,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(terminal)
        with os.fdopen(screen, "rb") as output:
            lines = [output.readline().decode().strip() for _ in range(2)]
            assert lines == [f"base_url: http://127.0.0.1:{port}/v1", "models:   scripted"]
            assert names(f"http://127.0.0.1:{port}") == ["scripted"]
            assert run_command(["serve", "--port", str(port)]) == 2
            process.terminate()
    said = capsys.readouterr().err
    assert f"turngraph: Port {port} of 127.0.0.1 cannot be used: Address" in said


def test_check_and_schema_serve_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that is named is built once; without a file it is the scripted model."""
    monkeypatch.chdir(tmp_path)
    assert run_command(["serve", "--check"]) == 0
    said = capsys.readouterr().out
    assert said == "Without a configuration: 1 model can be served: scripted.\n"
    assert run_command(["serve", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "ServerConfig"
    assert config_from(None, {"server": {"port": 9}, "store": {}}).server.port == 9
    with pytest.raises(TurnConfigurationError, match="neither a configuration"):
        config_from("nothing", {})
    assert not list(tmp_path.iterdir())


UNMARKED = """
def lookup(word: str) -> str:
    "Looks a word up."
    return word
"""


def test_check_warns_below_its_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each warning is a sentence that names its model; nothing stands on its own before them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "unmarked_tools.py").write_text(UNMARKED)
    tool = 'tools = ["unmarked_tools.py:lookup"]'
    models = (f'[models.{name}]\nmodel = "scripted"\n{tool}\n' for name in ("one", "two"))
    (tmp_path / "turngraph.toml").write_text("".join(models))
    assert run_command(["serve", "--check"]) == 0
    said = capsys.readouterr()
    result, *warnings = said.out.splitlines()
    assert (result, said.err) == ("turngraph.toml: 2 models can be served: one, two.", "")
    assert [each.partition(" no mark")[0] for each in warnings] == [
        "Warning: Turn `one`:",
        "Warning: Turn `two`:",
    ]


AGENT = """
import os
import sys
from langchain_core.messages import AIMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from turngraph import ProviderConfig, chat_turn

turn = chat_turn(ProviderConfig(base_url=os.environ["VENDOR"], model="m", proxy=""), stream=True)

def leaving(state: MessagesState):
    sys.exit("planted")

inner = StateGraph(MessagesState).add_node(leaving).add_edge(START, "leaving").compile()

def closing(state: MessagesState):
    if state["messages"][0].content == "Leave":
        sys.exit("planted")
    return {"messages": [AIMessage("That was all.")]}

graph = StateGraph(MessagesState).add_sequence([("chat", turn), closing]).add_edge(START, "chat")
graph.add_node("inner", inner).add_conditional_edges(
    "closing", lambda state: "inner" if state["messages"][0].content == "Descend" else END
)
app = graph.compile()
"""


def test_a_graph_of_the_users_own_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its messages are the answer, whole or word by word; by `previous_response_id` it goes on."""
    (tmp_path / "my_agent.py").write_text(AGENT)
    with Vendor() as vendor:
        monkeypatch.setenv("VENDOR", vendor.base_url)
        monkeypatch.chdir(tmp_path)
        config = config_from("my_agent.py:app", {})
        app = create_app(config, callers=PlainCallers())
        with running(app) as url:
            asked = client(url)
            vendor.play(*[Say("One two three.")] * 2)
            for said in ("Leave", "Descend"):  # `sys.exit` in a node is one request's failure
                with pytest.raises(openai.InternalServerError):
                    asked.chat.completions.create(
                        model="my_agent", messages=[{"role": "user", "content": said}]
                    )
            before = vendor.play(*[Say("One two three.")] * 5)
            whole = asked.chat.completions.create(model="my_agent", messages=ASK)
            parts = [
                each.choices[0].delta.content or ""
                for each in asked.chat.completions.create(
                    model="my_agent", messages=ASK, stream=True
                )
            ]
            first = asked.responses.create(model="my_agent", input="Hi")
            with asked.responses.stream(
                model="my_agent", input="And?", previous_response_id=first.id
            ) as stream:
                second: Any = stream.get_final_response()
            sent = vendor.requests[before + 3].body["messages"]
    assert whole.choices[0].message.content == "One two three.\n\nThat was all."
    assert "".join(parts) == "One two three.\n\nThat was all."
    assert len(parts) > 4
    assert [each.content[0].text for each in second.output] == ["One two three.", "That was all."]
    assert [each["content"] for each in sent[-4:]] == [
        "Hi",
        "One two three.",
        "That was all.",
        "And?",
    ]
    assert config.models["my_agent"].graph == "my_agent.py:app"


def test_signals_reload_drain_and_end(tmp_path: Path) -> None:
    """SIGHUP serves new models, SIGTERM lets streams end for as long as the file said at last, a
    second one does not; none is dropped before.
    """
    with Vendor(delay_s=0.03) as vendor:
        file = tmp_path / "turngraph.toml"
        text = textwrap.dedent(f"""
            [server]
            drain_seconds = 0
            [store]
            database = "sqlite:///{tmp_path}/turns.db"
            [models.NAME]
            model = "m"
            provider = {{base_url = "{vendor.base_url}", proxy = ""}}
        """)
        file.write_text(text.replace("NAME", "old"))
        url = f"http://127.0.0.1:{(port := free_port())}"
        vendor.play(Say("word " * 150), Say("word " * 9_000))
        process = subprocess.Popen(
            [COMMAND, "serve", str(file), "--port", str(port)], stderr=subprocess.DEVNULL
        )
        until_up(url, process)
        with stream_from(url, "old") as short, stream_from(url, "old") as long:
            endless = long.iter_lines()
            longer = text.replace("drain_seconds = 0", "drain_seconds = 120")
            file.write_text(longer.replace("NAME", "new"))
            process.send_signal(signal.SIGHUP)
            ends_at = time.monotonic() + 60
            while names(url) != ["new"]:
                assert time.monotonic() < ends_at
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            assert "data: [DONE]" in list(short.iter_lines())[-2:]
            assert next(endless)
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def test_what_has_no_answer_when_the_server_ends_is_told_so(tmp_path: Path) -> None:
    """A request that waits for a place is not begun any more, and a body that comes too late is
    not waited for: both get the same 503 as what runs, and send the request again.
    """
    with Vendor(delay_s=0.03) as vendor:
        file = tmp_path / "turngraph.toml"
        file.write_text(
            "[server]\nturns_at_once = 1\ndrain_seconds = 0\n[models.m]\n"
            f'model = "m"\nprovider = {{base_url = "{vendor.base_url}", proxy = ""}}\n'
        )
        url = f"http://127.0.0.1:{(port := free_port())}"
        vendor.play(Say("word " * 9_000))
        process = subprocess.Popen(
            [COMMAND, "serve", str(file), "--port", str(port)], stderr=subprocess.DEVNULL
        )
        until_up(url, process)
        asking = client(url).chat.completions.with_raw_response
        head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n"
        with (
            stream_from(url, "m") as runs,
            ThreadPoolExecutor() as pool,
            socket.create_connection(("127.0.0.1", port)) as slow,
        ):
            lines = runs.iter_lines()
            assert "word" in next(line for line in lines if "word" in line)
            slow.sendall(head.encode())
            waits = pool.submit(asking.create, model="m", messages=ASK, timeout=60)
            ends_at = time.monotonic() + 60
            while "turns_waiting 1.0" not in httpx2.get(f"{url}/metrics").text:
                assert time.monotonic() < ends_at
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            assert any('"code":"server_stopping"' in line for line in lines)
            with pytest.raises(openai.InternalServerError) as refused:
                waits.result(60)
            slow.settimeout(60)
            late = b"".join(iter(lambda: slow.recv(65_536), b""))
            process.wait(60)
        assert (refused.value.status_code, refused.value.code) == (503, "server_stopping")
        assert refused.value.response.headers["retry-after"] == "1"
        assert late.startswith(b"HTTP/1.1 503 ")
        assert b'"code":"server_stopping"' in late
        assert len(vendor.requests) == 1


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_up(url: str, process: "subprocess.Popen[bytes]") -> None:
    ends_at = time.monotonic() + 120
    while True:
        assert process.poll() is None, "the server has ended"
        assert time.monotonic() < ends_at
        try:
            if httpx2.get(f"{url}/readyz").status_code == 200:
                return
        except httpx2.ConnectError:
            time.sleep(0.1)


def stream_from(url: str, model: str) -> Any:
    body = {"model": model, "messages": ASK, "stream": True}
    return httpx2.stream("POST", f"{url}/v1/chat/completions", json=body, timeout=60)


def names(url: str) -> list[str]:
    return [each["id"] for each in httpx2.get(f"{url}/v1/models").json()["data"]]
