"""Tells the forms of a body apart: events, one JSON value, or a JSON value in each line."""

from typing import Final, Literal, TypeAlias

__all__ = ["BLANK", "PINGS", "BodyFormat", "body_format", "json_lines"]

BodyFormat: TypeAlias = Literal["unknown", "events", "json", "refusal"]
"""`refusal`: the body of an error, which is read by its status whatever it holds."""

BLANK: Final = b" \t\r\n\xef\xbb\xbf"
"""Skipped before the first byte that counts: OpenRouter sends blanks to keep a connection open."""
PINGS: Final = frozenset({"ping", "[ping]", "keep-alive", "keepalive", "heartbeat"})
"""Data of events that only keep a connection open."""
JSON_STARTS: Final = frozenset(b'{["0123456789-tfn')
EVENT_STARTS: Final = (b"data", b"event", b"id", b"retry", b":", b"error")
LONGEST_EVENT_START: Final = 5
"""Bytes of the longest of `EVENT_STARTS`: with that many, the format is certain."""


def body_format(start: bytes, *, content_type: str) -> BodyFormat:
    """The format of a body whose bytes so far, without leading blanks, are `start`.

    The first byte decides, since content types are often wrong (`application/octet-stream`, or
    none at all). `unknown` if more bytes are needed.

        >>> body_format(b'{"id"', content_type=""), body_format(b"data: {}", content_type="")
        ('json', 'events')
    """
    if not start:
        return "unknown"
    declared_events = "text/event-stream" in content_type
    # In a declared stream, a digit or a letter may start a field of an event; a brace cannot.
    if start[0] in JSON_STARTS and not (declared_events and start[0] not in b"{["):
        return "json"
    if declared_events or start.startswith(EVENT_STARTS):
        return "events"
    return "unknown" if len(start) < LONGEST_EVENT_START else "json"


def json_lines(body: bytes) -> list[str]:
    r"""The lines of `body` if each begins and ends as an object of its own (NDJSON), else none.

    >>> json_lines(b'{"a": 1}\n{"a": 2}\n'), json_lines(b'{\n "a": 1\n}')
    (['{"a": 1}', '{"a": 2}'], [])
    """
    lines = [line.strip() for line in body.split(b"\n") if line.strip()]
    objects = lines[:-1] if lines and lines[-1] == b"[DONE]" else lines
    if not objects or not all(line[:1] == b"{" and line[-1:] == b"}" for line in objects):
        return []
    try:
        return [line.decode() for line in lines]
    except UnicodeDecodeError:
        return []
