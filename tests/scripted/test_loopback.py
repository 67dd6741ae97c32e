"""The loopback server: it opens at once, answers, and leaves nothing behind."""

import asyncio
import socket
import threading
from urllib.request import urlopen

import pytest
from aiohttp import web

from turngraph.scripted.loopback import LoopbackServer


async def echo(request: web.Request) -> web.Response:
    return web.Response(text=f"{request.method} {request.path}")


async def hang(_: web.Request) -> web.Response:
    await asyncio.sleep(3600)
    return web.Response()


def refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def ended(client: socket.socket) -> bool:
    client.settimeout(20)
    try:
        return client.recv(100) == b""
    except ConnectionResetError:
        return True


def test_a_handler_answers_every_path() -> None:
    """A test hands over one function and needs no framework."""
    with LoopbackServer(echo) as server, urlopen(f"{server.base_url}/any/thing") as answer:
        assert answer.read() == b"GET /v1/any/thing"
        assert server.base_url == f"{server.origin}/v1"


def test_routes_are_served_as_an_application() -> None:
    """A documented service has several paths; they are given as a table."""
    routes = [web.get("/one", echo), web.get("/two", hang)]
    with LoopbackServer(routes) as server, urlopen(f"{server.origin}/one") as answer:
        assert answer.read() == b"GET /one"


def test_closing_frees_thread_and_port() -> None:
    """Hundreds of servers come and go in one test run."""
    before = threading.active_count()
    server = LoopbackServer(echo).start()
    port = server.port
    server.close()
    server.close()
    assert threading.active_count() == before
    assert refused(port)


async def test_the_async_face_frees_them_too() -> None:
    """`async with` holds up no event loop and leaves no executor thread behind."""
    before = threading.active_count()
    async with LoopbackServer(echo) as server:
        port = server.port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /x HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"GET /x")
        writer.close()
        await writer.wait_closed()
    assert threading.active_count() == before
    assert refused(port)


def test_closing_ends_an_answer_that_would_never_come() -> None:
    """A model told to hang must not keep the test run from ending."""
    with (
        LoopbackServer(hang) as server,
        socket.create_connection(("127.0.0.1", server.port)) as client,
    ):
        client.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        server.close()
        assert ended(client)


def test_a_connection_made_the_moment_it_closes_is_not_left_open() -> None:
    """A client whose connection nobody closes would wait for ever."""
    for _ in range(30):
        with (
            LoopbackServer(echo) as server,
            socket.create_connection(("127.0.0.1", server.port)) as client,
        ):
            server.close()
            assert ended(client)


def test_a_taken_port_is_an_error_at_once() -> None:
    """Waiting for a server that cannot listen would hang for ever."""
    with LoopbackServer(echo) as first, pytest.raises(OSError, match="Address already in use"):
        LoopbackServer(echo, port=first.port).start()


def test_a_port_asked_for_too_early_says_what_to_do() -> None:
    """The commonest slip: building the server and forgetting to open it."""
    with pytest.raises(RuntimeError, match="`with` block"):
        _ = LoopbackServer(echo).base_url
