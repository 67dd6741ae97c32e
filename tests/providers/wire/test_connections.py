"""Connections are kept for the next request, one pool for each event loop and each process."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from turngraph.providers import OpenAIProvider, ProviderConfig
from turngraph.scripted.loopback import LoopbackServer

BODY = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
ANSWER = {"choices": [{"message": {"content": "4"}, "finish_reason": "stop"}]}


@dataclass
class Vendor:
    """Answers every request, and remembers over which connections they came."""

    url: str = ""
    peers: list[tuple[str, int]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        self.peers.append(request.transport.get_extra_info("peername"))
        await request.read()
        return web.json_response(ANSWER)

    @property
    def connections(self) -> int:
        return len(set(self.peers))


@pytest.fixture(scope="module")
def server() -> Iterator[Vendor]:
    vendor = Vendor()
    with LoopbackServer(vendor.answer) as listening:
        vendor.url = listening.base_url
        yield vendor


@pytest.fixture
def vendor(server: Vendor) -> Vendor:
    server.peers.clear()
    return server


@pytest.fixture
def provider(vendor: Vendor) -> Iterator[OpenAIProvider]:
    config = ProviderConfig(model="m", base_url=vendor.url, api_key="k", api="chat")
    made = OpenAIProvider(config)
    yield made
    made.close()


async def several(ask: Callable[[], Awaitable[Any]], count: int = 3) -> None:
    for _ in range(count):
        await ask()


def test_async_requests_in_a_row_share_a_connection(
    vendor: Vendor, provider: OpenAIProvider
) -> None:
    asyncio.run(several(lambda: provider.asend(BODY)))
    assert (len(vendor.peers), vendor.connections) == (3, 1)


def test_sync_requests_of_all_threads_share_a_connection(
    vendor: Vendor, provider: OpenAIProvider
) -> None:
    for _ in range(3):
        with ThreadPoolExecutor(1) as thread:
            assert thread.submit(provider.send, BODY).result().text == "4"
    assert (len(vendor.peers), vendor.connections) == (3, 1)


def test_each_event_loop_has_connections_of_its_own(
    vendor: Vendor, provider: OpenAIProvider
) -> None:
    """A connection of a loop that has ended would never answer."""
    for _ in range(3):
        asyncio.run(several(lambda: provider.asend(BODY), 2))
    assert (len(vendor.peers), vendor.connections) == (6, 3)


def test_two_providers_share_no_connection(vendor: Vendor, provider: OpenAIProvider) -> None:
    """Two tenants' keys never travel over one connection."""
    other = OpenAIProvider(provider.config)
    for each in (provider, other):
        each.send(BODY)
    other.close()
    assert (len(vendor.peers), vendor.connections) == (2, 2)


def test_requests_at_once_do_not_wait_for_each_other(
    vendor: Vendor, provider: OpenAIProvider
) -> None:
    """There is no limit on connections; those that are free are used again."""

    async def twice() -> None:
        for _ in range(2):
            await asyncio.gather(*(provider.asend(BODY) for _ in range(120)))

    asyncio.run(twice())
    assert len(vendor.peers) == 240
    assert vendor.connections <= 120


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_forked_process_opens_connections_of_its_own(
    vendor: Vendor, provider: OpenAIProvider
) -> None:
    """Two processes that wrote to one connection would get each other's answers."""
    provider.send(BODY)
    child = os.fork()
    if child == 0:
        texts = [provider.send(BODY).text, asyncio.run(provider.asend(BODY)).text]
        os._exit(0 if texts == ["4", "4"] else 1)
    assert os.waitpid(child, 0)[1] == 0
    provider.send(BODY)
    first, *of_child, last = vendor.peers
    assert first == last
    assert len({first, *of_child}) == 3
