"""The studio at `/studio`: behind a login, and of one account alone."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
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
from turngraph.billing import Budget
from turngraph.interfaces.server.app import create_app
from turngraph.interfaces.server.caller import Caller, Scope
from turngraph.interfaces.server.config import (
    ServerConfig,
    StoreSettings,
    StudioSettings,
    checked_config,
)
from turngraph.scripted import Say
from turngraph.state.errors import TurnConfigurationError

STUDIO: frozenset[Scope] = frozenset({"models", "tools", "studio"})
KNOWN = {
    "acme": Caller("acme", "k1", STUDIO),
    "acme-small": Caller("acme", "k3", STUDIO, frozenset({"small"})),
    "evil": Caller("acme/", "k4", STUDIO),
}


def with_studio(config: ServerConfig) -> ServerConfig:
    return config.model_copy(update={"studio": StudioSettings(enabled=True)})


class Served(NamedTuple):
    """A server with a studio, on which acme and its lookalike have each stored a response."""

    url: str
    known: dict[str, Caller]
    threads: dict[str, str]
    """The thread of each account, by its key."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    known, folder = dict(KNOWN), tmp_path_factory.mktemp("studio")
    store = StoreSettings(database=f"sqlite:///{folder}/turns.db")
    with Vendor() as vendor:
        vendor.play(*(Say(f"Hello {who}") for who in ("acme", "acme", "evil")))
        models = {name: model_config(vendor) for name in ("small", "big")}
        config = with_studio(config_of(models)).model_copy(update={"store": store})
        app = create_app(config, callers=PlainCallers(known))
        with running(app) as url:
            ledger = app.state.service.store.ledger
            ledger.set_budget(Budget(usd="10", per="account", period="month"))
            ledger.set_budget(Budget(usd="90", per="ledger"))
            for key, model in (("acme", "small"), ("acme", "big"), ("evil", "small")):
                client(url, key).responses.create(model=model, input=f"I am {key}")
            threads = {}
            for key in ("acme", "evil"):
                with logged_in(url, key) as browser:
                    listed = browser.get("api/threads?graph=small").json()["threads"]
                threads[key] = listed[0]["id"]
            yield Served(url, known, threads)


@contextmanager
def logged_in(url: str, key: str) -> Iterator[httpx.Client]:
    """Yields a browser that has logged in with a key."""
    headers = {"Origin": url}
    with httpx.Client(base_url=f"{url}/studio/", headers=headers, timeout=60) as browser:
        answer = browser.post("login", data={"key": key})
        assert (answer.status_code, answer.headers["location"]) == (303, "./"), answer.text
        yield browser


def test_without_a_login_there_is_a_form_and_nothing_else(served: Served) -> None:
    with httpx.Client(base_url=f"{served.url}/studio/") as browser:
        page = browser.get("")
        assert page.status_code == 401
        assert 'action="login"' in page.text
        assert "script-src" not in page.headers["content-security-policy"]
        for path in ("api/studio", "api/threads?graph=small", "api/spending", "page/main.js"):
            assert browser.get(path, headers={"Cookie": "turngraph-studio-0=x"}).status_code == 401
        bearer = {"Authorization": "Bearer acme"}
        assert browser.get("api/studio", headers=bearer).status_code == 401


def test_the_cookie_is_for_the_studio_alone_and_holds_no_key(served: Served) -> None:
    with httpx.Client(base_url=f"{served.url}/studio/") as browser:
        cookie = browser.post("login", data={"key": "acme"}).headers["set-cookie"]
    assert "acme" not in cookie
    words = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert words == {"httponly", "samesite=strict", "path=/studio"}


@pytest.mark.parametrize("key", ["", "plain", "x" * 10_000])
def test_a_key_that_is_not_good_for_the_studio_gets_no_session(served: Served, key: str) -> None:
    with httpx.Client(base_url=f"{served.url}/studio/") as browser:
        answer = browser.post("login", data={"key": key})
    assert answer.status_code in (401, 403, 413)
    assert "set-cookie" not in answer.headers
    assert 'action="login"' in answer.text


def test_what_another_page_sends_is_refused(served: Served) -> None:
    foreign = {"Origin": "http://evil.example"}
    with logged_in(served.url, "acme") as browser:
        assert browser.post("login", data={"key": "acme"}, headers=foreign).status_code == 403
        body = {"graph": "small", "thread": served.threads["acme"]}
        assert browser.post("api/walks", json=body, headers=foreign).status_code == 403


def test_no_web_socket_is_opened(served: Served) -> None:
    """Who asks for one gets what any other request gets."""
    host, port = served.url.removeprefix("http://").split(":")
    with logged_in(served.url, "acme") as browser:
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    for more in ("", f"Cookie: {cookie}\r\n"):
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(
                (
                    f"GET /studio/api/changes HTTP/1.1\r\nHost: {host}:{port}\r\n{more}"
                    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                ).encode()
            )
            assert connection.recv(200).startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 401 "))


def test_an_account_sees_its_own_threads(served: Served) -> None:
    with logged_in(served.url, "acme") as browser:
        (thread,) = browser.get("api/threads?graph=small").json()["threads"]
        assert thread["id"].startswith("acme/")
        assert thread["cost"]
        assert browser.get("api/threads?graph=small&words=evil").json()["threads"] == []
        opened = browser.post("api/walks", json={"graph": "small", "thread": thread["id"]})
        found = browser.get(f"api/walks/{opened.json()['id']}/messages?words=Hello").json()["found"]
        assert [each["text"] for each in found] == ["Hello acme"]


def test_another_accounts_thread_is_one_that_does_not_exist(served: Served) -> None:
    """The answers differ in nothing but the id that was asked for, and name no thread of others."""
    theirs = served.threads["acme"]
    missing = theirs[:-1] + ("0" if theirs[-1] != "0" else "1")
    with logged_in(served.url, "evil") as browser:
        answers = [
            browser.post("api/walks", json={"graph": "small", "thread": thread})
            for thread in (theirs, missing)
        ]
        assert [each.status_code for each in answers] == [400, 400]
        texts = [each.text.replace(theirs, "ID").replace(missing, "ID") for each in answers]
        assert texts[0] == texts[1]
        assert "acme/responses" not in texts[0]
        (own,) = browser.get("api/threads?graph=small").json()["threads"]
        assert own["id"] == served.threads["evil"]


def test_another_logins_open_run_is_not_there(served: Served) -> None:
    with logged_in(served.url, "acme") as owner, logged_in(served.url, "evil") as other:
        body = {"graph": "small", "thread": served.threads["acme"]}
        walk = owner.post("api/walks", json=body).json()["id"]
        for path in ("", "/events", "/messages?words=Hello", "/copies/curl", "/file"):
            assert other.get(f"api/walks/{walk}{path}").status_code == 404
        assert other.get("api/studio").json()["walks"] == []


def test_stored_threads_are_looked_at_and_not_changed(served: Served) -> None:
    with logged_in(served.url, "acme") as browser:
        assert browser.get("api/studio").json()["may_change"] is False
        given: Any = {"messages": [{"role": "user", "content": "Hi"}]}
        for body in ({"input": given}, {"saved": "{}"}):
            assert browser.post("api/walks", json={"graph": "small", **body}).status_code == 403
        body = {"graph": "small", "thread": served.threads["acme"]}
        walk = browser.post("api/walks", json=body).json()["id"]
        for action in ("step", "run", "retry", "fork"):
            moved = browser.post(f"api/walks/{walk}/moves", json={"message": {"action": action}})
            assert moved.status_code == 400
        assert browser.post(f"api/walks/{walk}/thread", json={}).status_code == 403
        back = {"message": {"action": "back"}}
        assert browser.post(f"api/walks/{walk}/moves", json=back).status_code == 202


def test_a_key_for_some_models_sees_those(served: Served) -> None:
    with logged_in(served.url, "acme-small") as browser:
        graphs = browser.get("api/studio").json()["graphs"]
        assert [graph["name"] for graph in graphs] == ["small"]


def test_the_spending_is_the_accounts_own(served: Served) -> None:
    with logged_in(served.url, "acme") as browser:
        report = browser.get("api/spending").json()
    assert report["calls"] == 2
    names = {chart["by"]: [row["name"] for row in chart["rows"]] for chart in report["charts"]}
    assert names["account"] == ["acme"]
    assert [budget["name"] for budget in report["budgets"]] == ["account-month:acme"]


def test_a_key_that_ends_ends_its_sessions(served: Served) -> None:
    served.known["gone"] = Caller("acme", "k9", STUDIO)
    with logged_in(served.url, "gone") as browser:
        assert browser.get("api/studio").status_code == 200
        served.known["gone"] = Caller("acme", "k9", frozenset({"models"}))
        assert browser.get("api/studio").status_code == 403
        served.known["gone"] = Caller("acme", "k9", STUDIO)
        assert browser.get("api/studio").status_code == 401


def test_without_keys_the_studio_answers_this_machine_alone() -> None:
    """A name that another page's owner has bound to 127.0.0.1 is refused."""
    app = create_app(with_studio(ServerConfig()))
    with running(app) as url, httpx.Client(base_url=f"{url}/studio/") as browser:
        assert 'src="page/main.js"' in browser.get("").text
        assert browser.get("api/studio").json()["graphs"][0]["name"] == "scripted"
        bound = {"Host": "evil.example"}
        assert browser.get("api/studio", headers=bound).status_code == 403
        assert browser.post("login", data={"key": "any"}, headers=bound).status_code == 403
        assert browser.get("api/studio", headers=bound).status_code == 403
        assert httpx.get(f"{url}/studio").headers["location"].endswith("/studio/")


def test_several_workers_have_no_studio() -> None:
    content = {
        "server": {"workers": 2},
        "store": {"database": "sqlite:///turns.db"},
        "studio": {"enabled": True},
    }
    with pytest.raises(TurnConfigurationError, match="workers = 1"):
        checked_config(content, "turngraph.toml")


def test_without_the_table_there_is_no_studio() -> None:
    paths = {getattr(route, "path", "") for route in create_app(ServerConfig()).routes}
    assert "/studio" not in paths
