"""Connections that break before an answer: a request that was sent may be billed, others cannot."""

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from turngraph.providers.config import ProviderConfig
from turngraph.providers.openai_provider import OpenAIProvider
from turngraph.state.errors import ProviderError

BODY = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def after_reading(line: socket.socket) -> None:
    """The server reads the request and closes the connection."""
    line.recv(65536)


def by_reset(line: socket.socket) -> None:
    """The server reads the request and resets the connection."""
    line.recv(65536)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def in_the_status_line(line: socket.socket) -> None:
    """The server closes the connection when it has just begun to answer."""
    line.recv(65536)
    line.sendall(b"HTTP/1.1 200 O")


def in_the_headers_by_reset(line: socket.socket) -> None:
    """The server resets the connection within the headers."""
    line.recv(65536)
    line.sendall(b"HTTP/1.1 200 OK\r\nContent-Ty")
    time.sleep(0.2)  # a reset throws away what has not arrived yet
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextmanager
def server(ends: Callable[[socket.socket], None]) -> Iterator[str]:
    """Yields the base URL of a server that takes one connection, and ends it by `ends`."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with listening.accept()[0] as line:
                ends(line)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        thread.join()


def failure(base_url: str, way: str) -> ProviderError:
    """Returns the error that sending to `base_url` raises."""
    provider = OpenAIProvider(
        ProviderConfig(vendor="openai", model="m", base_url=base_url, api_key="k", api="chat")
    )
    with pytest.raises(ProviderError) as caught:
        provider.send(BODY) if way == "sync" else asyncio.run(provider.asend(BODY))
    provider.close()
    return caught.value


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("ends", [after_reading, by_reset])
def test_a_connection_that_breaks_after_the_request_was_sent_may_cost(
    ends: Callable[..., None], way: str
) -> None:
    """The SDK's aiohttp transport reports all of these as connections that were never made."""
    with server(ends) as url:
        error = failure(url, way)
    assert (error.kind, error.billed, error.retryable) == ("connection", "unknown", True)
    assert "the connection broke" in str(error)


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("ends", [in_the_status_line, in_the_headers_by_reset])
def test_an_answer_whose_head_had_begun_is_not_asked_for_again(
    ends: Callable[..., None], way: str
) -> None:
    """The vendor has served the request, though nobody knows its status."""
    with server(ends) as url:
        error = failure(url, way)
    assert (error.kind, error.billed, error.retryable) == ("truncated", "unknown", False)


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_connection_that_was_refused_costs_nothing(way: str) -> None:
    """Nothing was sent."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    error = failure(f"http://127.0.0.1:{port}/v1", way)
    assert (error.kind, error.billed) == ("connection", "none")
