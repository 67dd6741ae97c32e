"""Recorded answers, and their bytes on the wire."""

import gzip
import json
from collections.abc import Iterable, Iterator
from itertools import pairwise
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


FRAMINGS = ("bytes", "characters", "crlf", "whole", "comments")
"""Other ways to send the same answer: a byte a chunk; chunks that end within a character; CR LF at
the end of each line; all events in one chunk; a comment before each event.
"""
SINGLE_BYTES = 2_000
"""How many bytes come alone; a long answer would take minutes."""
PIECE = 1021
"""Bytes in a chunk otherwise. A prime, so that events and characters are cut at all places."""


def framed(recording: Recording, framing: str) -> Recording:
    """`recording`, to be sent in one of FRAMINGS; an empty `framing` is as it was recorded."""
    return {**recording, "response": {**recording["response"], "framing": framing}}


def body_bytes(response: dict[str, Any]) -> bytes:
    """The body as it was on the wire."""
    framing = response.get("framing")
    if (blocks := response.get("sse")) is not None:
        eol = "\r\n" if framing == "crlf" or response.get("sse_eol") == "crlf" else "\n"
        if framing == "comments":
            blocks = [each for block in blocks for each in (": keep-alive", block)]
        wire = (eol * 2).join(block.replace("\n", eol) for block in blocks)
        return (wire if response.get("sse_unterminated") else wire + eol * 2).encode()
    if (text := response.get("body_text")) is not None:
        return str(text).encode()
    blanks = response.get("body_leading_whitespace") or 0
    lead = BLANKS * (blanks // len(BLANKS)) + BLANKS[: blanks % len(BLANKS)]
    return (
        lead + json.dumps(response.get("body"), ensure_ascii=False, separators=(",", ":")).encode()
    )


def wire_bytes(response: dict[str, Any]) -> Iterator[bytes]:
    """The whole answer, head and body, which is cut into chunks."""
    headers = {"Connection": "keep-alive", **response["headers"], "Transfer-Encoding": "chunked"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    yield f"HTTP/1.1 {response['status']} Recorded\r\n{head}\r\n".encode("latin-1")
    body = body_bytes(response)
    cuts = [0, *cuts_of(body, response.get("framing") or ""), len(body)]
    for start, end in pairwise(cuts):
        if end > start:
            yield b"%x\r\n%s\r\n" % (end - start, body[start:end])
    yield b"0\r\n\r\n"


def cuts_of(body: bytes, framing: str) -> Iterable[int]:
    """Where chunks end within `body`."""
    if framing == "whole":
        return ()
    if framing == "characters":
        return (place for place, byte in enumerate(body) if byte & 0xC0 == 0x80)
    single = min(SINGLE_BYTES, len(body)) if framing == "bytes" else 0
    return [*range(1, single), *range(single or PIECE, len(body), PIECE)]
