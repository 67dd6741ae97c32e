"""Connections that are never made, that break, and that say nothing."""

from tests.faults.answers import ADD, Good, head
from tests.faults.fault import Fault
from tests.faults.script import Drip, End, Endless, InTurn, Script, Step, Wait, in_turn

USED_TWICE = "completed: usage held usage; 1 tools"


def nothing(good: Good) -> Script:
    """For requests that never arrive."""
    return []


def calls_then(good: Good, *second: Step) -> InTurn:
    """A tool call on a connection that stays open, then `second`, then the answer."""
    return in_turn([good.answer(good.body(calls=ADD)), End.KEEP], second, [good.answer()])


ROWS = [
    Fault("nobody listens", nothing, "connection: nothing x3; 0 requests", place="refused"),
    Fault(
        "the host has no address", nothing, "connection: nothing x3; 0 requests", place="no host"
    ),
    Fault(
        "TLS to a server that has none", nothing, "connection: nothing x3; 0 requests", place="tls"
    ),
    Fault(
        "a server too busy to accept",
        nothing,
        "timeout: nothing x3; 0 requests",
        place="full",
        patience_s=1.0,
    ),
    Fault("closed before an answer", nothing, "connection: held x3"),
    Fault("reset before an answer", lambda good: [End.RESET], "connection: held x3"),
    Fault(
        "closed before an answer, once",
        lambda good: in_turn([], [good.answer()]),
        "completed: held usage",
    ),
    Fault("half closed before an answer", lambda good: [End.HALF], "connection: held x3"),
    Fault("silent before an answer", lambda good: [Wait()], "timeout: held x3", patience_s=1.0),
    Fault("silent beyond the turn's limit", lambda good: [Wait()], "time_limit: held", seconds=1.5),
    Fault("closed within the status line", lambda good: [b"HTTP/1.1 200 O"], "truncated: held"),
    Fault(
        "closed after 103",
        lambda good: [head("Link: </a>", status="103 Early Hints")],
        "truncated: held",
    ),
    Fault(
        "closed within the headers",
        lambda good: [b"HTTP/1.1 200 OK\r\nContent-Ty"],
        "truncated: held",
    ),
    Fault(
        "reset within the headers",
        lambda good: [b"HTTP/1.1 200 OK\r\nContent-Ty", Wait(0.2), End.RESET],
        "truncated: held",
    ),
    Fault(
        "silent within the headers",
        lambda good: [b"HTTP/1.1 200 OK\r\nContent-Ty", Wait()],
        "timeout: held",
        patience_s=1.0,
    ),
    Fault(
        "headers byte by byte, for ever",
        lambda good: [b"HTTP/1.1 200 OK\r\n", Endless(b"X-A: b\r\n")],
        "timeout: held",
        patience_s=1.0,
        total_s=2.0,
    ),
    Fault(
        "headers byte by byte, beyond the turn's limit",
        lambda good: [b"HTTP/1.1 200 OK\r\n", Endless(b"X-A: b\r\n")],
        "time_limit: held",
        seconds=1.5,
    ),
    Fault(
        "one header, byte by byte",
        lambda good: [Drip(good.answer()[:120]), good.answer()[120:]],
        "completed: usage",
    ),
    Fault(
        "103 for ever",
        lambda good: [Endless(head("Link: </a>", status="103 Early Hints"))],
        "timeout: held",
        patience_s=1.0,
        total_s=2.0,
    ),
    Fault(
        "103 beyond the turn's limit",
        lambda good: [Endless(head("Link: </a>", status="103 Early Hints"))],
        "time_limit: held",
        seconds=1.5,
    ),
    Fault(
        "100 and 103 before the answer",
        lambda good: [head(status="100 Continue") + head(status="103 Early Hints") + good.answer()],
        "completed: usage",
    ),
    Fault(
        "102 before the answer",
        lambda good: [head(status="102 Processing"), Wait(0.2), good.answer()],
        "completed: usage",
    ),
    Fault(
        "101, another protocol",
        lambda good: [
            head("Upgrade: h2c", "Connection: Upgrade", status="101 Switching Protocols")
        ],
        "protocol: held",
    ),
    Fault("kept open, closed at the next request", lambda good: calls_then(good), USED_TWICE),
    Fault(
        "kept open, reset at the next request", lambda good: calls_then(good, End.RESET), USED_TWICE
    ),
    Fault(
        "kept open, closed at once",
        lambda good: in_turn(
            [good.answer(good.body(calls=ADD), "Connection: keep-alive")], [good.answer()]
        ),
        "completed: usage usage; 1 tools",
    ),
    Fault(
        "kept open, and a second answer to the first request",
        lambda good: in_turn(
            [good.answer(good.body(calls=ADD)) + good.answer(status="500 No"), End.KEEP],
            [good.answer()],
        ),
        "completed: usage usage; 1 tools",
    ),
    Fault(
        "one answer byte by byte",
        lambda good: [good.answer()[:-20], Drip(good.answer()[-20:], 0.02)],
        "completed: usage",
    ),
]
