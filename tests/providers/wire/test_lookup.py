"""Asking a vendor what became of a call: complete, pending, failed, not stored; bad replies."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiohttp import web

from turngraph.providers.config import ProviderConfig
from turngraph.providers.openai_provider import OpenAIProvider
from turngraph.providers.vendors.profiles import VENDORS
from turngraph.providers.wire.lookup import add_attempt_id, ask_vendor, store_of
from turngraph.providers.writing.payload import Payload
from turngraph.scripted import LoopbackServer
from turngraph.state.errors import ProviderError
from turngraph.state.usage import Usage

OPENAI = VENDORS["openai"]
USED = {"input_tokens": 11, "output_tokens": 5, "total_tokens": 16}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "model": "gpt-5",
    "status": "completed",
    "output": [],
    "usage": USED,
}
COMPLETION = {
    "id": "chatcmpl-1",
    "model": "gpt-4o-mini",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Four."}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16},
    "metadata": {"tg_attempt": "c.1"},
}


@contextmanager
def vendor(answer: Any, status: int = 200) -> Iterator[tuple[OpenAIProvider, list[str]]]:
    """Yields a provider whose endpoint always gives `answer`, and the requests it got."""
    requests: list[str] = []

    async def serve(request: web.Request) -> web.Response:
        requests.append(f"{request.method} {request.path_qs}")
        return web.Response(
            text=answer if isinstance(answer, str) else json.dumps(answer), status=status
        )

    with LoopbackServer(serve) as server:
        config = ProviderConfig(
            vendor="openai", model="gpt-5", base_url=server.base_url, api_key="sk-x"
        )
        provider = OpenAIProvider(config)
        yield provider, requests
        provider.close()


def test_a_response_is_found_by_its_id() -> None:
    """The same reader reads it as any other answer, with its usage."""
    with vendor(RESPONSE) as (provider, requests):
        reply = ask_vendor(provider, "responses", response_id="resp_1/..", attempt_id="c.1")
    assert requests == ["GET /v1/responses/resp_1%2F.."]
    assert not isinstance(reply, str)
    assert reply.usage == Usage(input_tokens=11, output_tokens=5, total_tokens=16)


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_a_response_that_is_not_finished_is_pending(status: str) -> None:
    """Nobody knows yet what it will cost."""
    with vendor({**RESPONSE, "status": status, "usage": None}) as (provider, _):
        assert (
            ask_vendor(provider, "responses", response_id="resp_1", attempt_id="c.1") == "pending"
        )


@pytest.mark.parametrize(("usage", "expected"), [(None, "failed"), (USED, 5)])
def test_a_failed_response_costs_the_usage_that_it_reports(usage: Any, expected: Any) -> None:
    """If it reports none, it costs nothing."""
    failed = {
        **RESPONSE,
        "status": "failed",
        "usage": usage,
        "error": {"code": "server_error", "message": "x"},
    }
    with vendor(failed) as (provider, _):
        outcome = ask_vendor(provider, "responses", response_id="resp_1", attempt_id="c.1")
    assert (
        outcome == expected
        if isinstance(outcome, str)
        else outcome.usage and outcome.usage.output_tokens == expected
    )


def test_a_completion_is_found_by_its_id_or_by_the_attempt_in_its_metadata() -> None:
    """A stream reports its id first. A call that was killed before has its attempt's id only."""
    with vendor(COMPLETION) as (provider, requests):
        by_id = ask_vendor(provider, "chat", response_id="chatcmpl-1", attempt_id="c.1")
    with vendor({"object": "list", "data": [COMPLETION]}) as (provider, listing_requests):
        by_name = ask_vendor(provider, "chat", response_id=None, attempt_id="c.1")
    assert requests == ["GET /v1/chat/completions/chatcmpl-1"]
    assert listing_requests == ["GET /v1/chat/completions?metadata%5Btg_attempt%5D=c.1&limit=2"]
    assert by_id == by_name
    assert not isinstance(by_id, str)
    assert by_id.text == "Four."


def test_an_empty_list_means_that_nothing_is_stored() -> None:
    """Whether anything was billed depends on what was seen of the answer; the caller knows that."""
    with vendor({"object": "list", "data": []}) as (provider, _):
        assert ask_vendor(provider, "chat", response_id=None, attempt_id="c.1") == "nothing"


@pytest.mark.parametrize(
    ("answer", "status", "store", "response_id", "kind"),
    [
        ({"error": {"message": "Response not found."}}, 404, "responses", "resp_1", "not_found"),
        ({"error": {"message": "No key."}}, 401, "chat", None, "authentication"),
        ("<html>", 200, "responses", "resp_1", "protocol"),
        (["x"], 200, "responses", "resp_1", "protocol"),
        (["x"], 200, "chat", "chatcmpl-1", "protocol"),
        ({"object": "list"}, 200, "chat", None, "protocol"),
        ({"data": [{**COMPLETION, "metadata": None}]}, 200, "chat", None, "protocol"),
        ({}, 200, "responses", None, "not_found"),
        ({**RESPONSE, "output": "x" * 33 * 2**20}, 200, "responses", "resp_1", "too_large"),
    ],
    ids=["404", "401", "page", "list", "list for chat", "no list", "unfiltered", "no id", "huge"],
)
def test_a_reply_that_says_nothing_about_the_call_is_an_error(
    answer: Any, status: int, store: Any, response_id: str | None, kind: str
) -> None:
    """Some servers have no such endpoint, and some list the completions of other calls."""
    with vendor(answer, status) as (provider, _), pytest.raises(ProviderError) as caught:
        ask_vendor(provider, store, response_id=response_id, attempt_id="c.1")
    assert caught.value.kind == kind


def test_a_slow_vendor_is_not_waited_for() -> None:
    """One lookup must not delay those after it."""

    async def drip(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(200):
            await answer.write(b" ")
            await sleep(0.02)
        return answer

    from asyncio import sleep

    with LoopbackServer(drip) as server:
        config = ProviderConfig(
            vendor="openai", model="gpt-5", base_url=server.base_url, api_key="sk-x"
        )
        with pytest.raises(ProviderError) as caught:
            OpenAIProvider(config).fetch("/responses/r", within_s=0.2)
    assert caught.value.kind == "timeout"


@pytest.mark.parametrize(
    ("api", "body", "vendor_name", "expected"),
    [
        ("responses", {}, "openai", "responses"),
        ("responses", {"store": True}, "openai", "responses"),
        ("responses", {"store": False}, "openai", None),
        ("responses", {}, "openrouter", None),
        ("chat", {"store": True}, "openai", "chat"),
        ("chat", {"store": True}, "azure", "chat"),
        ("chat", {}, "openai", None),
        ("chat", {"store": True}, "mistral", None),
    ],
)
def test_store_of_follows_the_vendor_and_the_request(
    api: Any, body: Any, vendor_name: str, expected: str | None
) -> None:
    """Responses are stored by default, chat completions on request, and only by some vendors."""
    assert store_of(Payload(api, body), VENDORS[vendor_name]) == expected


def test_the_attempts_id_is_only_sent_if_the_answer_is_stored() -> None:
    """Without `store` not one byte more is sent. A caller's own metadata stays."""
    assert add_attempt_id(Payload("chat", {}), "c.1", OPENAI).body == {}
    assert add_attempt_id(Payload("responses", {}), "c.1", OPENAI).body == {}
    own = Payload("chat", {"store": True, "metadata": {"a": "b"}}, ("note",))
    assert add_attempt_id(own, "c.1", OPENAI).body["metadata"] == {"a": "b", "tg_attempt": "c.1"}
    assert add_attempt_id(own, "c.1", OPENAI).warnings == ("note",)
    full = Payload("chat", {"store": True, "metadata": {str(n): "" for n in range(16)}})
    assert add_attempt_id(full, "c.1", OPENAI) is full
