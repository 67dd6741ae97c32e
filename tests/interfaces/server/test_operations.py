"""The server at its limits: clients that leave, retry and crowd, budgets, metrics and logs."""

import asyncio
import io
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from tests.interfaces.server.serving import (
    PlainCallers,
    Vendor,
    client,
    config_of,
    model_config,
    serving,
)
from turngraph.billing.budget import Budget
from turngraph.billing.ledger import Ledger
from turngraph.interfaces.server.admission import Admission
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.config import ServerConfig, StoreSettings
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.logs import log_to
from turngraph.interfaces.server.served_models import ModelSet
from turngraph.interfaces.server.service import open_service
from turngraph.interfaces.server.turn_runs import TurnRuns
from turngraph.scripted import Hang, Say
from turngraph.state.errors import TurnConfigurationError

ASK: Any = [{"role": "user", "content": "What is the planted question-4711?"}]


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    with Vendor(delay_s=0.02) as model:
        yield model


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder: Path = tmp_path_factory.mktemp("server")
    return f"sqlite:///{folder}/turns.db"


@pytest.fixture(scope="module")
def lines() -> Iterator[io.StringIO]:
    """What the server logs."""
    stream = io.StringIO()
    before = {name: logging.getLogger(name).handlers for name in ("turngraph", "uvicorn")}
    log_to(stream)
    yield stream
    for name, handlers in before.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = handlers, True
        logger.setLevel(logging.NOTSET)


@pytest.fixture(scope="module")
def url(vendor: Vendor, database: str, lines: io.StringIO) -> Iterator[str]:
    config = config_of(
        {
            "assistant": model_config(vendor),
            "poor": model_config(vendor, budgets=(Budget(usd="0.000001"),)),
        },
        sweep_seconds=0.2,
        turns_at_once=2,
        queue=1,
    )
    stored = ServerConfig(
        server=config.server, store=StoreSettings(database=database), models=config.models
    )
    with serving(stored) as served:
        yield served


def eventually(holds: Callable[[], bool]) -> None:
    """Waits until something holds that other threads bring about."""
    ends_at = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < ends_at
        time.sleep(0.02)


@pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])
def test_a_client_that_leaves_ends_the_call_and_pays_for_it(
    url: str, vendor: Vendor, database: str, stream: bool
) -> None:
    """The vendor is not asked any longer, and what it may bill is on the account's books."""
    account = f"leaver-{stream}"
    vendor.play(Say("word " * 2_000) if stream else Hang(60))
    before = len(vendor.requests)
    body = json.dumps({"model": "assistant", "messages": ASK, "stream": stream})
    head = f"host: x\r\nauthorization: Bearer {account}\r\ncontent-length: {len(body)}"
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as line:
        line.sendall(f"POST /v1/chat/completions HTTP/1.1\r\n{head}\r\n\r\n{body}".encode())
        eventually(lambda: len(vendor.requests) == before + 1)
        if stream:
            assert line.recv(100).startswith(b"HTTP/1.1 200")
    with Ledger(database) as ledger:
        eventually(lambda: _spent(ledger, account) > 0)
        assert ledger.verify() == []
    vendor.play(Say("next"))
    assert client(url).chat.completions.create(model="assistant", messages=ASK).choices


def _spent(ledger: Ledger, account: str) -> Decimal:
    spent = [row.usd for row in ledger.spending("account") if row.value == account]
    return sum(spent, Decimal(0))


def test_a_retried_request_gets_the_first_answer_and_is_billed_once(
    url: str, vendor: Vendor
) -> None:
    """By its `Idempotency-Key`; in another account the same key is another request."""
    before = vendor.play(Say("one"), Say("two"))
    options: Any = {
        "model": "assistant",
        "messages": ASK,
        "extra_headers": {"Idempotency-Key": "k1"},
    }
    first: Any = client(url).chat.completions.create(**options)
    again: Any = client(url).chat.completions.create(**options)
    streamed = client(url).chat.completions.create(**options, stream=True)
    said = "".join(each.choices[0].delta.content or "" for each in streamed)
    other = client(url, "bolt").chat.completions.create(**options)
    assert first.choices == again.choices
    assert (first.id, first.turngraph, said) == (again.id, again.turngraph, "one")
    assert other.choices[0].message.content == "two"
    assert len(vendor.requests) == before + 2
    with pytest.raises(openai.UnprocessableEntityError) as caught:
        client(url).chat.completions.create(**{**options, "temperature": 0})
    assert caught.value.code == "idempotency_key_reused"


def test_the_same_request_in_flight_is_a_conflict_and_a_crowd_is_refused(
    url: str, vendor: Vendor
) -> None:
    """Both are told when to try again. Nobody waits without a bound."""
    vendor.play(*[Say("late")] * 3)
    vendor.held = True
    headers = {"Idempotency-Key": "k2"}
    body = {"model": "assistant", "messages": ASK}
    eventually(lambda: "turngraph_turns_running 0.0" in _metrics(url))
    threads = [
        threading.Thread(target=_post, args=(url, body, {**headers, "Idempotency-Key": key}))
        for key in ("k2", "k3", "k4")
    ]
    threads[0].start()
    eventually(lambda: "turngraph_turns_running 1.0" in _metrics(url))
    conflict = _post(url, body, headers)
    threads[1].start()
    eventually(lambda: "turngraph_turns_running 2.0" in _metrics(url))
    threads[2].start()
    eventually(lambda: "turngraph_turns_waiting 1.0" in _metrics(url))
    refused = _post(url, body, {})
    vendor.held = False
    for thread in threads:
        thread.join()
    assert (conflict.status_code, conflict.json()["error"]["code"]) == (409, "turn_is_running")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "server_overloaded")
    assert int(conflict.headers["retry-after"]) >= 1
    assert int(refused.headers["retry-after"]) >= 1
    assert _post(url, body, headers).json()["choices"][0]["message"]["content"] == "late"


def _post(url: str, body: Any, headers: dict[str, str]) -> Any:
    sent = {"authorization": "Bearer acme", **headers}
    return httpx2.post(f"{url}/v1/chat/completions", json=body, headers=sent, timeout=60)


def _metrics(url: str) -> str:
    return httpx2.get(f"{url}/metrics", headers={"authorization": "Bearer watcher"}).text


def test_a_spent_budget_says_which_and_what_is_needed(url: str, vendor: Vendor) -> None:
    """Nothing is sent, and OpenAI's clients do not try again."""
    before = vendor.play(Say("never"))
    answer = _post(url, {"model": "poor", "messages": ASK, "max_tokens": 50}, {})
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["code"]) == (
        402,
        "insufficient_quota",
        "budget",
    )
    for part in ("The budget of one turn", "0.000001 USD", "spent", "held", "may need"):
        assert part in error["message"]
    assert answer.headers["x-should-retry"] == "false"
    assert len(vendor.requests) == before


def test_metrics_tell_no_names_of_accounts(url: str, vendor: Vendor) -> None:
    """Turns, tokens and money by model; a key needs the scope for it."""
    vendor.play(Say("Hello!"))
    list(client(url).chat.completions.create(model="assistant", messages=ASK, stream=True))
    page = _metrics(url)
    assert 'turngraph_turns_total{model="assistant",status="completed"}' in page
    assert 'turngraph_tokens_total{kind="input",model="assistant"}' in page
    assert "turngraph_first_token_seconds_count" in page
    assert "acme" not in page
    answer = httpx2.get(f"{url}/metrics", headers={"authorization": "Bearer acme"})
    assert answer.status_code == 403


def test_logs_hold_no_key_and_no_question(url: str, vendor: Vendor, lines: io.StringIO) -> None:
    """One JSON object a request, with its id."""
    vendor.play(Say("planted answer-4711"))
    answer = client(url).chat.completions.with_raw_response.create(model="assistant", messages=ASK)
    eventually(lambda: answer.headers["x-request-id"] in lines.getvalue())
    text = lines.getvalue()
    assert '"path": "/v1/chat/completions", "status": 200' in text
    assert "question-4711" not in text
    assert "answer-4711" not in text


async def test_one_that_is_just_leaving_makes_room() -> None:
    """A client that leaves and one that comes in the same moment do not meet in an error."""
    admission = Admission(at_once=1, queue=2)

    async def turn(account: str) -> None:
        async with admission.place(account):
            pass

    async with admission.place("crowd"):
        crowd = [asyncio.create_task(turn("crowd")) for _ in range(2)]
        await asyncio.sleep(0)
        crowd[1].cancel()
        other = asyncio.create_task(turn("other"))
        await asyncio.sleep(0)
        assert admission.waiting == 2
    await asyncio.gather(crowd[0], other)
    assert crowd[1].cancelled()


async def test_models_stay_open_for_what_waits_for_a_place() -> None:
    """A reload closes models that nobody uses; a request that was planned with them uses them."""
    admission, models = Admission(at_once=1, queue=1), ModelSet({})
    caller = Caller("acme", None, frozenset({"models"}))

    async def note(end: object) -> None:
        pass

    async with admission.place("acme"):
        waits = asyncio.create_task(TurnRuns(admission).start([], caller, models, note))
        await asyncio.sleep(0)
        assert (admission.waiting, models.is_idle) == (1, False)
        waits.cancel()
        await asyncio.gather(waits, return_exceptions=True)
        assert models.is_idle


async def test_places_are_shared_fairly() -> None:
    """A free place goes to the account with the fewest turns; a crowd makes room for others."""
    admission, order = Admission(at_once=2, queue=3), list[str]()
    release = asyncio.Event()

    async def turn(account: str) -> None:
        async with admission.place(account):
            order.append(account)
            await release.wait()

    crowd = [asyncio.create_task(turn("crowd")) for _ in range(5)]
    await asyncio.sleep(0)
    assert (admission.running, admission.waiting) == (2, 3)
    with pytest.raises(ServerError, match="2 turns run and 3 wait"):
        await turn("crowd")
    other = asyncio.create_task(turn("other"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert isinstance(crowd[4].exception(), ServerError)
    crowd[3].cancel()
    release.set()
    await asyncio.gather(*crowd, other, return_exceptions=True)
    assert order == ["crowd", "crowd", "other", "crowd"]
    assert (admission.running, admission.waiting) == (0, 0)


async def test_a_reload_refuses_a_database_that_no_start_could_open(vendor: Vendor) -> None:
    """Although it would be opened at the next start alone, when nobody thinks of the change."""
    config = config_of({"small": model_config(vendor)})
    async with open_service(config, PlainCallers(), Path(), {}, None) as service:
        before = service.models
        store = StoreSettings(database="mysql://db/turns")
        with pytest.raises(TurnConfigurationError, match="use SQLite or PostgreSQL"):
            await service.reload(config.model_copy(update={"store": store}))
        assert service.models is before
