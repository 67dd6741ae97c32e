"""Streams that end too early, too late, twice or not at all.

Where JSON is asked for, the answer is JSON, and nothing is wrong with it.
"""

from collections.abc import Callable, Sequence
from typing import Any

from tests.faults.answers import ADD, TEXT, Event, Good, head, pack
from tests.faults.fault import Fault
from tests.faults.script import End, Endless, Script, Wait

WHOLE = {"JSON": "completed: usage"}
"""No stream is asked for, so the vendor answers with JSON, and nothing is wrong."""
DONE = b"data: [DONE]\n\n"
BUSY = {"message": "Busy.", "code": 429}
Change = Callable[[list[Any]], Sequence[Event]]


def stream(
    name: str,
    change: Callable[[Good], bytes],
    ends: str,
    but: dict[str, str] | None = None,
    *,
    then: Script = (),
    **more: Any,
) -> Fault:
    """A row for a stream whose bytes `change` makes; after them the connection ends by `then`."""

    def script(good: Good) -> Script:
        if not good.stream:
            return [good.answer()]
        return [head(good.kind, "Connection: close") + change(good), *then]

    return Fault(f"stream: {name}", script, ends, {**(but or {}), **WHOLE}, **more)


def events(change: Change) -> Callable[[Good], bytes]:
    """The bytes of the events that `change` makes of the correct ones."""
    return lambda good: pack(change(good.events()))


def is_text(event: Any) -> bool:
    """Whether an event of either API brings text."""
    return isinstance(event, dict) and "Fort" in str(event.get("delta") or event.get("choices"))


def first_text(all_events: Sequence[Any]) -> list[Any]:
    """The events up to the first that brings text."""
    at = next(n for n, event in enumerate(all_events) if is_text(event))
    return list(all_events[: at + 1])


def error_event(good: Good) -> dict[str, Any]:
    """An error as the API sends it within a stream."""
    return {"error": BUSY} if good.api == "chat" else {"type": "error", **BUSY}


def call_cut(good: Good) -> bytes:
    """A stream that ends within the arguments of a call; what has come is JSON by chance."""
    whole = good.events(calls=ADD)
    if good.api == "chat":
        return pack(whole[:2])
    return pack(whole[:4])


PARTIAL = "truncated: estimate"

ENDS = [
    stream("ended before the first event", lambda good: b"", "protocol: held"),
    stream("ended after the first event", events(lambda all_: all_[:1]), PARTIAL),
    stream("ended in the middle of the text", events(first_text), PARTIAL),
    stream("ended within a call", call_cut, "truncated: estimate; 0 tools"),
    stream("`[DONE]` missing", lambda good: good.body(done=False), "completed: usage"),
    stream(
        "`[DONE]` in the middle of the text",
        events(lambda all_: [*first_text(all_), "[DONE]"]),
        PARTIAL,
    ),
    stream("`[DONE]` alone", lambda good: DONE, "protocol: held"),
    stream("`[DONE]` twice", lambda good: good.body() + DONE + DONE, "completed: usage"),
    stream(
        "`[DONE]` and then more",
        lambda good: good.body() + DONE + pack([{"a": 1}, "{broken"]),
        "completed: usage",
    ),
    stream(
        "no finish reason, but usage and `[DONE]`",
        lambda good: good.body(finish=None),
        "completed: usage",
        {"responses SSE": "truncated: estimate"},
    ),
    stream(
        "no finish reason and no usage",
        lambda good: good.body(finish=None, usage=None),
        PARTIAL,
        {"responses SSE": "truncated: estimate"},
    ),
    stream(
        "whole, and the line stays open",
        lambda good: good.body(done=False),
        "completed: usage",
        then=[Wait()],
    ),
    stream(
        "whole, and pings for ever",
        lambda good: good.body(done=False),
        "completed: usage",
        then=[Endless(b": ping\n\n")],
    ),
    stream(
        "whole, and events for ever",
        lambda good: good.body(done=False),
        "completed: usage",
        then=[Endless(b"data: {}\n\n", 0.01)],
    ),
    stream(
        "whole, and then reset",
        lambda good: good.body(done=False),
        "completed: usage",
        then=[Wait(0.3), End.RESET],
    ),
    stream(
        "text after the end",
        lambda good: good.body(done=False) + pack(first_text(good.events())[-1:]) + DONE,
        "completed: usage",
    ),
    stream(
        "the last event without its blank line",
        lambda good: good.body(done=False).rstrip(),
        "completed: usage",
    ),
    stream(
        "the last event cut off",
        lambda good: good.body(done=False)[:-30],
        "completed: estimate",
        {"responses SSE": PARTIAL},
    ),
    stream(
        "pings and no event, for ever",
        lambda good: b": ping\n\n",
        "timeout: held",
        then=[Endless(b": ping\n\n")],
        patience_s=1.0,
        total_s=2.0,
    ),
    stream(
        "pings after the first text, for ever",
        events(first_text),
        "timeout: estimate",
        then=[Endless(b": ping\n\n")],
        patience_s=1.0,
    ),
    stream(
        "events without an end",
        events(lambda all_: first_text(all_)),
        "timeout: estimate",
        then=[Endless(b'data: {"choices": []}\n\n')],
        patience_s=1.0,
        total_s=2.0,
    ),
    stream(
        "one line without an end",
        lambda good: b"data: ",
        "timeout: held",
        then=[Endless(b"x" * 100)],
        patience_s=1.0,
        total_s=2.0,
    ),
    stream(
        "one event of 5 MB",
        lambda good: good.body(text="x" * 5_000_000),
        "too_large: held",
        {"chat SSE": "too_large: estimate"},
    ),
]

FORM = [
    stream("lines that end in CR", lambda good: pack(good.events(), "\r"), "completed: usage"),
    stream("lines that end in CRLF", lambda good: pack(good.events(), "\r\n"), "completed: usage"),
    stream(
        "lines of mixed ends",
        lambda good: pack(good.events()[:2], "\r") + pack(good.events()[2:]),
        "completed: usage",
    ),
    stream("a byte order mark", lambda good: b"\xef\xbb\xbf" + good.body(), "completed: usage"),
    stream(
        "comments between all events",
        lambda good: good.body().replace(b"data:", b": still here\n\ndata:"),
        "completed: usage",
    ),
    stream(
        "no blank after `data:`",
        lambda good: good.body().replace(b"data: ", b"data:"),
        "completed: usage",
    ),
    stream(
        "ids, names and retries",
        lambda good: good.body().replace(b"data:", b"id: 7\nretry: 10\ndata:"),
        "completed: usage",
    ),
    stream(
        "an event without data",
        lambda good: b"event: ping\n\nid: 1\n\n" + good.body(),
        "completed: usage",
    ),
    stream(
        "an event that is `null`",
        lambda good: pack(["null", "7"]) + good.body(),
        "completed: usage",
    ),
    stream(
        "an event that is no JSON",
        lambda good: pack(good.events()[:1]) + b"data: {broken\n\n",
        "protocol: held",
    ),
    stream(
        "an event that is no text",
        lambda good: pack(good.events()[:1]) + b'data: {"a": "\xff"}\n\n',
        "protocol: held",
    ),
    stream(
        "an event that is no JSON, after text",
        lambda good: pack(first_text(good.events())) + b"data: {broken\n\n",
        "protocol: estimate",
    ),
    stream("an event 100 deep", lambda good: pack(["[" * 100 + "]" * 100]), "too_large: held"),
    stream(
        "every event twice",
        events(lambda all_: [event for event in all_ for _ in "ab"]),
        "completed: usage",
    ),
]

ERRORS = [
    stream(
        "an error as the first event",
        lambda good: pack([error_event(good)]),
        "rate_limit: nothing x3",
    ),
    stream(
        "an error after the text",
        lambda good: pack([*first_text(good.events()), error_event(good)]),
        "rate_limit: estimate",
    ),
    stream(
        "an error as a named event",
        lambda good: b"event: error\n" + pack([BUSY]),
        "rate_limit: nothing x3",
    ),
    stream(
        "an error as a field of its own",
        lambda good: b'error: {"message": "Busy.", "code": 429}\n\n',
        "rate_limit: nothing x3",
    ),
    stream(
        "an error that is a text", lambda good: pack([{"error": "Busy."}]), "server: nothing x3"
    ),
    stream(
        "an error after the end",
        lambda good: good.body(done=False) + pack([error_event(good)]),
        "completed: usage",
    ),
    stream(
        "an error once, then the answer",
        lambda good: pack([error_event(good)]),
        "rate_limit: nothing x3",
    ),
    Fault(
        "an error event to whoever asked for JSON",
        lambda good: [head("Content-Type: text/event-stream") + pack([error_event(good)])],
        "rate_limit: nothing x3",
    ),
    stream(
        "an error of a wrong key",
        lambda good: pack([{"error": {"code": "invalid_api_key"}}]),
        "authentication: nothing",
    ),
]

assert TEXT.startswith("Fort"), "`is_text` finds the first half"
ROWS = [*ENDS, *FORM, *ERRORS]
