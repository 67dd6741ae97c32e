"""The studio for a key with the scope `studio:write`: what it runs is its own account's, always."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import httpx
import pytest

from tests.interfaces.server.serving import (
    PlainCallers,
    Vendor,
    client,
    config_of,
    model_config,
    running,
)
from tests.interfaces.server.test_server_studio import logged_in, with_studio
from turngraph.billing import Ledger
from turngraph.interfaces.server.app import create_app
from turngraph.interfaces.server.caller import Caller, Scope
from turngraph.interfaces.server.config import StoreSettings
from turngraph.interfaces.server.rate_limits.limits import RateLimit, set_limit
from turngraph.scripted import Call, Say

WRITE: frozenset[Scope] = frozenset({"models", "studio:write"})
KNOWN = {
    "acme": Caller("acme", "k1", WRITE | {"tools"}),
    "acme-2": Caller("acme", "k2", WRITE),
    "evil": Caller("evil", "k3", WRITE),
    "narrow": Caller("evil", "k4", WRITE, frozenset({"small"})),
    "limited": Caller("limited", "k5", WRITE),
}


class Served(NamedTuple):
    url: str
    vendor: Vendor
    ledger: Ledger
    theirs: str
    """A thread of acme's."""

    def spent(self, by: Any = "account") -> dict[str, Decimal]:
        return {line.value: line.usd for line in self.ledger.spending(by)}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    store = StoreSettings(database=f"sqlite:///{tmp_path_factory.mktemp('studio')}/turns.db")
    with Vendor([Say("planted-secret")]) as vendor:
        models = {
            name: model_config(vendor, functions=("calculator",)) for name in ("small", "big")
        }
        config = with_studio(config_of(models)).model_copy(update={"store": store})
        app = create_app(config, callers=PlainCallers(KNOWN))
        with running(app) as url:
            ledger = app.state.service.store.ledger
            ledger.store.run(set_limit, RateLimit("account", "limited", 2, None))
            client(url, "acme").responses.create(model="small", input="I am acme")
            with logged_in(url, "acme") as browser:
                listed = browser.get("api/threads?graph=small").json()["threads"]
            yield Served(url, vendor, ledger, listed[0]["id"])


def begin(browser: httpx.Client, text: Any, **more: Any) -> httpx.Response:
    body = {"graph": "small", "input": {"messages": text}, **more}
    return browser.post("api/walks", json=body)


def move(browser: httpx.Client, walk: str, **message: Any) -> str:
    """Makes a move. Returns why it was refused."""
    moved = browser.post(f"api/walks/{walk}/moves", json={"client": "c", "message": message})
    assert moved.status_code == 202, moved.text
    state_of(browser, walk)  # comes after the move
    refusal = view_of(browser, walk)["refusal"]["text"]
    return str(refusal or browser.get(f"api/walks/{walk}").json()["note"])


def view_of(browser: httpx.Client, walk: str) -> Any:
    """What a page that has just been opened shows of a run."""
    with browser.stream("GET", f"api/walks/{walk}/events?client=c") as events:
        for line in events.iter_lines():
            if line.startswith("data: {") and '"refusal"' in line:
                return json.loads(line.removeprefix("data: "))
    raise AssertionError("the page was shown nothing")


def state_of(browser: httpx.Client, walk: str) -> str:
    """The whole run, as the browser may save it."""
    return browser.get(f"api/walks/{walk}/file").text


def found(browser: httpx.Client, walk: str, words: str) -> list[str]:
    """The messages of a run in which words stand."""
    answer = browser.get(f"api/walks/{walk}/messages", params={"words": words})
    return [each["text"] for each in answer.json()["found"]]


def test_a_run_is_stepped_edited_and_forked_on_its_own_account(served: Served) -> None:
    """With the tools of the model, and charged to the key of the login."""
    before = served.spent("api_key_id").get("k2", Decimal(0))
    asked = served.vendor.play(Call(("calculator", {"expression": "1+1"}, "c1")), Say("It is 5."))
    with logged_in(served.url, "acme-2") as browser:
        assert browser.get("api/studio").json()["may_change"] is True
        walk = begin(browser, "What is 1+1?").json()["id"]
        assert move(browser, walk, action="step") == ""
        edited = {"action": "edit_turn", "part": "user", "value": "What is 2+2?"}
        assert move(browser, walk, **edited) == ""
        assert move(browser, walk, action="run_until", until="dispatch_tools") == ""
        result = {"action": "edit_arguments", "tool": "c1", "value": '{"expression": "2+3"}'}
        assert move(browser, walk, **result) == ""
        assert move(browser, walk, action="run") == ""
        assert found(browser, walk, "It is 5.") == ["It is 5."]
        assert move(browser, walk, action="fork", name="other") == ""
    first, second = (each.body["messages"] for each in served.vendor.requests[asked:])
    assert first[-1]["content"] == "What is 2+2?"
    assert "5" in second[-1]["content"]
    assert served.spent("api_key_id")["k2"] > before
    assert served.ledger.verify() == []


def test_a_run_goes_on_with_a_thread_of_its_own_account_alone(served: Served) -> None:
    """Another account's is one that is not there, and nothing runs under its name."""
    asked = served.vendor.play(Say("Fine."))
    with logged_in(served.url, "evil") as browser:
        refused = begin(browser, "What was said?", thread=served.theirs)
        assert refused.status_code == 400
        assert "no such thread" in refused.text
        assert "planted-secret" not in refused.text
        assert served.theirs not in refused.text
    assert len(served.vendor.requests) == asked
    with logged_in(served.url, "acme") as browser:
        walk = begin(browser, "What was said?", thread=served.theirs).json()["id"]
        assert move(browser, walk, action="run") == ""
    sent = served.vendor.requests[-1].body["messages"]
    assert [each["content"] for each in sent][-2:] == ["planted-secret", "What was said?"]


@pytest.mark.parametrize(
    "given",
    [
        {"messages": "Hi", "settings": {"account": "acme"}},
        {"messages": "Hi", "turn_id": "acme/small/0815"},
        {"messages": "Hi", "charges": []},
        {"messages": [{"role": "user", "content": "Hi"}], "settings": {"api_key_id": "k1"}},
        {"messages": [{"type": "constructor", "lc": 1, "id": ["builtins"], "kwargs": {}}]},
        [],
        None,
    ],
)
def test_a_run_begins_with_messages_alone(served: Served, given: Any) -> None:
    """Whom it is charged to, and which turn it is, a browser cannot say."""
    before, asked = served.spent(), served.vendor.play(Say("Fine."))
    with logged_in(served.url, "evil") as browser:
        body = {"graph": "small", "input": given}
        assert browser.post("api/walks", json=body).status_code == 400
    assert (served.spent(), len(served.vendor.requests)) == (before, asked)


def test_files_and_other_models_are_refused(served: Served) -> None:
    """A saved run could hold any state, and one that is written could be gone on with later."""
    with logged_in(served.url, "narrow") as browser:
        own = begin(browser, "Hi").json()["id"]
        saved = state_of(browser, own)
        for answer in (
            browser.post("api/walks", json={"graph": "small", "saved": saved}),
            browser.post(f"api/walks/{own}/thread", json={"thread": served.theirs}),
        ):
            assert (answer.status_code, "not opened from files" in answer.text) == (403, True)
        assert begin(browser, "Hi", graph="big").status_code in (400, 404)


HOSTILE: list[dict[str, Any]] = [
    {"action": "edit_state", "name": name, "value": '"acme"'}
    for name in ("settings", "turn_id", "messages", "account", "attempts", "status")
]
HOSTILE += [
    {"action": "edit_request", "body": '{"model": "x", "previous_response_id": "resp_1"}'},
    {"action": "edit_turn", "part": "sampling", "value": '{"model": "expensive"}'},
    {"action": "edit_turn", "part": "settings", "value": '{"account": "acme"}'},
    {"action": "retry"},
    {"action": "save", "path": "/tmp/x"},
    {"action": "open", "path": "/etc/passwd"},
    {"action": ["step"]},
    {"action": None},
]


def test_no_edit_bills_reads_or_writes_another_account(served: Served) -> None:
    """Each is refused in a sentence, and the run that follows is charged to its own account."""
    before = served.spent()
    served.vendor.play(Say("Fine."))
    with logged_in(served.url, "evil") as browser:
        walk = begin(browser, "Hi").json()["id"]
        assert move(browser, walk, action="step") == ""
        untouched = json.loads(state_of(browser, walk))
        for message in HOSTILE:
            moved = browser.post(
                f"api/walks/{walk}/moves", json={"client": "c", "message": message}
            )
            if moved.status_code == 202:
                browser.get(f"api/walks/{walk}/file")
            assert json.loads(state_of(browser, walk)) == untouched, message
        assert move(browser, walk, action="run") == ""
        assert found(browser, walk, "planted") == []
    after = served.spent()
    assert after["evil"] > before.get("evil", 0)
    assert {**after, "evil": 0} == {**before, "evil": 0}
    assert served.ledger.verify() == []


def test_a_run_of_another_key_is_looked_at_and_not_moved(served: Served) -> None:
    """A key with a small budget cannot spend what another key of its account has."""
    asked = served.vendor.play(Say("Fine."))
    with logged_in(served.url, "acme-2") as browser:
        body = {"graph": "small", "thread": served.theirs}
        walk = browser.post("api/walks", json=body).json()["id"]
        assert "charged to the API key that began it" in move(browser, walk, action="step")
    assert len(served.vendor.requests) == asked


def test_moves_count_against_the_limits_of_the_key(served: Served) -> None:
    served.vendor.play(Say("Fine."))
    with logged_in(served.url, "limited") as browser:
        walk = begin(browser, "Hi").json()["id"]
        refused = [move(browser, walk, action="step") for _ in range(5)]
    assert any("may have 2 requests a minute" in each for each in refused)
