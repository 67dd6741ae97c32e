"""A vendor with fixed answers, in a process of its own: serving costs no contender anything.

The path says what it answers: `/calls-32/…/v1/chat/completions` asks for 32 tool calls and, once
they are answered, says one sentence; `/chunks-1000/…/v1/chat/completions` says it in 1000 pieces;
`/held-1/…` is as `calls-1`, but keeps the last answer until someone asks for `/release`. `/counts`
says how many requests came under each path, so that every contender can have one of its own, and
how many turns the longest conversation had before.

A request that is not the one to send at this point is refused, so that nobody saves work by leaving
something out.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache, partial
from typing import Any, Final
from urllib.request import urlopen

from pydantic_core import from_json

from benchmarks.setting import ANSWER, MODEL, QUESTION, RESULT, SYSTEM, tool_calls

__all__ = ["Counts", "Vendor", "counted", "release", "vendor", "wrong_with"]

OFFERED: Final = {"get_weather", "calculate", "find_document"}
TURN_MESSAGES: Final = 4
"""What an earlier turn of one tool call leaves: question, call, result, answer."""
USAGE: Final = {
    "prompt_tokens": 120,
    "completion_tokens": 20,
    "total_tokens": 140,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}
HEAD: Final = "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nX-Request-Id: req_1\r\n{length}\r\n\r\n"


@dataclass
class Counts:
    """What came under one path: requests, and turns before the last one of a conversation."""

    requests: int = 0
    earlier: int = 0


class Vendor(asyncio.Protocol):
    """One connection. Requests come one after the other on it, as HTTP/1.1 clients send them."""

    def __init__(self, counts: "defaultdict[str, Counts]", held: list[Callable[[], None]]) -> None:
        self._counts, self._held, self._buffer = counts, held, bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where answers go."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole by now, or keep its answer."""
        self._buffer += data
        while (request := self._next_request()) is not None:
            assert self._transport is not None, "a connection is made before it brings data"
            answer, is_held = self._answer(*request)
            write = partial(self._transport.write, answer)
            if is_held:
                self._held.append(write)
            else:
                write()

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

    def _answer(self, path: str, body: bytes) -> tuple[bytes, bool]:
        """The answer, and whether it is to be kept for the time being."""
        if path == "/counts":
            return in_json({name: asdict(count) for name, count in self._counts.items()}), False
        if path == "/release":
            while self._held:
                self._held.pop()()
            return in_json({}), False
        request = from_json(body)
        kind, _, number = path.split("/")[1].partition("-")
        calls = 0 if kind == "chunks" else int(number)
        counts = self._counts[path.split("/v1/")[0]]
        counts.requests += 1
        counts.earlier = max(counts.earlier, begin_of(request) // TURN_MESSAGES)
        if wrong := wrong_with(request, calls):
            return in_json({"error": {"message": wrong}}, "400 Bad Request"), False
        is_last = request["messages"][-1]["role"] == "tool"
        if request.get("stream"):
            pieces = int(number) if kind == "chunks" else 8
            return streamed(0 if is_last else calls, pieces), False
        return whole(0 if is_last else calls), kind == "held" and is_last


def begin_of(request: dict[str, Any]) -> int:
    """The place of the last question among the messages."""
    return max(n for n, one in enumerate(request["messages"]) if one["role"] == "user")


def wrong_with(request: dict[str, Any], calls: int) -> str:
    """What is wrong with a request of a turn in which the model makes so many tool `calls`; empty
    where nothing is.

    >>> tools = [{"function": {"name": name}} for name in OFFERED]
    >>> messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
    >>> wrong_with({"model": MODEL, "tools": tools, "messages": messages}, calls=1)
    ''
    """
    messages = request["messages"]
    begin = begin_of(request)
    question, *rest = messages[begin:]
    offered = {tool["function"]["name"] for tool in request["tools"]}
    contents = [message["content"] for message in rest if message["role"] == "tool"]
    roles = [message["role"] for message in rest]
    if request["model"] != MODEL or offered != OFFERED:
        return f"Model {request['model']!r} and tools {sorted(offered)} are not those given."
    if (messages[0]["content"], question["content"]) != (SYSTEM, QUESTION):
        return f"{messages[0]} and {question} are not the messages that were given."
    if rest and (contents != [RESULT] * calls or roles != ["assistant", *["tool"] * calls]):
        return f"After the question come {roles} with the results {contents[:2]}."
    if begin % TURN_MESSAGES != 1:
        return f"{begin} messages before the last question are not one and whole turns."
    return ""


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
    head = HEAD.format(
        status="200 OK", kind="text/event-stream", length="Transfer-Encoding: chunked"
    ).encode()
    return head + b"".join(b"%x\r\n%b\r\n" % (len(block), block) for block in blocks) + b"0\r\n\r\n"


def cut(text: str, pieces: int) -> list[str]:
    """`text` again and again, word by word, in as many `pieces`.

    >>> cut("one two", 3)
    ['one ', 'two ', 'one ']
    """
    words = [f"{word} " for word in text.split()]
    return [words[n % len(words)] for n in range(pieces)]


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


def in_json(value: Any, status: str = "200 OK") -> bytes:
    """`value` as an HTTP answer."""
    body = json.dumps(value).encode()
    length = f"Content-Length: {len(body)}"
    return HEAD.format(status=status, kind="application/json", length=length).encode() + body


async def serve() -> None:
    """Listen on a free port, print it, and serve until whoever started this closes our input."""
    loop, counts = asyncio.get_running_loop(), defaultdict[str, Counts](Counts)
    held: list[Callable[[], None]] = []
    server = await loop.create_server(lambda: Vendor(counts, held), "127.0.0.1", 0, backlog=4096)
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


def counted(origin: str) -> dict[str, Counts]:
    """What came so far, by the path before `/v1`."""
    with urlopen(f"{origin}/counts") as answer:
        return {path: Counts(**counts) for path, counts in json.load(answer).items()}


def release(origin: str) -> None:
    """Let all answers go that the server keeps."""
    urlopen(f"{origin}/release").close()


if __name__ == "__main__":
    asyncio.run(serve())
