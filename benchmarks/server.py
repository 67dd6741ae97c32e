"""A vendor with fixed answers, in a process of its own: what it costs to serve is nobody's cost but
its own.

The path says what it answers: `/calls-32/…/v1/chat/completions` asks for 32 tool calls and, once
they are answered, says one sentence; `/chunks-1000/…/v1/chat/completions` says it in 1000 pieces.
`/counts` tells how many requests came under each path, so that every contender can have one of its
own.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final
from urllib.request import urlopen

from pydantic_core import from_json

__all__ = ["ANSWER", "Vendor", "counted", "vendor"]

ANSWER: Final = "It is sunny in Oslo, and six times seven is forty-two."
ARGUMENTS: Final = '{"city":"Oslo"}'
USAGE: Final = {
    "prompt_tokens": 120,
    "completion_tokens": 20,
    "total_tokens": 140,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}
HEAD: Final = "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nX-Request-Id: req_1\r\n{length}\r\n\r\n"


class Vendor(asyncio.Protocol):
    """One connection. Requests come one after the other on it, as HTTP/1.1 clients send them."""

    def __init__(self, counts: "Counter[str]") -> None:
        self._counts, self._buffer = counts, bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where answers go."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole by now."""
        self._buffer += data
        while (request := self._next_request()) is not None:
            assert self._transport is not None, "a connection is made before it brings data"
            self._transport.write(self._answer(*request))

    def _next_request(self) -> tuple[str, bytes] | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        whole = end + 4 + int(headers.get("content-length", "0"))
        if len(self._buffer) < whole:
            return None
        body = bytes(self._buffer[end + 4 : whole])
        del self._buffer[:whole]
        return first.split(" ")[1], body

    def _answer(self, path: str, body: bytes) -> bytes:
        if path == "/counts":
            return in_json(dict(self._counts))
        self._counts[path.split("/v1/")[0]] += 1
        request = from_json(body)
        kind, _, number = path.split("/")[1].partition("-")
        wants_tools = kind == "calls" and request["messages"][-1]["role"] != "tool"
        if request.get("stream"):
            return streamed(
                int(number) if wants_tools else 0, int(number) if kind == "chunks" else 8
            )
        return whole(int(number) if wants_tools else 0)


@cache
def whole(calls: int) -> bytes:
    """The answer as a JSON body."""
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if calls else ANSWER,
        "refusal": None,
    }
    if calls:
        message["tool_calls"] = tool_calls(calls)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason(calls)}
    return in_json({**envelope("chat.completion"), "choices": [choice], "usage": USAGE})


@cache
def streamed(calls: int, pieces: int) -> bytes:
    """The answer as server-sent events, each in an HTTP chunk of its own, all written at once."""
    text = [] if calls else [{"content": piece} for piece in cut(ANSWER, pieces)]
    asked = [{"tool_calls": [{"index": n, **call}]} for n, call in enumerate(tool_calls(calls))]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, *asked, *text]
    ends: list[str | None] = [*([None] * len(deltas)), reason(calls)]
    events: list[dict[str, Any]] = [
        {
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": end}],
            "usage": None,
        }
        for delta, end in zip([*deltas, {}], ends, strict=True)
    ]
    events.append({"choices": [], "usage": USAGE})
    lines = [json.dumps({**envelope("chat.completion.chunk"), **event}) for event in events]
    blocks = [f"data: {line}\n\n".encode() for line in (*lines, "[DONE]")]
    head = HEAD.format(kind="text/event-stream", length="Transfer-Encoding: chunked").encode()
    return head + b"".join(b"%x\r\n%b\r\n" % (len(block), block) for block in blocks) + b"0\r\n\r\n"


def cut(text: str, pieces: int) -> list[str]:
    """`text` again and again, word by word, in as many `pieces`.

    >>> cut("one two", 3)
    ['one ', 'two ', 'one ']
    """
    words = [f"{word} " for word in text.split()]
    return [words[n % len(words)] for n in range(pieces)]


def tool_calls(number: int) -> list[dict[str, Any]]:
    """So many calls of `get_weather`, each with an id of its own."""
    function = {"name": "get_weather", "arguments": ARGUMENTS}
    return [{"id": f"call_{n:04}", "type": "function", "function": function} for n in range(number)]


def reason(calls: int) -> str:
    """Why the answer ends."""
    return "tool_calls" if calls else "stop"


def envelope(kind: str) -> dict[str, Any]:
    """What stands around every answer. The model is one that has a list price, so that turns are
    priced.
    """
    return {
        "id": "chatcmpl-1",
        "object": kind,
        "created": 1,
        "model": "gpt-4o-mini",
        "system_fingerprint": None,
    }


def in_json(value: Any) -> bytes:
    """`value` as an HTTP answer."""
    body = json.dumps(value).encode()
    return (
        HEAD.format(kind="application/json", length=f"Content-Length: {len(body)}").encode() + body
    )


async def serve() -> None:
    """Listen on a free port, print it, and serve until whoever started this closes our input."""
    loop, counts = asyncio.get_running_loop(), Counter[str]()
    server = await loop.create_server(lambda: Vendor(counts), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    closed = asyncio.Event()
    loop.add_reader(sys.stdin, lambda: closed.set() if not os.read(0, 1) else None)
    await closed.wait()


@contextmanager
def vendor() -> Iterator[str]:
    """The origin of a server that runs in a process of its own meanwhile.

    >>> with vendor() as origin:
    ...     counted(origin)
    {}
    """
    command = [sys.executable, "-m", "benchmarks.server"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None, "it was asked for"
        assert process.stdout is not None, "it was asked for"
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()


def counted(origin: str) -> dict[str, int]:
    """How many requests came so far, by the path before `/v1`."""
    with urlopen(f"{origin}/counts") as answer:
        counts: dict[str, int] = json.load(answer)
        return counts


if __name__ == "__main__":
    asyncio.run(serve())
