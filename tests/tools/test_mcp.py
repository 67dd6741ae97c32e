"""MCP against real servers over stdio and HTTP, also lost, killed, and changing their tools."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from turngraph.scripted.loopback import LoopbackServer
from turngraph.state.errors import ToolArgumentsError, ToolTimeoutError, TurnConfigurationError
from turngraph.state.reply import ToolCall
from turngraph.tools.mcp import McpServers
from turngraph.tools.output import ToolOutput
from turngraph.tools.toolbox import Toolbox

pytest.importorskip("langchain_mcp_adapters")

SERVER = str(Path(__file__).with_name("mcp_server.py"))
STDIO = {"transport": "stdio", "command": sys.executable, "args": [SERVER, "stdio"]}


OWN_SERVER = """
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    reply = {"jsonrpc": "2.0", "id": message.get("id")}
    if message["method"] == "initialize":
        version = message["params"]["protocolVersion"]
        info = {"name": "s", "version": "1"}
        reply["result"] = {"protocolVersion": version, "capabilities": {}, "serverInfo": info}
    elif message["method"] == "tools/list":
        reply["result"] = {"tools": [{"name": "buy", "inputSchema": {"type": "object"}} | MORE]}
    elif message["method"] == "tools/call":
        for line in LINES:
            print(line, flush=True)
        reply |= ANSWER
    else:
        continue
    print(json.dumps(reply), flush=True)
"""
"""A server whose answer to a call is `ANSWER`, after the `LINES`; `MORE` stands beside its tool."""


def bought(
    folder: Path, answer: dict[str, Any], lines: tuple[str, ...] = (), **more: Any
) -> ToolOutput:
    """The output of a tool whose server gives this answer."""
    file = folder / "server.py"
    values = f"ANSWER = {answer!r}\nLINES = {lines!r}\nMORE = {more!r}\n"
    file.write_text(f"{values}{OWN_SERVER}")
    connection = {"transport": "stdio", "command": sys.executable, "args": ["-S", str(file)]}
    with McpServers({"shop": connection}) as servers:
        return Toolbox.of(servers.tools()).run("buy", {}, call_id="c", timeout_s=30)


@pytest.fixture
def servers() -> Iterator[McpServers]:
    with McpServers({"tests": STDIO}) as running:
        yield running


@pytest.fixture
def http_server() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, SERVER, "http", str(port)], stderr=subprocess.DEVNULL
    )
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}/mcp", process
    process.kill()
    process.wait()


def run(box: Toolbox, name: str, **arguments: Any) -> str:
    return box.run(name, arguments, call_id="c", timeout_s=30).content


def test_tools_over_stdio_are_served_by_one_process(servers: McpServers) -> None:
    """Arguments, results, errors and media arrive; one process serves all calls."""
    box = Toolbox.of(servers.tools())
    output = box.run("add", {"a": 2, "b": 3}, call_id="c", timeout_s=30)
    assert (output.content, output.artifact, output.status) == ("5", {"result": 5}, "ok")
    failed = box.run("fail", {}, call_id="c", timeout_s=30)
    assert failed.status == "error"
    assert "no such thing" in failed.content
    picture = box.run("picture", {}, call_id="c", timeout_s=30)
    assert picture.content == "[image/png]"
    assert picture.media == ({"type": "image", "base64": "iVBORw==", "mime_type": "image/png"},)
    assert run(box, "pid") == run(box, "pid")
    assert [box.idempotent(name) for name in ("add", "die", "pid")] == [True, False, True]
    with pytest.raises(ToolArgumentsError, match='"b" is a required property'):
        box.check(ToolCall(id="c", name="add", arguments='{"a": 1}'))


def test_structured_content_without_text_is_shown(servers: McpServers) -> None:
    """Of a result and of an error, whose text seldom repeats it."""
    box = Toolbox.of(servers.tools())
    output = box.run("structured", {}, call_id="c", timeout_s=30)
    assert (output.content, output.artifact) == ('{"terms":["GDP"]}', {"terms": ["GDP"]})
    failed = box.run("refuse", {}, call_id="c", timeout_s=30)
    assert failed.status == "error"
    assert failed.content == 'Error: too fast {"code":"RATE_LIMITED","retry_after":30}'
    assert run(box, "refuse_by_data") == 'Error: {"code":429}'


def test_the_picture_of_an_error_reaches_the_model(servers: McpServers) -> None:
    """The screenshot of a browser tool often says more than its sentence."""
    output = Toolbox.of(servers.tools()).run("refuse_with_picture", {}, call_id="c", timeout_s=30)
    assert (output.status, output.content) == ("error", "Error: no such button [image/png]")
    assert output.media == ({"type": "image", "base64": "iVBORw==", "mime_type": "image/png"},)


@pytest.mark.parametrize(
    ("result", "content"),
    [
        ({"structuredContent": {"a": 1}}, '{"a":1}'),
        ({"content": None, "structuredContent": {"a": 1}}, '{"a":1}'),
        ({"structuredContent": [1, "a"]}, '[1,"a"]'),
        ({"content": "plain", "structuredContent": "data"}, "plain"),
        ({"content": "plain"}, "plain"),
        ({"content": {"type": "text", "text": "one"}}, "one"),
        ({"content": [{"type": "video", "data": "x", "mimeType": "video/mp4"}, "and"]}, None),
        ({}, ""),
    ],
    ids=repr,
)
def test_a_result_in_another_form_is_shown_and_not_taken_for_a_refusal(
    tmp_path: Path, result: dict[str, Any], content: str | None
) -> None:
    """The tool has run. The SDK refuses the result, and a model would call again."""
    output = bought(tmp_path, {"result": result})
    assert output.status == "ok"
    expected = "[video/mp4: not text, left out]\nand" if content is None else content
    assert (output.content, output.artifact) == (expected, result.get("structuredContent"))


COUNT = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
SAID = [{"type": "text", "text": "as said"}]


@pytest.mark.parametrize(
    ("result", "content"),
    [
        ({"content": SAID, "structuredContent": {"n": 1}}, "as said"),
        ({"structuredContent": {"n": "one"}}, 'at `$.n`: "one" is not of type "integer"'),
        ({"content": SAID, "structuredContent": {}}, '"n" is a required property'),
        ({"content": SAID}, "it has no structured content. The result: as said"),
        ({"content": SAID, "isError": True}, "Error: as said"),
    ],
    ids=repr,
)
def test_structured_content_must_fit_the_schema_that_the_server_promises(
    tmp_path: Path, result: dict[str, Any], content: str
) -> None:
    """Programs rely on it. The tool has run, so the model is told so, and sees the result."""
    output = bought(tmp_path, {"result": result}, outputSchema=COUNT)
    assert content in output.content
    wrong = content not in ("as said", "Error: as said")
    assert output.status == ("ok" if content == "as said" else "error")
    assert ("The tool has run, and its result does not fit" in output.content) == wrong


def test_a_schema_of_results_that_is_none_stops_no_tool(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    output = bought(tmp_path, {"result": {"content": SAID}}, outputSchema={"$ref": "http://x/y"})
    assert (output.status, output.content) == ("ok", "as said")
    assert "the results of MCP tool buy are not checked" in caplog.text


BROKEN = (
    '{"jsonrpc": "2.0", "id": 2, "result": {"content": [',
    '{"jsonrpc": "2.0", "id": 2}',
    '{"jsonrpc": "2.0", "id": 2, "result": NaN}',
    '{"jsonrpc": "1.0", "id": 2, "result": {}}',
)


@pytest.mark.parametrize("line", BROKEN)
def test_an_answer_that_cannot_be_read_is_told_at_once(tmp_path: Path, line: str) -> None:
    """The SDK logs it and goes on waiting: for a minute, as the call's time limit is."""
    silent = "time.sleep(3600)"
    lines = (line,)
    file = OWN_SERVER.replace("        reply |= ANSWER", f"        import time; {silent}")
    (tmp_path / "server.py").write_text(f"LINES = {lines!r}\nMORE = {{}}\n{file}")
    connection = {
        "transport": "stdio",
        "command": sys.executable,
        "args": ["-S", str(tmp_path / "server.py")],
    }
    with McpServers({"shop": connection}) as servers:
        output = Toolbox.of(servers.tools()).run("buy", {}, call_id="c", timeout_s=50)
    assert output.status == "error"
    assert "`shop` gave an answer that is no MCP message: " in output.content
    assert "not known whether the call took effect" in output.content


def test_a_server_that_cannot_be_read_at_its_start_is_named_at_once(tmp_path: Path) -> None:
    line = '{"jsonrpc": "2.0", "id": 0}'
    program = f"print({line!r}, flush=True); input(); input(); input()"
    connection = {"transport": "stdio", "command": sys.executable, "args": ["-c", program]}
    with (
        McpServers({"shop": connection}, connect_timeout_s=50) as servers,
        pytest.raises(TurnConfigurationError, match="cannot be reached: Unreadable"),
    ):
        servers.tools()


def test_other_lines_of_a_server_are_passed_over_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Some servers print where only messages belong: a greeting, a log in JSON."""
    lines = ("Ready.", '{"level": "info"}', "5", "")
    output = bought(tmp_path, {"result": {"content": SAID}}, lines)
    assert (output.status, output.content) == ("ok", "as said")
    assert "MCP server shop printed a line that is no message" in caplog.text


class HttpServer(LoopbackServer):
    """An MCP server over HTTP that answers a call with any body."""

    def __init__(self, body: str, content_type: str) -> None:
        super().__init__(self._answer)
        self._body, self._content_type = body, content_type

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json() if request.method == "POST" else {}
        result: dict[str, Any] = {"tools": [{"name": "buy", "inputSchema": {"type": "object"}}]}
        if asked.get("method") == "initialize":
            version = asked["params"]["protocolVersion"]
            info = {"name": "s", "version": "1"}
            result = {"protocolVersion": version, "capabilities": {}, "serverInfo": info}
        elif asked.get("method") == "tools/call":
            return web.Response(text=self._body, content_type=self._content_type)
        elif asked.get("method") != "tools/list":
            return web.Response(status=202 if asked else 405)
        return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "result": result})


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("<html>", "application/json"),
        ("{}", "application/json"),
        ("<html>", "text/html"),
        ("data: {\n\n", "text/event-stream"),
    ],
)
def test_an_answer_over_http_that_cannot_be_read_is_told_at_once(body: str, kind: str) -> None:
    """A proxy's page in place of the answer."""
    with HttpServer(body, kind) as server:
        connection = {"transport": "streamable_http", "url": f"{server.base_url}/mcp"}
        with McpServers({"shop": connection}) as servers:
            output = Toolbox.of(servers.tools()).run("buy", {}, call_id="c", timeout_s=50)
    assert output.status == "error"
    assert "`shop` gave an answer that is no MCP message" in output.content


def test_a_list_of_tools_without_end_is_refused(tmp_path: Path) -> None:
    """Its pages were asked for until the time was over."""
    endless = OWN_SERVER.replace("| MORE]}", '| MORE], "nextCursor": "again"}')
    (tmp_path / "server.py").write_text(f"MORE = {{}}\n{endless}")
    connection = {
        "transport": "stdio",
        "command": sys.executable,
        "args": ["-S", str(tmp_path / "server.py")],
    }
    with (
        McpServers({"shop": connection}, connect_timeout_s=50) as servers,
        pytest.raises(TurnConfigurationError, match="leads back to the page 'again'"),
    ):
        servers.tools()


def test_a_slow_start_is_waited_for_as_configured() -> None:
    """Some servers download what they need when they start for the first time."""
    silent = {"transport": "stdio", "command": sys.executable, "args": ["-c", "input(); input()"]}
    began = time.monotonic()
    with (
        McpServers({"silent": silent}, connect_timeout_s=0.5) as servers,
        pytest.raises(TurnConfigurationError, match="`silent` cannot be reached"),
    ):
        servers.tools()
    assert time.monotonic() - began < 20


async def test_tools_over_http_are_shared_by_several_tasks(http_server: tuple[str, Any]) -> None:
    """Sessions live on their own loop, so turns on any loop share them."""
    url, _ = http_server
    servers = McpServers({"web": {"transport": "streamable_http", "url": url}})
    box = Toolbox.of(servers.tools())
    outputs = await asyncio.gather(
        *(box.arun("add", {"a": n, "b": 1}, call_id=str(n), timeout_s=30) for n in range(16))
    )
    assert [output.content for output in outputs] == [str(n + 1) for n in range(16)]
    servers.close()


def test_a_server_killed_during_a_call_is_reported_and_restarted(servers: McpServers) -> None:
    """The call is not repeated, because it may have taken effect."""
    box = Toolbox.of(servers.tools())
    output = box.run("die", {}, call_id="c", timeout_s=30)
    assert output.status == "error"
    assert (
        "`tests` was lost during the call, so it is not known whether the call took effect"
        in output.content
    )
    assert run(box, "add", a=1, b=1) == "2"


def test_a_server_killed_between_calls_is_restarted(servers: McpServers) -> None:
    """The first call after it may fail; the next one reaches a new process."""
    box = Toolbox.of(servers.tools())
    first = run(box, "pid")
    os.kill(int(first), signal.SIGKILL)
    answers = [run(box, "pid") for _ in range(2)]
    assert answers[-1].isdigit()
    assert answers[-1] != first


def test_a_lost_http_server_is_reported(
    http_server: tuple[str, subprocess.Popen[bytes]],
) -> None:
    """The call must not hang."""
    url, process = http_server
    with McpServers({"web": {"transport": "streamable_http", "url": url}}) as servers:
        box = Toolbox.of(servers.tools())
        assert run(box, "add", a=1, b=1) == "2"
        process.kill()
        process.wait()
        output = box.run("add", {"a": 1, "b": 1}, call_id="c", timeout_s=30)
        assert output.status == "error"
        assert "`web`" in output.content


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_forked_process_starts_a_server_of_its_own(servers: McpServers) -> None:
    """Its parent's goes on: a session cannot be shared, and none of its threads was inherited."""
    box = Toolbox.of(servers.tools())
    of_the_parent = run(box, "pid")
    child = os.fork()
    if child == 0:
        try:
            differs = (of_the_child := run(box, "pid")).isdigit() and of_the_child != of_the_parent
            again = run(box, "pid")
            servers.close()
            os._exit(0 if differs and again == of_the_child else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert run(box, "pid") == of_the_parent


def test_a_slow_tool_times_out(servers: McpServers) -> None:
    """Its server still answers the next call."""
    box = Toolbox.of(servers.tools())
    with pytest.raises(ToolTimeoutError):
        box.run("slow", {}, call_id="c", timeout_s=0.3)
    assert run(box, "add", a=1, b=1) == "2"


def test_a_changed_list_of_tools_is_noticed(servers: McpServers) -> None:
    """`changed` says when another `tools()` is needed."""
    box = Toolbox.of(servers.tools())
    assert "newcomer" not in box
    run(box, "grow")
    for _ in range(100):
        if servers.changed:
            break
        time.sleep(0.05)
    assert list(servers.changed) == ["tests"]
    assert "newcomer" in Toolbox.of(servers.tools())
    assert list(servers.changed) == []


def test_a_server_that_cannot_be_started_is_reported() -> None:
    """This happens when the turn is built."""
    with (
        McpServers(
            {"nothing": {"transport": "stdio", "command": "/no/such/program", "args": []}}
        ) as servers,
        pytest.raises(
            TurnConfigurationError,
            match="MCP server `nothing` cannot be reached: FileNotFoundError",
        ),
    ):
        servers.tools()


def test_an_error_of_the_server_with_the_sdks_code_is_no_lost_server(tmp_path: Path) -> None:
    """The model would be told that the call may have taken effect, and not what is wrong."""
    error = {"code": -32000, "message": "too many", "data": {"retry_after": 30}}
    output = bought(tmp_path, {"error": error})
    assert output.status == "error"
    assert "refused the call: McpError: too many" in output.content
    assert '{"retry_after":30}' in output.content


def test_a_missing_adapter_is_named_before_a_server_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its import takes seconds, which were taken from the time in which a server must answer."""
    monkeypatch.setitem(sys.modules, "langchain_mcp_adapters.sessions", None)
    servers = McpServers({"slow": {"transport": "stdio", "command": "nowhere", "args": []}})
    with pytest.raises(TurnConfigurationError, match=r"turngraph\[mcp\]"):
        servers.tools()
    servers.close()


def test_a_name_that_no_vendor_takes_is_shown_in_letters_that_each_takes() -> None:
    """MCP allows dots and slashes; with one such name no tool of the server could be used."""
    with McpServers({"tests": {**STDIO, "args": [SERVER, "odd-names"]}}) as servers:
        tools = servers.tools()
        box = Toolbox.of(tools)
        assert [one.name for one in tools] == ["get_user_2", "get_user", "list_all"]
        assert [(one.metadata or {})["mcp_tool"] for one in tools][::2] == ["get.user", "list/all"]
        assert run(box, "get_user_2") == "get.user"
        assert run(box, "get_user") == "get_user"
