"""Answers whose connection stays open after their end, or breaks before it."""

import asyncio
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.garbage import uncollected
from turngraph.providers.config import ProviderConfig
from turngraph.providers.openai_provider import OpenAIProvider
from turngraph.providers.timeouts import Timeouts
from turngraph.providers.wire import answer_chunks
from turngraph.state.errors import ProviderError
from turngraph.state.reply import ProviderReply
from turngraph.state.request import Api

SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
CHAT = (
    b'data: {"choices": [{"delta": {"content": "4"}, "finish_reason": "stop"}]}\n\n'
    b'data: {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 1}}\n\n'
)
LATE = b'data: {"choices": [{"delta": {"content": "2"}}]}\n\ndata: [DONE]\n\n'
RESPONSES = (
    b'data: {"type": "response.completed", "response": {"id": "r", "status": "completed", '
    b'"output": [{"type": "message", "content": [{"type": "output_text", "text": "4"}]}]}}\n\n'
)
JSON = b'{"choices": [{"message": {"content": "4"}, "finish_reason": "stop"}]}'

Serve = Callable[[socket.socket], None]


@contextmanager
def server(answer: Serve) -> Iterator[str]:
    """Yields the base URL of a server that answers every request by `answer`."""

    def serve(line: socket.socket) -> None:
        with line, suppress(OSError):
            line.recv(65536)
            answer(line)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"


def ask(
    answer: Serve,
    way: str,
    api: Api = "chat",
    stream: bool = True,
    timeouts: Timeouts = Timeouts(),  # noqa: B008  it cannot be changed
) -> ProviderReply:
    with server(answer) as url:
        config = ProviderConfig(
            vendor="openai", model="m", base_url=url, api_key="k", api=api, timeouts=timeouts
        )
        provider = OpenAIProvider(config)
        body = {"model": "m"}
        if way == "sync":
            reply = provider.send(body, stream=stream)
        else:
            reply = asyncio.run(provider.asend(body, stream=stream))
        provider.close()
        return reply


def silent(end: bytes) -> Serve:
    def answer(line: socket.socket) -> None:
        line.sendall(SSE + end)
        time.sleep(600)

    return answer


def pinging(end: bytes) -> Serve:
    def answer(line: socket.socket) -> None:
        line.sendall(SSE + end)
        for _ in range(6000):
            time.sleep(0.1)
            line.sendall(b": ping\n\n")

    return answer


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("stays_open", [silent, pinging])
@pytest.mark.parametrize(("api", "end"), [("chat", CHAT), ("responses", RESPONSES)])
def test_a_complete_answer_ends_though_its_stream_stays_open(
    api: Api, end: bytes, stays_open: Callable[[bytes], Serve], way: str
) -> None:
    """The answer is paid for, and nothing more of it can come."""
    began = time.monotonic()
    reply = ask(stays_open(end), way, api)
    assert (reply.text, reply.truncated) == ("4", False)
    assert time.monotonic() - began < 300


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_pause_within_an_answer_may_be_longer_than_the_one_before_it(way: str) -> None:
    """`first_byte_s` is over with the first byte, then `idle_s` counts, whichever is longer."""

    def answer(line: socket.socket) -> None:
        line.sendall(SSE + LATE.partition(b"data: [DONE]")[0])
        time.sleep(0.6)
        line.sendall(CHAT)

    reply = ask(answer, way, timeouts=Timeouts(first_byte_s=0.3, idle_s=60))
    assert (reply.text, reply.truncated) == ("24", False)


@pytest.mark.parametrize("way", ["sync", "async"])
def test_an_answer_whose_line_stays_open_leaves_nothing_to_the_garbage_collector(way: str) -> None:
    """What still waits for more of it is cancelled, and its error knows the answer."""
    whole = silent(CHAT + b"data: [DONE]\n\n")
    ask(whole, way)  # imports, and begins what stays
    with uncollected() as left:
        ask(whole, way)
        time.sleep(0.1)  # the loop's thread closes the connection on its own time
    assert not left


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("stays_open", [silent, pinging])
def test_an_answer_whose_usage_never_comes_is_whole(
    stays_open: Callable[[bytes], Serve], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was asked for, and some vendors never send one, nor close the connection."""
    monkeypatch.setattr(answer_chunks, "_USAGE_S", 0.3)
    began = time.monotonic()
    reply = ask(stays_open(CHAT.partition(b"\n\n")[0] + b"\n\n"), way)
    assert (reply.text, reply.truncated, reply.usage) == ("4", False, None)
    assert time.monotonic() - began < 300


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_stream_that_says_stop_in_every_piece_is_read_to_its_end(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each piece of the text begins the wait anew."""
    monkeypatch.setattr(answer_chunks, "_USAGE_S", 0.5)
    piece = CHAT.partition(b"\n\n")[0] + b"\n\n"

    def answer(line: socket.socket) -> None:
        line.sendall(SSE)
        for _ in range(5):
            line.sendall(piece)
            time.sleep(0.15)

    assert ask(answer, way).text == "44444"


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_piece_shortly_after_the_finish_reason_and_the_usage_is_waited_for(way: str) -> None:
    """Some vendors send the last piece of the text there."""

    def answer(line: socket.socket) -> None:
        line.sendall(SSE + CHAT)
        time.sleep(0.2)
        line.sendall(LATE)

    assert ask(answer, way).text == "42"


def test_other_tasks_run_while_an_answer_that_arrived_at_once_is_read() -> None:
    """Its first words are shown before its last are read, and no other turn waits for it."""
    event = b'data: {"choices": [{"delta": {"content": "word "}}]}\n\n'
    turns_of_the_loop, at_piece = 0, []

    async def others() -> None:
        nonlocal turns_of_the_loop
        while True:
            turns_of_the_loop += 1
            await asyncio.sleep(0)

    async def read(url: str) -> ProviderReply:
        config = ProviderConfig(vendor="openai", model="m", base_url=url, api_key="k", api="chat")
        provider, task = OpenAIProvider(config), asyncio.create_task(others())
        try:
            return await provider.asend(
                {"model": "m"},
                stream=True,
                on_chunk=lambda chunk: at_piece.append(turns_of_the_loop),
            )
        finally:
            task.cancel()
            await provider.aclose()

    with server(lambda line: line.sendall(SSE + event * 1000 + CHAT + b"data: [DONE]\n\n")) as url:
        reply = asyncio.run(read(url))
    assert reply.text == "word " * 1000 + "4"
    assert max(Counter(at_piece).values()) < 100


def by_length(body: bytes, kind: bytes) -> Serve:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
    return lambda line: line.sendall(head % (kind, len(body) + 40) + body)


def by_chunks(body: bytes, kind: bytes) -> Serve:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n"
    return lambda line: line.sendall(head % (kind, len(body) + 40) + body)


def by_close(body: bytes, kind: bytes) -> Serve:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nConnection: close\r\n\r\n"
    return lambda line: line.sendall(head % kind + body)


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("framed", [by_length, by_chunks, by_close])
def test_a_cut_answer_is_truncated_however_it_was_framed(
    framed: Callable[[bytes, bytes], Serve], way: str
) -> None:
    """It began, so it may be billed, and it is not asked for again."""
    with pytest.raises(ProviderError) as caught:
        ask(framed(JSON[:-20], b"application/json"), way, stream=False)
    assert (caught.value.kind, caught.value.retryable) == ("truncated", False)
    streamed = CHAT.split(b"finish_reason")[0][:-3] + b"}]}\n\n"
    assert ask(framed(streamed, b"text/event-stream"), way).truncated


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 20_000 + b"\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 7\r\n\r\nnotgzip",
        b"SSH-2.0-OpenSSH_9.6\r\n",
    ],
    ids=["status line", "chunk size", "length and chunks", "long header", "gzip", "other protocol"],
)
def test_malformed_http_is_a_protocol_error(raw: bytes, way: str) -> None:
    """The vendor may have served the request, so it is not asked for again."""
    with pytest.raises(ProviderError) as caught:
        ask(lambda line: line.sendall(raw), way, stream=False)
    assert (caught.value.kind, caught.value.retryable) == ("protocol", False)
    assert caught.value.billed == "unknown"
