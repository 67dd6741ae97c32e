"""Graphs of the user's own in the server's studio: whoever runs them there pays for all of it."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.interfaces.server.serving import PlainCallers, Vendor, client, config_of, running
from tests.interfaces.server.test_own_graph_accounts import GRAPH, NAMES
from tests.interfaces.server.test_server_studio import logged_in, with_studio
from tests.interfaces.server.test_studio_writing import Served, begin, found, move, view_of
from turngraph.interfaces.server.app import create_app
from turngraph.interfaces.server.caller import Caller, Scope
from turngraph.interfaces.server.config import ModelConfig, ServerConfig, StoreSettings
from turngraph.scripted import Call, Say

WRITE: frozenset[Scope] = frozenset({"models", "studio:write"})
KNOWN = {
    "acme": Caller("acme", "k1", WRITE),
    "acme-2": Caller("acme", "k2", WRITE),
    "evil": Caller("evil", "k3", WRITE),
    "looking": Caller("acme", "k4", frozenset({"models", "studio"})),
}
ASKING = """
from langgraph.types import interrupt

async def asking(state: MessagesState):
    word = interrupt({"question": "Which word?"})
    result = await turn.ainvoke({"messages": [("user", f"{word}")]}, {"configurable": {"x": 1}})
    return {"messages": result["messages"][1:]}

def double(n: int) -> int:
    "Doubles."
    return 2 * n

guarded = chat_turn(
    ProviderConfig(base_url=os.environ["VENDOR"], model="m", proxy="", max_tokens=100),
    ledger=ledger, prices=prices, tools=[double], approve=True,
)
asks, waits = graph(asking), graph(guarded)
"""


@pytest.fixture(scope="module")
def served(vendor: Vendor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("studio")
    (folder / "studio_graphs.py").write_text(GRAPH + ASKING)
    names = (*NAMES, "asks", "waits")
    models = {name: ModelConfig(graph=f"studio_graphs.py:{name}") for name in names}
    store = StoreSettings(database=f"sqlite:///{folder}/turns.db")
    config = ServerConfig(server=config_of(models).server, models=models, store=store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VENDOR", vendor.base_url)
        patch.setenv("DATABASE", store.database or "")
        app = create_app(with_studio(config), callers=PlainCallers(KNOWN), folder=folder)
        with running(app) as url:
            yield Served(url, vendor, app.state.service.store.ledger, "")


def stored_thread(browser: httpx.Client, graph: str) -> str:
    """The thread of the graph that changed last."""
    return str(browser.get(f"api/threads?graph={graph}").json()["threads"][0]["id"])


def question_of(browser: httpx.Client, walk: str) -> str:
    """The id of the one question that a run asks."""
    [question] = view_of(browser, walk)["questions"]
    return str(question["id"])


@pytest.mark.parametrize("name", NAMES)
def test_a_run_of_an_own_graph_is_charged_to_the_login(served: Served, name: str) -> None:
    """However its models are called; what others have spent stays as it is."""
    served.vendor.play(Say("Here."))
    before, keys = served.spent(), served.spent("api_key_id")
    with logged_in(served.url, "acme-2") as browser:
        walk = begin(browser, "Where?", graph=name).json()["id"]
        assert move(browser, walk, action="step") == ""
        assert move(browser, walk, action="run") == ""
        assert found(browser, walk, "Here.") == ["Here."]
        assert move(browser, walk, action="jump", step=0) == ""
        assert move(browser, walk, action="fork", name="again") == ""
    after, keys_after = served.spent(), served.spent("api_key_id")
    assert after["acme"] > before.get("acme", Decimal(0))
    assert {**after, "acme": 0} == {**before, "acme": 0}
    assert keys_after["k2"] > keys.get("k2", Decimal(0))
    assert {**keys_after, "k2": 0} == {**keys, "k2": 0}


def test_a_turn_inside_an_own_graph_is_stepped_and_edited(served: Served) -> None:
    """Its question and its tool's arguments, as those of a turn that is served by itself."""
    asked = served.vendor.play(Call(("double", {"n": 1}, "c1")), Say("It is 6."))
    before = served.spent("api_key_id").get("k2", Decimal(0))
    with logged_in(served.url, "acme-2") as browser:
        walk = begin(browser, "Double 1.", graph="waits").json()["id"]
        assert move(browser, walk, action="run_until", until="node/call_llm") == ""
        edited = {"action": "edit_turn", "part": "user", "value": "Double 3."}
        assert move(browser, walk, **edited) == ""
        assert move(browser, walk, action="run") == ""
        question = question_of(browser, walk)
        answer = {"action": "answer", "question": question, "value": '{"decision": "approve"}'}
        assert move(browser, walk, **answer) == ""
        assert move(browser, walk, action="run") == ""
        assert found(browser, walk, "It is 6.") == ["It is 6."]
    first, _ = (each.body["messages"] for each in served.vendor.requests[asked:])
    assert first[-1]["content"] == "Double 3."
    assert served.spent("api_key_id")["k2"] > before


def test_a_run_goes_on_with_a_thread_of_its_account(served: Served) -> None:
    served.vendor.play(Say("Blue."), Say("Still blue."))
    client(served.url, "acme").responses.create(model="as_node", input="Which color?")
    with logged_in(served.url, "acme-2") as browser:
        thread = stored_thread(browser, "as_node")
        walk = begin(browser, "Sure?", graph="as_node", thread=thread).json()["id"]
        assert move(browser, walk, action="run") == ""
    sent = served.vendor.requests[-1].body["messages"]
    assert [each["content"] for each in sent][-3:] == ["Which color?", "Blue.", "Sure?"]
    with logged_in(served.url, "evil") as browser:
        refused = begin(browser, "Sure?", graph="as_node", thread=thread)
        assert (refused.status_code, "no such thread" in refused.text) == (400, True)


def test_a_stored_run_of_an_own_graph_is_only_looked_at(served: Served) -> None:
    """A turn that waits inside of it is its own key's, which would pay."""
    asked = served.vendor.play(Call(("double", {"n": 1}, "c1")), Say("Unasked."))
    client(served.url, "acme").responses.create(model="waits", input="Double 1.")
    asked += 1
    with logged_in(served.url, "acme-2") as browser:
        thread = stored_thread(browser, "waits")
        body = {"graph": "waits", "thread": thread}
        walk = browser.post("api/walks", json=body).json()["id"]
        assert move(browser, walk, action="back") == ""
        for action in ("step", "run", "step_over"):
            assert "not begun here" in move(browser, walk, action=action)
        assert move(browser, walk, action="fork", name="other") == ""
        assert "not begun here" in move(browser, walk, action="run")
    assert len(served.vendor.requests) == asked


def test_a_question_of_an_own_graph_is_answered(served: Served) -> None:
    served.vendor.play(Say("Red it is."))
    with logged_in(served.url, "acme-2") as browser:
        walk = begin(browser, "Hi", graph="asks").json()["id"]
        assert move(browser, walk, action="run") == ""
        question = question_of(browser, walk)
        assert move(browser, walk, action="answer", question=question, value='"red"') == ""
        assert move(browser, walk, action="run") == ""
        assert found(browser, walk, "Red it is.") == ["Red it is."]


@pytest.mark.parametrize(
    "given",
    [
        {"messages": "Hi", "settings": {"account": "acme"}},
        {"messages": "Hi", "turn_account": "acme"},
        {"messages": [{"type": "constructor", "lc": 1, "id": ["builtins"], "kwargs": {}}]},
        None,
    ],
)
def test_a_run_of_an_own_graph_begins_with_messages_alone(served: Served, given: Any) -> None:
    with logged_in(served.url, "evil") as browser:
        body = {"graph": "as_node", "input": given, "configurable": {"turn_account": "acme"}}
        assert browser.post("api/walks", json=body).status_code == 400


def test_a_key_that_may_only_look_begins_no_run_of_an_own_graph(served: Served) -> None:
    with logged_in(served.url, "looking") as browser:
        assert begin(browser, "Hi", graph="as_node").status_code == 403
