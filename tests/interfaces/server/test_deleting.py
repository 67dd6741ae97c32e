"""What several clients do at once to what is stored: each thing is deleted once."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx2
import pytest

from tests.interfaces.server.serving import PlainCallers, Vendor, serving
from tests.interfaces.server.test_stored_requests import configuration, rows
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.config import ServerConfig
from turngraph.scripted import Say

AT_ONCE = 6
CREATED: dict[str, dict[str, Any]] = {
    "responses": {"model": "assistant", "input": "Hi"},
    "conversations": {},
}


@pytest.fixture(scope="module")
def config(vendor: Vendor, tmp_path_factory: pytest.TempPathFactory) -> ServerConfig:
    return configuration(vendor, tmp_path_factory.mktemp("server"))


def send(method: str, address: str, body: Any = None, **headers: str) -> httpx2.Response:
    """Sends a request of the account `acme`."""
    headers = {"authorization": "Bearer acme", **headers}
    return httpx2.request(method, address, json=body, headers=headers, timeout=60)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("kind", ["responses", "conversations"])
def test_of_all_that_delete_a_thing_at_once_one_has_done_it(
    url: str, other_url: str, vendor: Vendor, kind: str, processes: int
) -> None:
    vendor.play(Say("Hello."))
    name = send("POST", f"{url}/v1/{kind}", CREATED[kind]).json()["id"]
    together, urls = Barrier(AT_ONCE), (url, other_url)

    def delete(n: int) -> int:
        together.wait(60)
        return send("DELETE", f"{urls[n % processes]}/v1/{kind}/{name}").status_code

    with ThreadPoolExecutor(AT_ONCE) as clients:
        statuses = sorted(clients.map(delete, range(AT_ONCE)))
    assert statuses == [200] + [404] * (AT_ONCE - 1)


@contextmanager
def held(vendor: Vendor) -> Iterator[None]:
    """A vendor that answers nobody, once it was asked."""
    vendor.play(Say("Too late."))
    vendor.held = True
    try:
        yield
    finally:
        vendor.held = False


def running_response(config: ServerConfig, vendor: Vendor, before: int) -> str:
    """The id of the response whose turn has just asked its vendor."""
    ends_at = time.monotonic() + 60
    while vendor.asked == before:
        assert time.monotonic() < ends_at, "the vendor was not asked"
        time.sleep(0.01)
    [name] = [each for each, row in rows(config).items() if row.status == "in_progress"]
    return name


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("how", ["json", "sse", "json with a key"])
def test_who_waits_for_a_response_that_is_deleted_gets_an_error(
    url: str, other_url: str, config: ServerConfig, vendor: Vendor, how: str, processes: int
) -> None:
    """It says so, in OpenAI's shape, and what the turn had cost; clients do not try it again."""
    body = {**CREATED["responses"], "stream": how == "sse"}
    headers = {"idempotency-key": f"deleted {processes}"} if "key" in how else {}
    before = vendor.asked
    with held(vendor), ThreadPoolExecutor(1) as clients:
        waiting = clients.submit(send, "POST", f"{url}/v1/responses", body, **headers)
        name = running_response(config, vendor, before)
        there = (url, other_url)[processes - 1]
        assert send("DELETE", f"{there}/v1/responses/{name}").status_code == 200
        answer = waiting.result(60)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (404, "deleted")
    assert error["turngraph"]["charges"]
    assert name not in rows(config)


def test_who_follows_a_background_response_is_told_its_end(
    url: str, other_url: str, config: ServerConfig, vendor: Vendor
) -> None:
    """The client that has asked for it, and one that has come back to it."""
    body = {**CREATED["responses"], "stream": True, "background": True}
    before = vendor.asked
    with held(vendor), ThreadPoolExecutor(2) as clients:
        waiting = clients.submit(send, "POST", f"{url}/v1/responses", body)
        name = running_response(config, vendor, before)
        there = f"{other_url}/v1/responses/{name}"
        following = clients.submit(send, "GET", f"{there}?stream=true")
        assert send("DELETE", there).status_code == 200
        first, second = waiting.result(60), following.result(60)
    assert first.text.count("event: response.cancelled") == 1
    assert second.status_code == 404 or '"code":"deleted"' in second.text


def test_responses_that_go_on_from_each_other_hold_up_nobody(
    vendor: Vendor, tmp_path: Path
) -> None:
    """An `Idempotency-Key` gives a response the id of one that was deleted, so there can be rings.
    Whether a key may ask all models of a conversation is looked up along them.
    """

    def create(key: str, previous: str | None) -> str:
        vendor.play(Say("Hello."))
        body = {"model": "assistant", "input": "Hi", "previous_response_id": previous}
        answer = send("POST", f"{url}/v1/responses", body, **{"idempotency-key": key})
        return str(answer.json()["id"])

    limited = Caller("acme", "key", frozenset({"models"}), frozenset({"assistant"}))
    callers = PlainCallers({"limited": limited})
    with serving(configuration(vendor, tmp_path), callers=callers) as url:
        first = create("1", None)
        assert first == "resp_" + sha256(b"acme resp_ 1").hexdigest()[:24]
        second = create("2", first)
        assert send("DELETE", f"{url}/v1/responses/{first}").status_code == 200
        assert create("1", second) == first
        vendor.play(Say("Hello again."))
        body = {"model": "assistant", "input": "Hi", "previous_response_id": first}
        answer = send("POST", f"{url}/v1/responses", body, authorization="Bearer limited")
        assert answer.status_code == 200, answer.text
        # A model that it may not ask is found in the ring too.
        vendor.play(Say("Hello."))
        body = {"model": "other", "input": "Hi", "previous_response_id": second}
        other = send("POST", f"{url}/v1/responses", body).json()["id"]
        body = {"model": "assistant", "input": "Hi", "previous_response_id": other}
        refused = send("POST", f"{url}/v1/responses", body, authorization="Bearer limited")
        assert refused.status_code == 404, refused.text
