"""A forwarded request that is sent again, that the server cuts off, and that is traced."""

import http.client
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import update

from tests.interfaces.server.serving import PlainCallers, Vendor, serving
from tests.interfaces.server.test_command import COMMAND, free_port, until_up
from tests.interfaces.server.test_passthrough import PRICES, SHARED_KEY, STREAM, Through
from turngraph.billing import Budget, Ledger
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.config import ServerConfig, ServerSettings, StoreSettings
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.passthrough.kept_answers import (
    KeptAnswer,
    KeyClaim,
    claim_key,
    forget_answers,
)
from turngraph.interfaces.server.passthrough.metering import ForwardedRequest
from turngraph.interfaces.server.passthrough.settings import PassthroughConfig
from turngraph.interfaces.server.tables import create_server_tables, forwarded_t
from turngraph.interfaces.telemetry.opentelemetry import OpenTelemetry
from turngraph.scripted import Cut, Fail, Raw, Say
from turngraph.state.usage import Usage

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
KEYS = {
    name: Caller(name, f"k-{name}", frozenset({"passthrough"}))
    for name in ("acme", "other", "poor", "leaver", "failing", "traced")
}
STREAMED: dict[str, Any] = {"model": "gpt-x-9", "stream": True, "messages": []}


ASKED = {**STREAMED, "messages": [{"role": "user", "content": "Hi"}]}


class Traced(Through):
    """With the spans that the server has made."""

    spans: InMemorySpanExporter


@pytest.fixture(scope="module")
def through(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    database = f"sqlite:///{tmp_path_factory.mktemp('again')}/ledger.db"
    spans, tracers = InMemorySpanExporter(), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    with Vendor() as vendor, Ledger(database) as ledger:
        ledger.set_budget(Budget(usd="0.0001", per="account", of="poor"))
        vendors = {
            "openai": PassthroughConfig(base_url=vendor.base_url, key_env="SHARED", prices=PRICES)
        }
        config = ServerConfig(
            server=ServerSettings(port=0, sweep_seconds=0.2),
            store=StoreSettings(database=database),
            passthrough=vendors,
        )
        options: dict[str, Any] = {
            "callers": PlainCallers(KEYS),
            "environ": {"SHARED": SHARED_KEY},
            "telemetry": OpenTelemetry(tracer_provider=tracers),
        }
        with serving(config, **options) as url:
            made = Traced(url, vendor, ledger)
            made.spans = spans
            yield made


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def test_a_repeated_request_gets_the_same_bytes_and_is_billed_once(through: Traced) -> None:
    """Also as a stream, and with the status and headers of the first; a key is its account's."""
    through.vendor.play(Raw(STREAM), Raw(STREAM))
    before = through.spent("acme")
    first = through.post(STREAMED, headers=keyed("one"))
    again = through.post(STREAMED, headers=keyed("one"))
    assert (again.status, again.body) == (first.status, first.body) == (200, STREAM)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert through.spent("acme") - before == Decimal("0.000018")
    asked = len(through.vendor.requests)
    changed = through.post({**STREAMED, "n": 1}, headers=keyed("one"))
    assert changed.status == 422
    assert json.loads(changed.body)["error"]["code"] == "idempotency_key_reused"
    assert len(through.vendor.requests) == asked
    other = through.post(STREAMED, "other", headers=keyed("one"))
    assert "idempotent-replayed" not in other.headers
    assert len(through.vendor.requests) == asked + 1


@pytest.mark.parametrize("step", [Fail(500), Raw("nonsense"), Cut(1, Say("One two three."))])
def test_a_request_without_a_whole_answer_frees_its_key(through: Traced, step: Any) -> None:
    """The same request is sent again then: nothing that came is worth keeping."""
    through.vendor.play(step, Say("Hello!"))
    name, body = f"failing {step!r}", ASKED
    try:
        assert b"Hello!" not in through.post(body, "failing", headers=keyed(name)).body
    except http.client.HTTPException:
        assert isinstance(step, Cut)
    ends_at = time.monotonic() + 60
    while (again := through.post(body, "failing", headers=keyed(name))).status == 409:
        assert time.monotonic() < ends_at, "the key was never freed"
    assert again.status == 200
    assert b"[DONE]" in again.body
    assert "idempotent-replayed" not in again.headers


def test_a_refused_request_frees_its_key(through: Traced) -> None:
    body = {"model": "gpt-x-9", "max_tokens": 1000, "messages": []}
    for _ in range(2):
        assert through.post(body, "poor", headers=keyed("refused")).status == 402


def test_a_client_that_leaves_finds_its_answer_when_it_comes_again(through: Traced) -> None:
    """Meanwhile it is told to wait. Without a key the request would have ended with it."""
    used = Usage(input_tokens=100, output_tokens=10)
    through.vendor.play(Say("word " * 2_000, usage=used))
    through.vendor.held = True
    body = {**ASKED, "stream_options": {"include_usage": True}}
    address, asked = urlsplit(through.url), through.vendor.asked
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    headers = {"Authorization": "Bearer leaver", **keyed("left")}
    path = "/passthrough/openai/v1/chat/completions"
    connection.request("POST", path, json.dumps(body), headers)
    ends_at = time.monotonic() + 60
    while through.vendor.asked == asked:
        assert time.monotonic() < ends_at
        time.sleep(0.01)
    meanwhile = through.post(body, "leaver", headers=keyed("left"))
    assert (meanwhile.status, meanwhile.headers["retry-after"]) == (409, "1")
    connection.close()
    through.vendor.held = False
    while (found := through.post(body, "leaver", headers=keyed("left"))).status == 409:
        assert time.monotonic() < ends_at, "the answer was never there"
        time.sleep(0.01)
    assert found.headers["idempotent-replayed"] == "true"
    assert found.body.endswith(b"data: [DONE]\n\n")
    assert through.vendor.asked == asked + 1
    assert through.spent("leaver") == Decimal("0.00012")


async def test_the_key_of_a_dead_process_can_be_used_again(tmp_path: Path) -> None:
    """And where that process was only slow, what it has does not replace the newer answer."""
    request = ForwardedRequest("chat", {"model": "m"}, b'{"model":"m"}')
    with Ledger(f"sqlite:///{tmp_path}/l.db") as ledger:
        store = ledger.store
        store.run(create_server_tables)
        first = await claim_key(store, "acme", "key", request, "openai")
        assert isinstance(first, KeyClaim)
        with pytest.raises(ServerError, match="on its way"):
            await claim_key(store, "acme", "key", request, "openai")
        store.run(lambda tx: tx.conn.execute(update(forwarded_t).values(seen=0.0)))
        second = await claim_key(store, "acme", "key", request, "openai")
        assert isinstance(second, KeyClaim)
        for claim, text in ((second, b"new"), (first, b"old")):
            claim.begin(200, {"a": "b"})
            claim.add(text)
            await claim.end(whole=True)
        kept = await claim_key(store, "acme", "key", request, "openai")
        assert kept == KeptAnswer(200, {"a": "b"}, b"new")
        store.run(forget_answers, store.now() + 1)
        assert isinstance(await claim_key(store, "acme", "key", request, "openai"), KeyClaim)


def test_a_forwarded_request_has_the_span_of_any_call(through: Traced) -> None:
    """As child of the client's, with what was used and what it cost, and without what was said."""
    through.spans.clear()
    through.vendor.play(Raw(STREAM), Fail(400, {"error": {"message": "planted"}}))
    body = {**STREAMED, "temperature": 0.5, "max_tokens": 9, "seed": "none"}
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
    assert through.post(body, "traced", headers=headers).status == 200
    sent = through.vendor.requests[-1].headers["traceparent"]
    assert through.post(body, "traced", headers=headers).status == 400
    answered, failed = (
        span for span in through.spans.get_finished_spans() if span.name == "chat gpt-x-9"
    )
    assert answered.context is not None
    assert answered.parent is not None
    assert sent.split("-")[1:3] == [TRACE, f"{answered.context.span_id:016x}"]
    assert f"{answered.parent.span_id:016x}" == SPAN
    known = dict(answered.attributes or {})
    assert known.pop("gen_ai.response.time_to_first_chunk")
    assert known.pop("server.port")
    assert known == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-x-9",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.stream": True,
        "gen_ai.response.id": "c1",
        "gen_ai.response.model": "gpt-x-9",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 4,
        "operation.cost": 0.000018,
        "server.address": "127.0.0.1",
    }
    assert (failed.attributes or {})["error.type"] == "bad_request"
    assert "planted" not in f"{failed.status.description}{failed.attributes}"
    assert {span.name for span in through.spans.get_finished_spans()} >= {
        "ledger begin",
        "ledger settle",
        "ledger release",
    }


def test_a_stream_that_the_server_ends_says_so_and_is_billed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the form of the vendor's errors, so that its own client raises or shows them."""
    monkeypatch.setenv("SHARED", SHARED_KEY)
    database = f"sqlite:///{tmp_path}/turns.db"
    with Vendor([Say("word " * 9_000)] * 2, delay_s=0.02) as vendor:
        file, port = tmp_path / "turngraph.toml", free_port()
        file.write_text(
            f'[server]\ndrain_seconds = 0.2\n[store]\ndatabase = "{database}"\n'
            f'[passthrough.openai]\nbase_url = "{vendor.base_url}"\nkey_env = "SHARED"\n'
            'prices = {"openai:gpt-x*" = {input = "1", output = "2"}}\n'
        )
        process = subprocess.Popen(
            [COMMAND, "serve", str(file), "--port", str(port)], stderr=subprocess.DEVNULL
        )
        url = f"http://127.0.0.1:{port}"
        until_up(url, process)
        with openai.OpenAI(
            base_url=f"{url}/passthrough/openai/v1", api_key="any", max_retries=0
        ) as asks:
            chat = asks.chat.completions.create(
                model="gpt-x-9", stream=True, messages=[{"role": "user", "content": "Hi"}]
            )
            responses = asks.responses.create(model="gpt-x-9", stream=True, input="Hi")
            assert next(iter(chat)).choices
            events = [next(iter(responses)) for _ in range(5)]
            process.send_signal(signal.SIGTERM)
            with pytest.raises(openai.APIError, match="The server was stopped before"):
                list(chat)
            events += list(responses)
        process.wait(60)
    assert events[-1].type == "error"
    assert events[-1].code == "server_stopping"
    assert [each.sequence_number for each in events] == list(range(len(events)))
    with Ledger(database) as ledger:
        assert ledger.total().attempts == 2
        assert ledger.total().usd > 0
        assert ledger.verify() == []
