"""Clients that send the head of a request without end, slowly, or not at all."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx2
import pytest

from tests.interfaces.server.serving import running
from turngraph.interfaces.server.app import create_app
from turngraph.interfaces.server.config import ServerConfig
from turngraph.interfaces.server.http_protocol import BoundedHttp, GatheredWrites

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"


class Hasty(BoundedHttp):
    head_s = 0.3


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(create_app(ServerConfig())) as url:
        yield url


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        yield connection


def until_closed(connection: socket.socket) -> bytes:
    """All that the server sends until it closes the connection."""
    received = b""
    try:
        while part := connection.recv(65_536):
            received += part
    except ConnectionResetError:
        pass  # it had not read all that was sent
    return received


CHUNKED = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
)


@pytest.mark.parametrize(
    "begun", [GET, GET + b"Y: ", b"GET /", CHUNKED + b"2\r\n{}\r\n0\r\n", CHUNKED + b"2;x="]
)
@pytest.mark.parametrize("endless", [b"X: 1\r\n", b"x"])
def test_a_head_without_end_is_cut_off(url: str, begun: bytes, endless: bytes) -> None:
    """Many headers, or one long one, or a long address, trailers, the extension of a chunk: a
    bounded part of them is kept.
    """
    with connected(url) as connection:
        with suppress(OSError):  # it may be closed before all is sent
            connection.sendall(begun + endless * (2_000_000 // len(endless)))
        assert b" 200 " not in until_closed(connection)


def test_a_body_of_one_byte_chunks_is_read(url: str) -> None:
    """And its trailers are passed over: they come when the headers have been looked at."""
    body = b'{"model": "' + b"x" * 40_000 + b'"}'
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    with connected(url) as connection:
        connection.sendall(CHUNKED + chunks + b"0\r\nX-Trailer: 1\r\n\r\n" + GET)
        connection.sendall(b"Connection: close\r\n\r\n")
        answers = until_closed(connection)
    assert b"`messages` must be a list" in answers
    assert b" 200 " in answers


def test_a_head_that_is_too_long_and_ends_is_answered(url: str) -> None:
    with connected(url) as connection:
        connection.sendall(GET + b"Y: " + b"x" * 70_000 + b"\r\nConnection: close\r\n\r\n")
        assert b" 431 " in until_closed(connection)


@pytest.mark.parametrize("sent", [b"", b"GET", GET, GET + b"\r\n" + GET])
def test_a_head_that_does_not_come_is_not_waited_for(sent: bytes) -> None:
    """Nor that of a second request on the connection; the first one is answered."""
    with running(create_app(ServerConfig()), Hasty) as url, connected(url) as connection:
        connection.sendall(sent)
        answered = until_closed(connection)
    assert (b" 200 " in answered) == (b"\r\n\r\n" in sent)


def test_a_body_and_a_stream_may_take_longer_than_a_head() -> None:
    with running(create_app(ServerConfig()), Hasty) as url, connected(url) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n")
        connection.sendall(b"Content-Length: 2\r\nConnection: close\r\n\r\n{")
        connection.settimeout(0.6)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(20)
        connection.sendall(b"}")
        assert b" 400 " in until_closed(connection)


@pytest.mark.parametrize("name", [b"Upgrade", b"UPGRADE"])
@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
def test_a_request_that_would_rather_use_another_protocol_keeps_its_body(
    url: str, name: bytes, protocol: bytes
) -> None:
    """Java's client asks for HTTP/2 with every request; also the second one of a connection."""
    asked = b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMA\r\n" + name
    body = b'{"model": "m"}'
    head = CHUNKED[:-2] + asked + b": " + protocol + b"\r\n\r\n"
    with connected(url) as connection:
        for at in (0, 30, len(head) - 3):  # the head comes in one packet, or in two
            connection.sendall(head[:at])
            time.sleep(0.02)
            connection.sendall(head[at:] + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
            answer = b""
            while b"`messages` must be a list" not in answer:
                part = connection.recv(65_536)
                assert part, answer
                answer += part


UPGRADING = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 14\r\n"
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n"
)
BODY = b'{"model": "m"}'
READ = b"`messages` must be a list"


def test_an_upgrade_that_comes_in_parts_loses_no_body(url: str) -> None:
    """Wherever the head is cut, as the network may: also within the name of the header."""
    name = UPGRADING.index(b"Upgrade: ")
    with connected(url) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        cuts = [name + n for n in range(-3, 10)]
        for parts in (*([UPGRADING[:n], UPGRADING[n:] + BODY] for n in cuts), one_by_one()):
            for part in parts:
                connection.sendall(part)
                time.sleep(0.01 if len(parts) == 2 else 0.001)
            answer = b""
            while READ not in answer:
                part = connection.recv(65_536)
                assert part, (parts, answer)
                assert b"invalid_json" not in part, parts
                answer += part


def one_by_one() -> list[bytes]:
    """A request in parts of one byte."""
    return [bytes([byte]) for byte in UPGRADING + BODY]


@pytest.mark.parametrize("first", [b"", b"\r\n", GET + b"\r\n", UPGRADING + BODY])
def test_an_upgrade_behind_another_request_loses_no_body(url: str, first: bytes) -> None:
    """In one packet, as a client sends them that waits for no answer."""
    with connected(url) as connection:
        connection.sendall(first + UPGRADING + BODY + GET + b"Connection: close\r\n\r\n")
        answers = until_closed(connection)
    assert answers.count(READ) == 1 + first.count(BODY)
    assert b'{"status":"ok"}' in answers


def test_an_upgrade_behind_a_body_in_chunks_is_refused_or_read(url: str) -> None:
    """Where such a body ends, is not known before it is read."""
    with connected(url) as connection:
        chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
        connection.sendall(CHUNKED + chunks + UPGRADING + BODY)
        connection.shutdown(socket.SHUT_WR)
        answers = until_closed(connection)
    assert b"invalid_json" not in answers


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 300,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n",
        b"get /healthz HTTP/1.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        GET + b"Authorization: a\x00b\r\n\r\n",
        GET + b"Content-Length: -5\r\n\r\n",
        GET + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        CHUNKED[:-2] + b"Content-Length: 3\r\n\r\n",
        GET.replace(b"\r\n", b"\n") + b"\n",
        GET + b"X" * 200_000,
    ],
)
def test_what_is_no_request_is_told_so_in_the_shape_of_all_errors(url: str, sent: bytes) -> None:
    """A program that reads errors reads this one too."""
    with connected(url) as connection:
        with suppress(OSError):  # it may be closed before all is sent
            connection.sendall(sent)
        head, _, body = until_closed(connection).partition(b"\r\n\r\n")
    if len(sent) > 100_000 and not head:
        return  # closed with bytes unread, so that the system has dropped the answer
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"x-request-id: req_" in head
    error = json.loads(body)["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_http")
    assert error["message"].endswith(".")


@pytest.mark.parametrize("name", [b"Authorization", b"x-api-key", b"Idempotency-Key", b"HOST"])
@pytest.mark.parametrize("second", [b"localhost", b"other"])
def test_a_header_that_says_two_things_is_refused(url: str, name: bytes, second: bytes) -> None:
    """A proxy in front of the server may go by the other one. The same twice is one."""
    twice = b"%s: localhost\r\n%s: %s\r\n" % (name, name, second)
    with connected(url) as connection:
        connection.sendall(GET + twice + b"Connection: close\r\n\r\n")
        answer = until_closed(connection)
    assert (b"repeated_header" in answer) == (second == b"other")
    assert (b" 400 " if second == b"other" else b" 200 ") in answer.partition(b"\r\n")[0]
    assert b"localhost" not in answer


def test_a_request_without_a_version_is_refused(url: str) -> None:
    """Its client, of HTTP/0.9, would take any error for the page that it has asked for."""
    with connected(url) as connection:
        connection.sendall(b"GET /v1/models\r\n\r\n")
        status, _, rest = until_closed(connection).partition(b"\r\n")
    assert b" 505 " in status
    assert b"HTTP/1.1" in rest


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/conversations"])
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"content-type": "application/x-www-form-urlencoded"}, "unsupported_content_type"),
        ({"content-type": "text/plain; charset=utf-8"}, "unsupported_content_type"),
        ({"content-type": "application/json; charset=utf-16"}, "unsupported_content_type"),
        (
            {"content-type": "application/json", "content-encoding": "gzip"},
            "unsupported_content_encoding",
        ),
    ],
)
def test_a_body_that_is_no_json_by_its_headers_is_refused(
    url: str, path: str, headers: dict[str, str], code: str
) -> None:
    """So what a form of a web page can send, without asking the server before, is not JSON here."""
    found = httpx2.post(url + path, headers=headers, content=b"{}")
    assert (found.status_code, found.json()["error"]["code"]) == (415, code)


@pytest.mark.parametrize(
    "more",
    [
        ("content-type", "text/plain"),
        ("content-type", "multipart/form-data; boundary=x, a/b+json"),
        ("content-type", "application/json; charset=utf-8; charset=utf-16"),
        ("content-type", "application/json; charset*=utf-8''utf-16"),
        ("content-encoding", "gzip"),
        ("content-encoding", "identity, gzip"),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_header_that_comes_twice_hides_nothing(
    url: str, more: tuple[str, str], is_first: bool
) -> None:
    """Of two headers a vendor may go by the other one, and read what was not metered."""
    plain = [("content-type", "application/json"), ("content-encoding", "identity")]
    headers = [more, *plain] if is_first else [*plain, more]
    found = httpx2.post(f"{url}/v1/chat/completions", headers=headers, content=b"{}")
    assert found.status_code == 415, found.text


@pytest.mark.parametrize("kind", [None, "application/json;charset=utf-8", "application/x+json"])
def test_json_by_any_of_its_names_is_read(url: str, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}
    found = httpx2.post(f"{url}/v1/chat/completions", headers=headers, content=b"{}")
    assert (found.status_code, "`model`" in found.text) == (400, True)


def test_what_is_written_in_one_step_is_sent_at_once_and_in_order() -> None:
    """As an answer's head, body and end; a connection that closes has sent all of it."""

    class Counted:
        """A transport that notes what it is given."""

        written: list[bytes]
        closed = False

        def __init__(self) -> None:
            self.written = []

        def write(self, data: bytes) -> None:
            assert not self.closed
            self.written.append(data)

        def close(self) -> None:
            self.closed = True

        def is_closing(self) -> bool:
            return self.closed

    async def write() -> list[bytes]:
        below: Any = Counted()
        transport = GatheredWrites(below, asyncio.get_running_loop())
        for part in (b"head ", b"body ", b"end"):
            transport.write(part)
        assert below.written == []
        await asyncio.sleep(0)
        assert below.written == [b"head body end"]
        transport.write(b"x" * 70_000)  # is not kept in memory
        assert len(below.written) == 2
        transport.write(b"last")
        transport.close()
        assert transport.is_closing()
        transport.write(b"too late")
        await asyncio.sleep(0)
        return [below.written[0], *below.written[2:]]

    assert asyncio.run(write()) == [b"head body end", b"last"]
