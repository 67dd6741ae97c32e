"""A vendor's own requests through the server: unchanged, with another key, and paid for."""

import http.client
import json
import re
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import openai
import pytest
from sqlalchemy import select

from tests.interfaces.server.serving import PlainCallers, Vendor, client, serving
from turngraph.billing import Budget, Ledger
from turngraph.billing.store.schema import attempt_t
from turngraph.billing.store.states import OPEN_STATES
from turngraph.interfaces.server.admission import Admission
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.config import ServerConfig, ServerSettings, StoreSettings
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.metrics import Metrics
from turngraph.interfaces.server.passthrough.gateway import PassthroughGateway
from turngraph.interfaces.server.passthrough.settings import PassthroughConfig
from turngraph.interfaces.server.rate_limits.limiter import RateLimiter
from turngraph.interfaces.server.rate_limits.limits import RateLimit, set_limit
from turngraph.interfaces.server.tables import create_server_tables
from turngraph.scripted import Raw, Say
from turngraph.scripted.script import Call
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.usage import Usage

SHARED_KEY, OWN_KEY = "sk-planted-shared-0815", "sk-planted-own-0815"
PRICES: dict[str, dict[str, str | float]] = {"openai:gpt-x*": {"input": "1", "output": "2"}}
KEYS = {
    "plain": Caller("acme", "plain", frozenset({"models", "tools"})),
    "reporter": Caller("operator", "reporter", frozenset({"reports"})),
    "limited": Caller("limited", "limited", frozenset({"models", "passthrough"})),
    "narrow": Caller("acme", "narrow", frozenset({"passthrough"}), frozenset({"openai:gpt-x-1"})),
    "little": Caller("little", "little", frozenset({"models", "passthrough"})),
    **{
        name: Caller(name, f"k-{name}", frozenset({"passthrough"}))
        for name in ("acme", "own", "poor", "leaver")
    },
}
STREAM = (
    b': a comment\r\n\r\ndata: {"id":"c1","object":"chat.completion.chunk","model":"gpt-x-9",'
    b'"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n'
    b'data: {"id":"c1","choices":[],  "usage":{"prompt_tokens":10,"completion_tokens":4}}\n\n'
    b"data: [DONE]\n\n"
)


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Through:
    """A server that forwards to a vendor on loopback, and its ledger."""

    def __init__(self, url: str, vendor: Vendor, ledger: Ledger) -> None:
        self.url, self.vendor, self.ledger = url, vendor, ledger

    def post(
        self, body: Any, key: str = "acme", path: str = "openai/v1/chat/completions", **more: Any
    ) -> Answer:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
        headers = {"Authorization": f"Bearer {key}", **more.pop("headers", {})}
        connection.request(more.pop("method", "POST"), f"/passthrough/{path}", content, headers)
        answer = connection.getresponse()
        lower = {name.lower(): value for name, value in answer.headers.items()}
        try:
            return Answer(answer.status, lower, answer.read())
        finally:
            connection.close()

    def page(self, path: str, key: str) -> str:
        headers = {"Authorization": f"Bearer {key}"}
        with urlopen(Request(f"{self.url}{path}", headers=headers)) as answer:
            return str(answer.read().decode())

    def open_attempts(self) -> int:
        """How many calls hold money."""
        states = self.ledger.store.read(lambda tx: tx.conn.execute(select(attempt_t.c.state)).all())
        return sum(row.state in OPEN_STATES for row in states)

    def spent(self, account: str) -> Decimal:
        lines = {line.value: line.usd for line in self.ledger.spending("account")}
        return lines.get(account, Decimal(0))


@pytest.fixture(scope="module")
def through(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Through]:
    database = f"sqlite:///{tmp_path_factory.mktemp('through')}/ledger.db"
    environ = {"SHARED": SHARED_KEY, "OWN": OWN_KEY}
    with Vendor() as vendor, Ledger(database) as ledger:
        ledger.set_budget(Budget(usd="0.0001", per="account", of="poor"))
        ledger.store.run(create_server_tables)
        ledger.store.run(set_limit, RateLimit("account", "limited", 2, 1000))
        ledger.store.run(set_limit, RateLimit("account", "little", None, 800))
        config = ServerConfig(
            server=ServerSettings(port=0, sweep_seconds=0.2),
            store=StoreSettings(database=database),
            passthrough={
                "openai": PassthroughConfig(
                    base_url=vendor.base_url,
                    key_env="SHARED",
                    account_key_env={"own": "OWN"},
                    prices=PRICES,
                )
            },
        )
        with serving(config, callers=PlainCallers(KEYS), environ=environ) as url:
            yield Through(url, vendor, ledger)


def passthrough_counts(through: Through) -> list[float]:
    """The output tokens and the US dollars that the metrics have counted so far."""
    metrics = through.page("/metrics", "reporter")
    series = (
        'turngraph_tokens_total{kind="output",model="passthrough:openai"}',
        'turngraph_cost_usd_total{model="passthrough:openai"}',
    )
    found = [re.search(re.escape(name) + r" (\S+)", metrics) for name in series]
    return [float(match[1]) if match else 0.0 for match in found]


def test_the_bytes_of_request_and_answer_are_not_changed(through: Through) -> None:
    """Not even what no JSON writer would write: spaces, order, comments of a stream."""
    through.vendor.play(Raw(STREAM))
    body = (
        b'{ "stream":true , "model":"gpt-x-9", "messages":[{"role":"user","content":"\\u0041"}] }'
    )
    before, counted_before = through.spent("acme"), passthrough_counts(through)
    sent_headers = {
        "OpenAI-Beta": "x=1",
        "X-Forwarded-For": "10.0.0.1",
        "Cookie": "planted-cookie",
        "OpenAI-Organization": "planted-organization",
        "Connection": "X-Hop",
        "X-Hop": "planted-hop",
        "x_api_key": "planted-key",
        "Idempotency-Key": "shared by all accounts",
    }
    answer = through.post(body, headers=sent_headers)
    assert (answer.status, answer.body) == (200, STREAM)
    assert answer.headers["content-type"].startswith("text/event-stream")
    received = through.vendor.requests[-1]
    assert received.content == body
    assert "idempotency-key" not in received.headers  # the server keeps it to itself
    assert received.headers["authorization"] == f"Bearer {SHARED_KEY}"
    assert received.headers["openai-beta"] == "x=1"
    assert "planted" not in repr({**received.headers, "authorization": ""})
    assert "x-forwarded-for" not in received.headers
    # 10 input tokens at 1 USD and 4 output tokens at 2 USD per million.
    assert through.spent("acme") - before == Decimal("0.000018")
    assert through.ledger.spending("tag")[0].value == "passthrough"
    counted = zip(passthrough_counts(through), counted_before, strict=True)
    assert [after - before for after, before in counted] == pytest.approx([4, 0.000018])


def test_openais_own_client_works_through_it(through: Through) -> None:
    """An account with a key of its own at the vendor is sent with that key."""
    through.vendor.play(
        Say("Hello!", usage=Usage(input_tokens=100, output_tokens=10)),
        Call(("add", {"a": 1}, "c1"), usage=Usage(input_tokens=100, output_tokens=10)),
        Say("Bye!", usage=Usage(input_tokens=100, output_tokens=10)),
    )
    base_url = f"{through.url}/passthrough/openai/v1"
    with openai.OpenAI(base_url=base_url, api_key="own", max_retries=0) as own:
        said = own.chat.completions.create(
            model="gpt-x-9", messages=[{"role": "user", "content": "Hi"}]
        )
        assert said.choices[0].message.content == "Hello!"
        streamed = own.responses.create(model="gpt-x-9", input="Hi", stream=True)
        assert [event.type for event in streamed][-1] == "response.completed"
        assert own.responses.create(model="gpt-x-9", input="Hi").output_text == "Bye!"
    assert through.vendor.requests[-1].headers["authorization"] == f"Bearer {OWN_KEY}"
    assert through.spent("own") == 3 * Decimal("0.00012")


def test_an_error_comes_back_as_it_is_and_costs_nothing(through: Through) -> None:
    """All but the server's own key, should the vendor repeat it."""
    body = '{"error":  {"message": "No such thing."}}'
    through.vendor.play(Raw(body, content_type="application/json", status=404))
    before = through.spent("acme")
    answer = through.post({"model": "gpt-x-9", "messages": []})
    assert (answer.status, answer.body.decode()) == (404, body)
    through.vendor.play(Raw(f"bad key {SHARED_KEY}", content_type="text/plain", status=401))
    assert through.post({"model": "gpt-x-9", "messages": []}).body == b"bad key ***"
    assert through.spent("acme") == before
    told = STREAM.replace(b'"Hi"', f'"{SHARED_KEY}"'.encode())
    through.vendor.play(Raw(told, content_type=f"text/event-stream; x={SHARED_KEY}"))
    answer = through.post({"model": "gpt-x-9", "stream": True, "messages": []})
    assert answer.body == STREAM.replace(b'"Hi"', b'"***"')
    assert SHARED_KEY not in repr(answer.headers)
    assert through.open_attempts() == 0


@pytest.mark.parametrize(
    ("request_", "status", "sentence"),
    [
        ({"path": "openai/v1/files"}, 404, "cannot be metered"),
        ({"path": "openai/v1/../../healthz"}, 404, "cannot be metered"),
        ({"path": "nobody/v1/chat/completions"}, 404, "Configured are: `openai`."),
        ({"key": "plain"}, 403, "not good for passthrough"),
        ({"key": "narrow"}, 403, "may not ask `openai:gpt-x-9`. It may ask: `openai:gpt-x-1`"),
        ({"body": b"{"}, 400, "not JSON"),
        ({"body": b"[]"}, 400, "must be a JSON object"),
        ({"body": {"model": "gpt-x-9", "background": True}}, 400, "not be metered"),
        ({"body": {"model": "gpt-x-9", "web_search_options": {}}}, 400, "the vendor bills search"),
        ({"body": b'{"model":"gpt-x-1","model":"gpt-x-9"}'}, 400, "`model` stands twice"),
        ({"body": {"model": "gpt-x-9", "Model": "gpt-x-1"}}, 400, "`Model` has capital letters"),
        ({"body": {"model": ""}}, 400, "`model` must be text"),
        ({"body": {"model": {}}}, 400, "`model` must be text"),
        ({"body": b'{"model":"gpt-x-9","seed":1e400}'}, 400, "`1e400` is too large"),
        ({"body": {"model": "gpt-x-9", "previous_response_id": "r"}}, 400, "share one key"),
        ({"body": {"model": "gpt-x-9", "tools": [{"type": "web_search"}]}}, 400, "only have func"),
        ({"body": {"model": "gpt-x-9", "tools": [{"type": []}]}}, 400, "only have func"),
        ({"headers": {"Idempotency-Key": ""}}, 400, "`Idempotency-Key` is empty"),
        ({"headers": {"Content-Encoding": "deflate"}}, 415, "encoded with `deflate`"),
        ({"headers": {"Content-Type": "text/plain"}}, 415, "The body is `text/plain`"),
        (
            {"headers": {"Content-Type": 'application/json; charset="UTF-16"'}},
            415,
            "encoded in `utf-16`",
        ),
        ({"method": "DELETE"}, 405, "not allowed"),
        ({"key": "poor"}, 400, "no cap on its answer"),
        (
            {"key": "poor", "body": {"model": "gpt-x-9", "max_tokens": 1000}},
            402,
            "Budget `account-poor:poor` allows 0.0001 USD",
        ),
    ],
)
def test_what_is_not_allowed_is_refused_in_a_sentence_and_not_sent(
    through: Through, request_: dict[str, Any], status: int, sentence: str
) -> None:
    before = through.vendor.play()
    answer = through.post(**{"body": {"model": "gpt-x-9", "messages": []}, **request_})
    error = json.loads(answer.body)["error"]
    assert (answer.status, sentence in error["message"]) == (status, True), error
    assert len(through.vendor.requests) == before


def test_a_client_that_leaves_ends_the_request_and_pays_what_it_saw(through: Through) -> None:
    """The vendor's connection is closed, and the books are swept to an estimate."""
    through.vendor.play(Say("word " * 20_000))
    address = urlsplit(through.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    body = {"model": "gpt-x-9", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    headers = {"Authorization": "Bearer leaver"}
    connection.request("POST", "/passthrough/openai/chat/completions", json.dumps(body), headers)
    answer = connection.getresponse()
    assert answer.read(100)
    connection.sock.close() if connection.sock else answer.close()
    connection.close()
    ends_at = time.monotonic() + 60
    while through.spent("leaver") == 0:
        assert time.monotonic() < ends_at, "the answer was never charged"
        time.sleep(0.05)
    assert through.open_attempts() == 0


def test_a_caller_at_its_limit_is_told_when_to_come_again(through: Through) -> None:
    """Turns and forwarded requests count together; tokens are those that were used."""
    while time.time() % 60 > 55:  # all requests must be of one minute of the clock
        time.sleep(0.5)
    used = Usage(input_tokens=100, output_tokens=10)
    through.vendor.play(Say("Hello!", usage=used))
    body = {"model": "gpt-x-9", "max_completion_tokens": 500, "messages": []}
    first = through.post({**body, "messages": [{"role": "user", "content": "Hi"}]}, "limited")
    assert first.headers["x-ratelimit-remaining-requests"] == "1"
    assert int(first.headers["x-ratelimit-remaining-tokens"]) < 500
    asks = client(through.url, "limited").chat.completions.with_raw_response
    messages: Any = [{"role": "user", "content": "Hi"}]
    second = asks.create(model="scripted", messages=messages, max_tokens=50)
    assert second.headers["x-ratelimit-limit-tokens"] == "1000"
    # 110 tokens of the first request, and about 60 for this one, instead of 500 and more.
    assert 700 < int(second.headers["x-ratelimit-remaining-tokens"]) < 890
    with pytest.raises(openai.RateLimitError) as refused:
        asks.create(model="scripted", messages=messages)
    assert refused.value.code == "rate_limit_exceeded"
    assert 1 <= int(refused.value.response.headers["retry-after"]) <= 60


def test_every_request_counts_as_the_tokens_that_it_may_need(through: Through) -> None:
    """Without a limit of its own, in the background, and for each of several answers."""
    before = through.vendor.play()
    body = {"model": "gpt-x-9", "max_completion_tokens": 300, "n": 3, "messages": []}
    assert through.post(body, "little").status == 429
    little = client(through.url, "little")
    with pytest.raises(openai.RateLimitError):
        little.chat.completions.create(
            model="scripted", messages=[{"role": "user", "content": "Hi"}]
        )
    made = little.responses.create(model="scripted", input="Hi", background=True)
    while (made := little.responses.retrieve(made.id)).status == "queued":
        time.sleep(0.01)
    assert made.error is not None
    assert (made.status, made.error.code) == ("failed", "rate_limit_exceeded")
    assert len(through.vendor.requests) == before


async def test_a_new_configuration_replaces_the_vendors_or_changes_nothing() -> None:
    """As on SIGHUP: one that cannot be used leaves everything as it was."""
    named = PassthroughConfig(vendor="openai", key_env="SHARED")
    with Ledger("sqlite://") as ledger:
        limiter = RateLimiter(ledger.store)
        gateway = PassthroughGateway(
            {"one": named},
            ledger.store,
            limiter,
            Admission(1, 1),
            Metrics(),
            {"SHARED": SHARED_KEY},
            None,
        )
        before = gateway.vendor("one", KEYS["acme"])
        with pytest.raises(TurnConfigurationError, match=r"`passthrough\.two` names the variable"):
            gateway.configure({"two": PassthroughConfig(vendor="openai", key_env="MISSING")})
        assert gateway.vendor("one", KEYS["acme"]) is before
        gateway.configure({"two": named})
        with pytest.raises(ServerError, match="Configured are: `two`"):
            gateway.vendor("one", KEYS["acme"])
        await gateway.close_unused()
        await gateway.aclose()
