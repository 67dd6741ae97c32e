"""Recorded answers, and their bytes on the wire."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Recording = dict[str, Any]

BLANKS = b"\n" + b" " * 10
"""What OpenRouter sends to keep a connection open. A recording holds only how many characters came.
"""


def load(folder: Path) -> list[Recording]:
    """The exchanges of every `*.jsonl.gz` in `folder`, cassettes together and in order."""
    return [recording for file in sorted(folder.glob("*.jsonl.gz")) for recording in lines_of(file)]


def lines_of(file: Path) -> Iterator[Recording]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def body_bytes(response: dict[str, Any]) -> bytes:
    """The body as it was on the wire."""
    if (blocks := response.get("sse")) is not None:
        eol = "\r\n" if response.get("sse_eol") == "crlf" else "\n"
        wire = (eol * 2).join(block.replace("\n", eol) for block in blocks)
        return (wire if response.get("sse_unterminated") else wire + eol * 2).encode()
    if (text := response.get("body_text")) is not None:
        return str(text).encode()
    blanks = response.get("body_leading_whitespace") or 0
    lead = BLANKS * (blanks // len(BLANKS)) + BLANKS[: blanks % len(BLANKS)]
    return (
        lead + json.dumps(response.get("body"), ensure_ascii=False, separators=(",", ":")).encode()
    )


def wire_bytes(response: dict[str, Any], *, piece: int) -> Iterator[bytes]:
    """The whole answer, head and body. The body is cut into chunks of `piece` bytes."""
    headers = {"Connection": "keep-alive", **response["headers"], "Transfer-Encoding": "chunked"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    yield f"HTTP/1.1 {response['status']} Recorded\r\n{head}\r\n".encode("latin-1")
    body = body_bytes(response)
    for start in range(0, len(body), piece):
        data = body[start : start + piece]
        yield b"%x\r\n%s\r\n" % (len(data), data)
    yield b"0\r\n\r\n"
