"""HTTP that is none, and HTTP that contradicts itself."""

from functools import partial

from tests.faults.answers import Good, chunked, head
from tests.faults.fault import Fault
from tests.faults.script import Endless, Script, Wait


def raw(start: bytes, good: Good) -> Script:
    """These bytes, whatever was asked."""
    return [start]


def framed(good: Good, *lines: str, body: bytes | None = None) -> Script:
    """The answer under these headers."""
    return [head(good.kind, *lines) + (good.body() if body is None else body)]


def broken(name: str, start: bytes) -> Fault:
    """A row for bytes that are no HTTP: the request may have been served, so it is made once."""
    return Fault(name, partial(raw, start), "protocol: held")


CHUNKED = "Transfer-Encoding: chunked"
OK = b"HTTP/1.1 200 OK\r\n"

BROKEN = [
    broken("a status that is no number", b"HTTP/1.1 abc OK\r\n\r\n"),
    broken("a status of two digits", b"HTTP/1.1 20 OK\r\n\r\n"),
    broken("a status of four digits", b"HTTP/1.1 2000 OK\r\n\r\n"),
    broken("a version that is none", b"HTTP/one 200 OK\r\n\r\n"),
    broken("another protocol", b"SSH-2.0-OpenSSH_9.6\r\n"),
    broken("a TLS record", b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n"),
    broken("HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    broken("zeros", bytes(400) + b"\r\n\r\n"),
    broken("a body without a head", b'{"choices": []}\r\n\r\n'),
    broken("a status line of 20 kB", b"HTTP/1.1 200 " + b"O" * 20_000 + b"\r\n\r\n"),
    broken("a header of 20 kB", OK + b"X-A: " + b"a" * 20_000 + b"\r\n\r\n"),
    broken("a header's name of 20 kB", OK + b"a" * 20_000 + b": b\r\n\r\n"),
    broken("5,000 headers", OK + b"".join(b"X-%d: b\r\n" % n for n in range(5000)) + b"\r\n"),
    broken("a header without a colon", OK + b"X-A\r\n\r\n"),
    broken("a header with NUL", OK + b"X-A: a\x00b\r\n\r\n"),
    broken("two lengths that differ", OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
    broken("a length below zero", OK + b"Content-Length: -1\r\n\r\n{}"),
    broken("a length that is no number", OK + b"Content-Length: two\r\n\r\n{}"),
    broken("a length of 30 digits", OK + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n{}"),
    broken(
        "a length and chunks",
        OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    broken(
        "a chunk size that is no number", OK + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n"
    ),
    broken("a chunk size below zero", OK + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n"),
    broken(
        "a chunk longer than it says",
        OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
    ),
    broken("gzip that is none", OK + b"Content-Encoding: gzip\r\nContent-Length: 7\r\n\r\nnotgzip"),
]

ODD = [
    Fault(
        "chunks", lambda good: framed(good, CHUNKED, body=chunked(good.body())), "completed: usage"
    ),
    Fault(
        "chunks of one byte",
        lambda good: framed(good, CHUNKED, body=chunked(good.body(), 1)),
        "completed: usage",
    ),
    Fault(
        "chunks with trailers",
        lambda good: framed(good, CHUNKED, body=chunked(good.body())[:-2] + b"X-T: a\r\n\r\n"),
        "completed: usage",
    ),
    Fault(
        "chunks with extensions",
        lambda good: framed(
            good, CHUNKED, body=chunked(good.body()).replace(b"\r\n", b";a=b\r\n", 1)
        ),
        "completed: usage",
    ),
    Fault(
        "chunks, the last one missing",
        lambda good: framed(good, CHUNKED, body=chunked(good.body())[:-5]),
        "completed: usage",
    ),
    Fault(
        "chunks, the last one missing, the line open",
        lambda good: [*framed(good, CHUNKED, body=chunked(good.body())[:-5]), Wait()],
        "timeout: held",
        {"SSE": "completed: usage"},
        patience_s=1.5,
    ),
    Fault(
        "framed by the end of the connection",
        lambda good: framed(good, "Connection: close"),
        "completed: usage",
    ),
    Fault(
        "HTTP/1.0",
        lambda good: [head(good.kind, version="HTTP/1.0") + good.body()],
        "completed: usage",
    ),
    Fault(
        "no reason in the status line",
        lambda good: [good.answer().replace(b"200 OK", b"200", 1)],
        "completed: usage",
    ),
    Fault(
        "lines that end in LF alone",
        lambda good: [
            head(good.kind, f"Content-Length: {len(good.body())}").replace(b"\r\n", b"\n")
            + good.body()
        ],
        "completed: usage",
    ),
    Fault(
        "bytes after the end of the answer",
        lambda good: [good.answer() + b"garbage\r\n\r\n"],
        "protocol: held",
    ),
    Fault("a second answer behind the first", lambda good: [good.answer() * 2], "completed: usage"),
    Fault(
        "a length that is too long",
        lambda good: framed(good, f"Content-Length: {len(good.body()) + 9}"),
        "completed: usage",
    ),
    Fault(
        "a length that is too short",
        lambda good: framed(good, f"Content-Length: {len(good.body()) - 30}"),
        "protocol: held",
    ),
    Fault(
        "two equal lengths",
        lambda good: framed(good, *[f"Content-Length: {len(good.body())}"] * 2),
        "protocol: held",
    ),
    Fault(
        "200 headers",
        lambda good: [good.answer(None, *(f"X-{n}: b" for n in range(100)))],
        "completed: usage",
    ),
    Fault(
        "a header in Latin-1",
        lambda good: [good.answer(None, "X-Name: Jos\xe9")],
        "completed: usage",
    ),
    Fault(
        "an empty line before the status",
        lambda good: [b"\r\n" + good.answer()],
        "completed: usage",
    ),
    Fault(
        "gzip that nobody asked for",
        lambda good: framed(
            good,
            "Content-Encoding: gzip",
            f"Content-Length: {len(good.zipped())}",
            body=good.zipped(),
        ),
        "completed: usage",
    ),
    Fault(
        "gzip cut in the middle",
        lambda good: framed(
            good, "Content-Encoding: gzip", "Connection: close", body=good.zipped()[:-60]
        ),
        "truncated: held",
        {"SSE": "truncated: estimate"},
    ),
    Fault(
        "gzip with a damaged checksum",
        lambda good: framed(
            good,
            "Content-Encoding: gzip",
            "Connection: close",
            body=good.zipped()[:-8] + b"12345678",
        ),
        "protocol: held",
    ),
    Fault(
        "an encoding that nobody knows",
        lambda good: framed(good, "Content-Encoding: rot13", "Connection: close"),
        "completed: usage",
    ),
    Fault(
        "204, no content", lambda good: [head(good.kind, status="204 No Content")], "protocol: held"
    ),
    Fault(
        "205, reset content",
        lambda good: [head("Content-Length: 0", status="205 Reset Content")],
        "protocol: held",
    ),
    Fault(
        "206 with the answer",
        lambda good: [good.answer(status="206 Partial Content")],
        "completed: usage",
    ),
    Fault(
        "201 with the answer", lambda good: [good.answer(status="201 Created")], "completed: usage"
    ),
    Fault(
        "a body of blanks, for ever",
        lambda good: [*framed(good, "Connection: close", body=b" "), Endless(b" ")],
        "timeout: held",
        patience_s=1.0,
        total_s=2.0,
    ),
    Fault(
        "a body of 40 MB",
        lambda good: framed(good, "Connection: close", body=good.body(text="x" * 40_000_000)),
        "too_large: held",
        {"chat SSE": "too_large: estimate"},
    ),
]

ROWS = [*BROKEN, *ODD]
