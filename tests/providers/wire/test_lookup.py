"""Asking a vendor what became of a call: found, still being made, failed, not kept; and what cannot
be believed.
"""

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
    """A provider whose endpoint answers everything so; and what it was asked."""
    asked: list[str] = []

    async def serve(request: web.Request) -> web.Response:
        asked.append(f"{request.method} {request.path_qs}")
        return web.Response(
            text=answer if isinstance(answer, str) else json.dumps(answer), status=status
        )

    with LoopbackServer(serve) as server:
        config = ProviderConfig(
            vendor="openai", model="gpt-5", base_url=server.base_url, api_key="sk-x"
        )
        provider = OpenAIProvider(config)
        yield provider, asked
        provider.close()


def test_a_response_is_asked_for_by_its_id() -> None:
    """Its usage is read by the reader of every other answer."""
    with vendor(RESPONSE) as (provider, asked):
        found = ask_vendor(provider, "responses", response_id="resp_1/..", attempt_id="c.1")
    assert asked == ["GET /v1/responses/resp_1%2F.."]
    assert not isinstance(found, str)
    assert found.usage == Usage(input_tokens=11, output_tokens=5, total_tokens=16)


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_a_response_in_the_background_may_still_be_in_the_making(status: str) -> None:
    """Nobody knows yet what it will cost."""
    with vendor({**RESPONSE, "status": status, "usage": None}) as (provider, _):
        assert (
            ask_vendor(provider, "responses", response_id="resp_1", attempt_id="c.1") == "pending"
        )


@pytest.mark.parametrize(("usage", "found"), [(None, "failed"), (USED, 5)])
def test_a_failed_response_costs_what_it_says_it_used(usage: Any, found: Any) -> None:
    """Nothing, where it reports nothing; the tokens it made before it failed, where it reports
    them.
    """
    failed = {
        **RESPONSE,
        "status": "failed",
        "usage": usage,
        "error": {"code": "server_error", "message": "x"},
    }
    with vendor(failed) as (provider, _):
        outcome = ask_vendor(provider, "responses", response_id="resp_1", attempt_id="c.1")
    assert (
        outcome == found
        if isinstance(outcome, str)
        else outcome.usage and outcome.usage.output_tokens == found
    )


def test_a_completion_is_found_by_its_id_or_by_the_attempt_in_its_metadata() -> None:
    """A stream tells its id first; a call that was killed before has only the name it was given."""
    with vendor(COMPLETION) as (provider, asked):
        by_id = ask_vendor(provider, "chat", response_id="chatcmpl-1", attempt_id="c.1")
    with vendor({"object": "list", "data": [COMPLETION]}) as (provider, listed):
        by_name = ask_vendor(provider, "chat", response_id=None, attempt_id="c.1")
    assert asked == ["GET /v1/chat/completions/chatcmpl-1"]
    assert listed == ["GET /v1/chat/completions?metadata%5Btg_attempt%5D=c.1&limit=2"]
    assert by_id == by_name
    assert not isinstance(by_id, str)
    assert by_id.text == "Four."


def test_an_empty_list_says_that_nothing_is_kept() -> None:
    """Whether that means nothing was billed is for whoever knows what was seen of the answer."""
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
def test_what_is_no_answer_to_the_question_is_an_error(
    answer: Any, status: int, store: Any, response_id: str | None, kind: str
) -> None:
    """A server without the endpoint, or one that lists everybody's completions, says nothing of
    this call.
    """
    with vendor(answer, status) as (provider, _), pytest.raises(ProviderError) as caught:
        ask_vendor(provider, store, response_id=response_id, attempt_id="c.1")
    assert caught.value.kind == kind


def test_a_vendor_that_drips_is_not_waited_for() -> None:
    """One lookup must not hold up those after it."""

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
    ("api", "body", "vendor_name", "kept"),
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
def test_an_answer_is_kept_where_the_vendor_keeps_it_and_nobody_forbade_it(
    api: Any, body: Any, vendor_name: str, kept: str | None
) -> None:
    """Responses keep by default, chat completions on request; and only some vendors at all."""
    assert store_of(Payload(api, body), VENDORS[vendor_name]) == kept


def test_a_name_is_only_put_where_the_answer_is_kept() -> None:
    """Nobody who did not ask for `store` sends a byte more; a caller's own metadata stays."""
    assert add_attempt_id(Payload("chat", {}), "c.1", OPENAI).body == {}
    assert add_attempt_id(Payload("responses", {}), "c.1", OPENAI).body == {}
    own = Payload("chat", {"store": True, "metadata": {"a": "b"}}, ("note",))
    assert add_attempt_id(own, "c.1", OPENAI).body["metadata"] == {"a": "b", "tg_attempt": "c.1"}
    assert add_attempt_id(own, "c.1", OPENAI).warnings == ("note",)
    full = Payload("chat", {"store": True, "metadata": {str(n): "" for n in range(16)}})
    assert add_attempt_id(full, "c.1", OPENAI) is full
