"""What a message of LangChain's says about the usage and the cost of its call."""

import asyncio
import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI

from tests.billing.langchain.metered import both, metered
from turngraph.billing.langchain.callback import LedgerCallback
from turngraph.billing.langchain.message_usage import usage_of
from turngraph.billing.langchain.middleware import LedgerMiddleware

COUNTS = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
UPSTREAM = {"cost_details": {"upstream_inference_cost": 0.5}}


@pytest.fixture
def vendor() -> Iterator[Any]:
    """A server whose `usage` a test sets."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            message = {"role": "assistant", "content": "4"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            answer = {"id": "c", "model": "m", "choices": [choice], "usage": server.usage}
            answer |= server.more
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.more = {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@both
@pytest.mark.parametrize(
    ("reported", "usd"),
    [
        ({"cost": 0.25}, "0.25"),
        ({"cost": "0.25"}, "0.25"),
        ({"cost": 0.5, "is_byok": False, **UPSTREAM}, "0.5"),
        ({"cost": 0.01, "is_byok": True, **UPSTREAM}, "0.51"),
        ({"cost_in_usd_ticks": 5_000_000_000}, "0.5"),
    ],
)
def test_the_vendors_own_cost_is_what_a_call_of_langchains_costs(
    book: Any, vendor: Any, mode: str, reported: dict[str, Any], usd: str
) -> None:
    """As in a turn; with the caller's own key, the router's fee and what its vendor takes."""
    vendor.usage = {**COUNTS, **reported}
    url = f"http://127.0.0.1:{vendor.server_port}/v1"
    chat = ChatOpenAI(model="gpt-4o-mini", base_url=url, api_key="none", max_retries=0)
    config: Any = {"callbacks": [LedgerCallback(metered(book))]}
    if mode == "sync":
        chat.invoke("Hi", config=config)
    else:
        asyncio.run(chat.ainvoke("Hi", config=config))
    charged = book.rows("SELECT charge_nano FROM attempt")[0]["charge_nano"]
    assert Decimal(charged) / 10**9 == Decimal(usd)


CACHED = [
    {"prompt_tokens_details": {"cached_tokens": 900}},
    {"prompt_cache_hit_tokens": 900, "prompt_cache_miss_tokens": 100},
    {"cache_read_input_tokens": 900},
    {"cached_tokens": 900},
    {"num_cached_tokens": 900},
]


@pytest.mark.parametrize("tier", [None, "priority", "flex"])
@pytest.mark.parametrize("reported", CACHED, ids=repr)
def test_tokens_from_a_cache_are_told_apart_under_any_name(
    book: Any, vendor: Any, reported: dict[str, Any], tier: str | None
) -> None:
    """LangChain knows OpenAI's name alone; under the others the full rate was charged."""
    vendor.usage, vendor.more = {**COUNTS, **reported}, {"service_tier": tier}
    url = f"http://127.0.0.1:{vendor.server_port}/v1"
    chat = ChatOpenAI(model="gpt-4o-mini", base_url=url, api_key="none", max_retries=0)
    agent: Any = create_agent(chat, [], middleware=[LedgerMiddleware(metered(book))])
    agent.invoke({"messages": [("user", "Hi")]})
    chat.invoke("Hi", config={"callbacks": [LedgerCallback(metered(book))]})
    usages = [json.loads(row["usage"]) for row in book.rows("SELECT usage FROM attempt")]
    assert [usage["cache_read_tokens"] for usage in usages] == [900, 900]


@pytest.mark.parametrize(
    ("details", "read", "written"),
    [
        ({"cache_read": 4, "cache_creation": 2}, 4, 2),
        ({"priority_cache_read": 4, "priority": 5, "priority_cache_creation": 2}, 4, 2),
        (
            {"cache_creation": 0, "ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3},
            None,
            5,
        ),
        ({}, None, None),
    ],
)
def test_a_cache_is_read_from_every_name_that_langchain_has(
    details: Any, read: int | None, written: int | None
) -> None:
    """It names counts by their tier, and Anthropic's writes by how long they are kept."""
    usage: Any = {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11}
    found = usage_of(AIMessage("4", usage_metadata={**usage, "input_token_details": details}))
    assert found is not None
    assert (found.cache_read_tokens, found.cache_write_tokens) == (read, written)


@pytest.mark.parametrize(
    "reported",
    [
        {"cost": -1},
        {"cost": float("nan")},
        {"cost": 1e30},
        {"cost": True},
        {"cost": "much"},
        {"cost": 0.01, "is_byok": True},
        {"cost_in_usd_ticks": 0},
    ],
    ids=repr,
)
def test_what_is_no_cost_leaves_the_list_price(reported: dict[str, Any]) -> None:
    """A fee alone is not the cost, and a negative one would pay the caller."""
    usage: Any = {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11}
    message = AIMessage("4", usage_metadata=usage, response_metadata={"token_usage": reported})
    read = usage_of(message)
    assert read is not None
    assert read.cost_usd is None


def test_reasoning_beside_the_answer_is_charged() -> None:
    """xAI's total shows that its reasoning is not among the completion's tokens."""
    usage: Any = {
        "input_tokens": 9,
        "output_tokens": 2,
        "total_tokens": 41,
        "output_token_details": {"reasoning": 30},
    }
    read = usage_of(AIMessage("4", usage_metadata=usage))
    assert read is not None
    assert (read.output_tokens, read.reasoning_tokens) == (32, 30)


def counted(read: Any, written: Any, total: Any) -> tuple[int | None, int | None, int | None]:
    """The counts that are left of those in LangChain's form, which it does not check."""
    message = AIMessage("4")
    message.usage_metadata = {"input_tokens": read, "output_tokens": written, "total_tokens": total}
    usage = usage_of(message)
    assert usage is not None
    return usage.input_tokens, usage.output_tokens, usage.total_tokens


def test_counts_that_came_as_text_are_none() -> None:
    """LangChain adds "1000" and "100" to 1000100 in a stream, which was charged."""
    assert counted("1000", "100", "1000100") == (None, None, None)
    assert counted(1000, 100, 1000100) == (None, None, None)
    assert counted(True, 100, 101) == (None, 100, None)


def test_a_side_that_was_left_out_follows_from_the_total() -> None:
    """LangChain writes 0 for it."""
    assert counted(0, 100, 1100) == (None, 100, 1100)
    assert counted(1000, 0, 1100) == (1000, None, 1100)
    assert counted(1000, 0, 1000) == (1000, 0, 1000)
    assert counted(1000.0, 100.0, 1100.0) == (1000, 100, 1100)
