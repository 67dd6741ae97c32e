"""The studio as a browser speaks to it: over HTTP, on a loopback port."""

import http.client
import json
import operator
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypedDict

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from tests.interfaces.studio.studio_on import NAMES, Studio, running, write_agent
from tests.turns import ask, turn_on
from turngraph.billing import Budget, Ledger
from turngraph.interfaces.stepper import replay_cassette
from turngraph.interfaces.studio import studio_app
from turngraph.interfaces.studio.input_form import input_fields
from turngraph.scripted import ScriptedModel

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    """Calls the tools that it is offered, then answers."""
    with ScriptedModel() as scripted:
        yield scripted


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, model: ScriptedModel) -> Path:
    """The file of the graphs."""
    folder = tmp_path_factory.mktemp("agents")
    return folder / write_agent(folder, model.base_url)


@pytest.fixture(scope="module")
def ledger() -> Iterator[Ledger]:
    """A ledger that a turn was charged to."""
    with Ledger("sqlite://") as opened:
        yield opened


@pytest.fixture(scope="module")
def studio(file: Path, ledger: Ledger) -> Iterator[Studio]:
    """A studio of every graph in the file, and of one that is not there."""
    references = [f"{file.name}:{name}" for name in (*NAMES, "absent")]
    with running(file.parent, references, ledger) as opened:
        yield opened


def start(studio: Studio, name: str, given: Any, **more: Any) -> str:
    """Starts a run of the graph and returns its id."""
    body = {"graph": full_name(studio, name), "input": given, **more}
    return str(studio.ask("POST", "/api/walks", body)["id"])


def full_name(studio: Studio, name: str) -> str:
    """Returns the name of a graph as the studio lists it, with its file."""
    return next(each for each in studio.server.catalog.names if each.endswith(f":{name}"))


def view(studio: Studio, walk: str) -> dict[str, Any]:
    """Returns what a page that is opened now is told first."""
    connection = http.client.HTTPConnection("127.0.0.1", studio.port, timeout=60)
    connection.request("GET", f"/api/walks/{walk}/events", headers={"Cookie": studio.cookie})
    answer = connection.getresponse()
    told: dict[str, Any] = {}
    while {"view", "moving", "note", "problem"} - set(told):
        line = answer.readline().decode()
        if line.startswith("event: "):
            told[line[7:].strip()] = json.loads(answer.readline().decode().removeprefix("data: "))
    connection.close()
    return {**told["view"], **{name: told[name] for name in ("moving", "note", "problem")}}


def move(studio: Studio, walk: str, action: str, **more: Any) -> dict[str, Any]:
    """Makes a move and returns the view after it."""
    body = {"client": "test", "message": {"action": action, **more}}
    studio.ask("POST", f"/api/walks/{walk}/moves", body)
    deadline = time.monotonic() + 60
    while (seen := view(studio, walk))["moving"]:
        assert time.monotonic() < deadline
    return seen


def test_the_form_follows_from_the_graphs_schema(studio: Studio) -> None:
    """Messages are typed as a text, numbers as numbers; what has no simple type is typed as JSON.
    A graph that is not there is a sentence, and the others work.
    """
    graphs = {
        each["name"].rpartition(":")[2]: each for each in studio.ask("GET", "/api/studio")["graphs"]
    }
    kinds = {
        name: {field["name"]: field["kind"] for field in graph["fields"]}
        for name, graph in graphs.items()
    }
    assert kinds["turn"] == {"messages": "chat", "turn_id": "text", "settings": "json"}
    assert kinds["agent"] == {"messages": "chat"}
    assert kinds["plain"] == {"words": "json", "shouted": "json", "count": "number"}
    assert '["a", "b"]' in [field["example"] for field in graphs["plain"]["fields"]]
    assert "has no `absent`. Graphs found:" in graphs["absent"]["problem"]
    assert all(graph["svg"].startswith("<svg") for graph in graphs.values() if not graph["problem"])


class Joke(TypedDict):
    topic: str
    style: NotRequired[str]
    jokes: Annotated[list[str], operator.add]


class CheckedJoke(BaseModel):
    topic: str
    style: str = "dry"
    jokes: Annotated[list[str], operator.add]


@dataclass
class BuiltJoke:
    topic: str
    style: str = "dry"
    jokes: Annotated[list[str], operator.add] = field(default_factory=list)


@pytest.mark.parametrize("state", [Joke, CheckedJoke, BuiltJoke])
def test_a_field_is_called_required_if_the_graph_refuses_to_run_without_it(state: Any) -> None:
    """A TypedDict is not checked, a reducer begins empty, and a default is a default."""
    graph = StateGraph(state).add_node("tell", lambda state: {}).add_edge(START, "tell").compile()
    fields = {each["name"]: each for each in input_fields(graph)}
    assert next(iter(fields)) == "topic"
    assert [name for name, each in fields.items() if each["first"]] == ["topic"]
    assert fields["style"]["kind"] == "text"
    whole = {"topic": "rain", "style": "dry", "jokes": ["one"]}
    for name, each in fields.items():
        given = {other: value for other, value in whole.items() if other != name}
        try:
            graph.invoke(given)
        except (ValueError, TypeError):
            assert each["required"], name
        else:
            assert not each["required"], name


def test_threads_of_other_graphs_are_shown_when_they_are_asked_for(
    model: ScriptedModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One database may hold the threads of several graphs. Reading them prints no warning."""
    with SqliteSaver.from_conn_string(str(tmp_path / "threads.db")) as saver:
        turn = turn_on(model, checkpointer=saver)
        other: Any = StateGraph(MessagesState)
        other.add_node("greet", lambda state: {"messages": [("ai", "Hi")]})
        other.add_node("ask", lambda state: {"messages": [("ai", interrupt("Who?"))]})
        greeter = other.add_edge(START, "greet").add_edge("greet", "ask").compile(saver)
        turn.invoke(ask("Mine"), {"configurable": {"thread_id": "mine"}})
        for number in range(60):  # more than a list has
            greeter.invoke(ask("Theirs"), {"configurable": {"thread_id": f"theirs {number}"}})
        app = studio_app({"mine": turn, "theirs": greeter})
        with TestClient(app, base_url="http://127.0.0.1") as client:
            found = client.get("/api/threads?graph=mine").json()
            assert ([each["id"] for each in found["threads"]], found["left_out"]) == (["mine"], 60)
            said = client.get("/api/threads?graph=mine&words=theirs").json()
            assert said["threads"] == []
            everything = client.get("/api/threads?graph=mine&others=yes").json()["threads"]
            assert len(everything) == 50
            assert everything[0]["unknown"] == ["greet", "ask"]
            theirs = client.get("/api/threads?graph=theirs").json()["threads"]
            assert {(each["status"], *each["unknown"]) for each in theirs} == {("waiting",)}
    assert [each.message for each in caplog.records if "unknown node" in each.message] == []


def test_graphs_of_the_same_nodes_have_threads_of_their_own(studio: Studio) -> None:
    """In a database that they share; a thread that nobody has marked is listed for each of them."""
    walk = start(studio, "diver", {"messages": [["user", "Dive!"]]})
    move(studio, walk, "run")
    stored = studio.ask("POST", f"/api/walks/{walk}/thread", {"thread": "deep"})
    assert stored == {"thread": "deep"}
    graphs = {name: full_name(studio, name) for name in ("diver", "approved")}
    loaded = studio.server.catalog.graph(graphs["approved"])
    loaded.invoke(ask("Hi"), {"configurable": {"thread_id": "asked"}})
    unmarked = loaded.copy({"config": {}})
    unmarked.invoke(ask("Hi"), {"configurable": {"thread_id": "anyone"}})

    def listed(name: str) -> set[str]:
        return {each["id"] for each in threads_of(studio, graphs[name])["threads"]}

    assert {"deep", "anyone"} <= listed("diver")
    assert {"asked", "anyone"} <= listed("approved")
    assert "asked" not in listed("diver")
    assert "deep" not in listed("approved")
    others = threads_of(studio, graphs["diver"], "&others=yes")["threads"]
    assert [each["unknown"] for each in others if each["id"] == "asked"] == [[graphs["approved"]]]


def test_a_thread_of_a_shared_checkpointer_names_every_graph_it_may_be_of(
    model: ScriptedModel,
) -> None:
    """An app notes no owner. A graph with other nodes, or another checkpointer, is not named."""
    saver = InMemorySaver()
    first, second = (turn_on(model, checkpointer=saver) for _ in range(2))
    other = StateGraph(MessagesState).add_node("greet", lambda state: {}).add_edge(START, "greet")
    graphs: dict[str, Any] = {
        "first": first,
        "second": second,
        "other": other.compile(saver),
        "apart": turn_on(model, checkpointer=InMemorySaver()),
    }
    first.invoke(ask("Hi"), {"configurable": {"thread_id": "asked"}})
    with TestClient(studio_app(graphs), base_url="http://127.0.0.1") as client:
        for name, also in (("first", ["second"]), ("second", ["first"])):
            (thread,) = client.get(f"/api/threads?graph={name}").json()["threads"]
            assert (thread["id"], thread["also"]) == ("asked", also)


def threads_of(studio: Studio, graph: str, more: str = "") -> Any:
    return studio.ask("GET", f"/api/threads?graph={graph}{more}")


def test_a_graph_without_a_turn_is_stepped_into_its_parallel_subgraphs(studio: Studio) -> None:
    """`Send` and a subgraph: each task can be stepped alone, and the input is the person's."""
    walk = start(studio, "plain", {"words": ["a", "b"]})
    assert "each 1, each 2" in view(studio, walk)["headline"]
    entered = move(studio, walk, "step")
    assert entered["graph"] == "each 1"
    one = move(studio, walk, "step_into")
    assert "step 2: each 1/shout, each 1 → each 2/shout" in one["headline"]
    assert one["steps"][1] == "1: entered each 1, each 2 → each 1/shout, each 2/shout"
    done = move(studio, walk, "run")
    assert "finished" in done["headline"]
    assert ["count", "(absent)", "2"] in done["panes"]["diff"]["rows"]
    assert ["count", "2"] in done["panes"]["state"]["rows"]
    walks = {each["id"]: each for each in studio.ask("GET", "/api/studio")["walks"]}
    assert walks[walk]["title"] == "words: ['a', 'b']"


def test_a_graph_is_given_the_context_that_it_needs(studio: Studio) -> None:
    """Its form says which fields it has; what does not fit is refused, without its value."""
    name = full_name(studio, "greeting")
    (graph,) = (each for each in studio.ask("GET", "/api/studio")["graphs"] if each["name"] == name)
    fields = [(each["name"], each["kind"], each["required"]) for each in graph["context"]]
    assert fields == [("name", "text", True), ("times", "number", False)]
    walk = start(studio, "greeting", {}, context={"name": "Ada", "times": 2})
    done = move(studio, walk, "run")
    assert ["words", "(absent)", "['Hello, Ada!', 'Hello, Ada!']"] in done["panes"]["diff"]["rows"]
    headers = {"Cookie": studio.cookie}
    for context, sentence in (
        (None, "`name`: Field required"),
        ({"name": "Ada", "times": "sk-planted"}, "`times`: Input should be a valid integer"),
        ([1], "A context is a JSON object"),
    ):
        body = {"graph": name, "input": {}, "context": context}
        status, text, _ = studio.send("POST", "/api/walks", body, headers)
        assert (status, sentence in text, "sk-planted" in text) == (400, True, False), text


def test_a_refused_input_is_a_sentence(studio: Studio) -> None:
    """What the graph raises for it, a graph that has none, and a body that is no JSON."""
    headers = {"Cookie": studio.cookie}
    name = studio.server.catalog.names[0]
    for body, sentence in (
        ({"graph": name, "input": {"messages": [["nobody", "Hi"]]}}, "nobody"),
        ({"graph": "nothing"}, "A run begins with an input"),
        ({"graph": "nothing", "input": {}}, "There is no graph `nothing` here."),
        ({"graph": name, "thread": "nothere"}, "There is no"),
        (b"{", "That is not valid JSON"),
        (b"[1]", "no object"),
        (b"[" * 100_000, "That is not valid JSON"),
    ):
        status, text, _ = studio.send("POST", "/api/walks", body, headers)
        assert status == 400, text
        assert sentence in json.loads(text)["error"]


def test_ten_megabytes_are_refused_in_a_sentence(studio: Studio) -> None:
    """Before they are read to the end; the studio goes on."""
    huge = b'{"graph": "x", "input": "' + b"x" * 10_000_000 + b'"}'
    status, text, _ = studio.send("POST", "/api/walks", huge, {"Cookie": studio.cookie})
    assert (status, "more than 8 MB" in text) == (413, True)
    assert studio.ask("GET", "/api/studio")["graphs"]


def test_stored_threads_are_listed_found_and_opened(studio: Studio, file: Path) -> None:
    """With status, time and cost; a word of a message finds its thread. Looking runs nothing."""
    graph = studio.server.catalog.graph(f"{file.name}:turn")
    for thread, text in (("one", "What is rain?"), ("two", "What is snow?")):
        graph.invoke(ask(text), {"configurable": {"thread_id": thread}})
    path = f"/api/threads?graph={file.name}:turn"
    listed = studio.ask("GET", path)["threads"]
    assert [each["id"] for each in listed[:2]] == ["two", "one"]
    assert {each["status"] for each in listed} == {"done"}
    assert all(each["cost"].startswith("$0.0") and each["at"] for each in listed)
    assert [each["id"] for each in studio.ask("GET", f"{path}&words=SNOW")["threads"]] == ["two"]
    walk = studio.ask("POST", "/api/walks", {"graph": f"{file.name}:turn", "thread": "two"})["id"]
    seen = view(studio, walk)
    assert "finished" in seen["headline"]
    found = studio.ask("GET", f"/api/walks/{walk}/messages?words=what+is")["found"]
    assert (found[0]["number"], found[0]["role"]) == (0, "human")
    assert "snow" in found[0]["text"]


def test_a_run_is_saved_by_the_browser_and_opened_again(studio: Studio) -> None:
    """It goes on where it stood. No page names a file of this machine, in no message."""
    walk = start(studio, "plain", {"words": ["a"]})
    move(studio, walk, "step")
    file = studio.ask("GET", f"/api/walks/{walk}/file")
    body = {"graph": full_name(studio, "plain"), "saved": json.dumps(file)}
    opened = studio.ask("POST", "/api/walks", body)["id"]
    assert view(studio, opened)["headline"] == view(studio, walk)["headline"]
    assert "finished" in move(studio, opened, "run")["headline"]
    headers = {"Cookie": studio.cookie}
    status, text, _ = studio.send("POST", "/api/walks", {**body, "saved": "{}"}, headers)
    assert (status, "This file is no saved run" in text, "/tmp" in text) == (400, True, False)
    for action in ("save", "open"):
        message = {"action": action, "path": "/etc/passwd"}
        status, text, _ = studio.send(
            "POST", f"/api/walks/{walk}/moves", {"client": "t", "message": message}, headers
        )
        assert (status, "by the browser" in text) == (400, True)


def test_a_run_is_written_into_a_thread_when_that_is_asked(studio: Studio, file: Path) -> None:
    """Into a new one, or the one it began with; never over what it does not know."""
    walk = start(studio, "turn", ask("Hi"))
    move(studio, walk, "run")
    path = f"/api/walks/{walk}/thread"
    assert studio.ask("POST", path, {"thread": "kept"}) == {"thread": "kept"}
    threads = studio.ask("GET", f"/api/threads?graph={file.name}:turn&words=kept")["threads"]
    assert [(each["id"], each["status"]) for each in threads] == [("kept", "done")]
    other = start(studio, "turn", ask("Ho"))
    move(studio, other, "run")
    status, text, _ = studio.send(
        "POST", f"/api/walks/{other}/thread", {"thread": "kept"}, {"Cookie": studio.cookie}
    )
    assert (status, "kept" in text) == (400, True)


def test_a_step_that_takes_too_long_is_stopped(studio: Studio) -> None:
    """It runs again with the next move. One that still runs does not keep the studio open."""
    walk = start(studio, "slow", {"words": []})
    body = {"client": "test", "message": {"action": "run"}}
    for _ in range(2):
        studio.ask("POST", f"/api/walks/{walk}/moves", body)
    assert view(studio, walk)["moving"]
    while (seen := view(studio, walk))["moving"]:
        studio.ask("POST", f"/api/walks/{walk}/stop", {})
    assert seen["note"].startswith("Stopped.")
    assert "start → sleep" in seen["headline"]
    assert move(studio, walk, "jump", step=0)["note"] == ""
    studio.ask("POST", f"/api/walks/{walk}/moves", body)


def test_tokens_arrive_while_the_step_runs(studio: Studio) -> None:
    """The page hears them before the view that holds the answer."""
    walk = start(studio, "turn", ask("Say something about the sea, please."))
    connection = http.client.HTTPConnection("127.0.0.1", studio.port, timeout=60)
    connection.request("GET", f"/api/walks/{walk}/events", headers={"Cookie": studio.cookie})
    answer = connection.getresponse()
    studio.ask("POST", f"/api/walks/{walk}/moves", {"client": "t", "message": {"action": "run"}})
    told: list[tuple[str, Any]] = []
    while not (told and told[-1][0] == "view" and "finished" in told[-1][1]["headline"]):
        line = answer.readline().decode()
        if line.startswith("event: "):
            data = json.loads(answer.readline().decode().removeprefix("data: "))
            told.append((line[7:].strip(), data))
    connection.close()
    tokens = "".join("".join(data.values()) for kind, data in told if kind == "tokens")
    assert told[-1][1]["panes"]["answer"]["text"].strip() in tokens


def test_a_run_is_taken_along_as_curl_python_recording_and_test(
    studio: Studio, tmp_path: Path
) -> None:
    """The test passes offline, and the recording is one that `turngraph replay` takes."""
    walk = start(studio, "turn", ask("What is the weather?"))
    headers = {"Cookie": studio.cookie}

    def copy(form: str) -> tuple[int, str]:
        status, text, _ = studio.send("GET", f"/api/walks/{walk}/copies/{form}", None, headers)
        return status, text

    assert "has a request yet" in copy("curl")[1]
    move(studio, walk, "run_until", until="bill")
    assert "whole turn" in copy("test")[1]
    move(studio, walk, "run")
    texts = {form: copy(form)[1] for form in ("curl", "python", "recording", "test")}
    assert texts["curl"].startswith("curl http")
    compile(texts["python"], "request.py", "exec")
    assert not any("sk-planted-4711" in text for text in texts.values())
    (tmp_path / "turn.jsonl").write_text(texts["recording"], "utf-8")
    replayed = replay_cassette(tmp_path / "turn.jsonl")
    assert replayed.same, str(replayed)
    names: dict[str, Any] = {}
    exec(compile(texts["test"], "test_turn.py", "exec"), names)
    names["test_the_turn_runs_as_it_was_recorded"](tmp_path)
    assert copy("novel")[0] == 400


def test_the_ledger_is_shown_by_day_model_account_and_plugin(
    studio: Studio, model: ScriptedModel, ledger: Ledger
) -> None:
    """And how full the budgets are."""
    from tests.turns import turn_on

    ledger.set_budget(Budget(usd="1", per="ledger", period="month"))
    turn_on(model, ledger=ledger).invoke(ask("Hi"), {"configurable": {"account": "acme"}})
    report = studio.ask("GET", "/api/spending?days=7")
    charts = {chart["by"]: chart["rows"] for chart in report["charts"]}
    assert list(charts) == ["day", "model", "account", "plugin"]
    assert charts["model"][0]["name"].endswith("gpt-4o-mini")
    assert charts["model"][0]["share"] == 1.0
    assert report["total"] == charts["day"][0]["amount"] != "$0"
    assert 0 < report["budgets"][0]["share"] <= 1
    for days in ("0", "367", "-1", "many"):
        path = f"/api/spending?days={days}"
        status, text, _ = studio.send("GET", path, None, {"Cookie": studio.cookie})
        assert (status, "must be 1 to 366" in text) == (400, True)


def test_who_may_only_look_starts_and_changes_nothing() -> None:
    """The server that the studio is mounted in says so for each request. A stored thread can be
    looked at, and its steps; nobody else's run is moved.
    """
    builder = StateGraph(MessagesState).add_node("n", lambda state: {}).set_entry_point("n")
    graph: Any = builder.compile(checkpointer=InMemorySaver())
    graph.invoke(ask("Hi"), {"configurable": {"thread_id": "stored"}})
    app = studio_app(
        {"mine": graph}, may_change=lambda scope: b"x-writer" in dict(scope["headers"])
    )
    server = Starlette(routes=[Mount("/studio", app)])
    client, writer = TestClient(server, base_url="http://localhost/studio"), {"X-Writer": "1"}
    assert 'src="page/main.js"' in client.get("/").text
    assert client.get("/page/main.js").status_code == 200
    body = {"graph": "mine", "input": ask("Hi")}
    assert client.post("/api/walks", json=body).status_code == 403
    other = client.post("/api/walks", json=body, headers=writer).json()["id"]
    looked = client.post("/api/walks", json={"graph": "mine", "thread": "stored"}).json()["id"]

    def move(walk: str, action: Any, **more: Any) -> Any:
        message = {"action": action, **more}
        return client.post(f"/api/walks/{walk}/moves", json={"message": message})

    assert "it is someone else's" in move(other, "jump", step=0).json()["error"]
    assert "but not change it" in move(looked, "step").json()["error"]
    assert "but not change it" in move(looked, ["back"]).json()["error"]
    assert move(looked, "jump", step=0).status_code == 202
    # Who may only look closes nothing: the oldest run that is looked at makes room for the next.
    for _ in range(39):
        again = client.post("/api/walks", json={"graph": "mine", "thread": "stored"})
        assert again.status_code == 201, again.text
    assert client.get(f"/api/walks/{looked}").status_code == 404
    assert client.get(f"/api/walks/{other}").status_code == 200
    looked = again.json()["id"]
    for path in (f"/api/walks/{looked}/stop", f"/api/walks/{looked}/thread"):
        assert client.post(path, json={}).status_code == 403
    for walk in (other, looked):
        assert client.delete(f"/api/walks/{walk}").status_code == 403
        assert client.delete(f"/api/walks/{walk}", headers=writer).status_code == 204
