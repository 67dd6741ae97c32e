"""What a recorded answer holds beside its text and its calls, read without any of the code under
test: who answered, sources, and what a vendor wants back.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.replay.oracle import answer_in, events_of, place
from tests.replay.recordings import Recording

Json = dict[str, Any]

NOT_EXTRA = frozenset(
    {"role", "content", "refusal", "tool_calls", "function_call", "annotations", "audio", "padding"}
)
"""Members of a message that have a field of their own, or that nobody wants back."""
PIECES = ("text", "summary", "data", "signature", "thinking")
"""The strings of which a stream sends pieces, in `reasoning_details` and in Mistral's content."""
ENDS = ("response.completed", "response.incomplete", "response.cancelled")


@dataclass
class Kept:
    """What must be kept of an answer. None where the recording does not say."""

    model: str | None = None
    service_tier: str | None = None
    citations: list[Any] = field(default_factory=list)
    items: list[Any] | None = None
    extra: Json = field(default_factory=dict)


def kept_in(recording: Recording) -> Kept | None:
    """What must be kept of the answer in `recording`; None of an error or of a cut answer."""
    said, response = answer_in(recording), recording["response"]
    if said.error is not None or said.truncated:
        return None
    if response.get("sse") is not None:
        events = list(events_of(response["sse"]))
        return of_events(events) if recording["api"] == "responses" else of_chunks(events)
    body = response["body"]
    body = body[0] if isinstance(body, list) else body
    if recording["api"] == "responses":
        return of_response(body, body["output"])
    choice = next((c for c in body["choices"] if c.get("index") == 0), body["choices"][0])
    return of_messages(body, [choice.get("message") or {}])


def of_events(events: list[Json]) -> Kept:
    final = next((e["response"] for e in events if e.get("type") in ENDS), None)
    done = [e for e in sorted(events, key=place) if e.get("type") == "response.output_item.done"]
    return of_response(final or {}, (final or {}).get("output") or [each["item"] for each in done])


def of_response(response: Json, items: list[Json]) -> Kept:
    parts = [part for item in items if item["type"] == "message" for part in item["content"]]
    return Kept(
        model=response.get("model") or None,
        service_tier=response.get("service_tier") or None,
        citations=[note for part in parts for note in part.get("annotations") or []],
        items=items,
    )


def of_chunks(events: list[Json]) -> Kept:
    choices = [c for event in events for c in event.get("choices") or [] if c.get("index", 0) == 0]
    top = {name: value for event in reversed(events) for name, value in event.items() if value}
    # The first model counts, and the last of anything else.
    last = {name: value for event in events for name, value in event.items() if value}
    return of_messages(
        {**last, "model": top.get("model")},
        [choice.get("delta") or choice.get("message") or {} for choice in choices],
    )


def of_messages(top: Json, deltas: list[Json]) -> Kept:
    """What a message holds that came as `deltas`; whole, if there is one."""
    notes = [note for delta in deltas for note in delta.get("annotations") or []]
    extra: Json = {}
    for name, value in (member for delta in deltas for member in delta.items()):
        if name in NOT_EXTRA or value in (None, ""):
            continue
        grows = name.startswith("reasoning") and isinstance(value, str | list)
        extra[name] = extra[name] + value if grows and name in extra else value
    for audio in (delta["audio"] for delta in deltas if delta.get("audio")):
        if audio.get("id"):
            extra["audio"] = {"id": audio["id"]}
    parts = [part for delta in deltas for part in listed(delta.get("content"))]
    return Kept(
        model=top.get("model") or None,
        service_tier=top.get("service_tier") or None,
        citations=notes or top.get("search_results") or top.get("citations") or [],
        items=parts if any(part["type"] != "text" for part in parts) else None,
        extra=extra,
    )


def listed(content: Any) -> list[Json]:
    return content if isinstance(content, list) else []


def outline(value: Any) -> Any:
    """`value` so that a list that came in pieces equals one that came whole: each of its strings
    joined over all parts. Anything else stays as it is.
    """
    if not isinstance(value, list):
        return value
    joined = {name: "".join(strings_in(value, name)) for name in PIECES}
    return {name: text for name, text in joined.items() if text}


def strings_in(value: Any, name: str) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from strings_in(each, name)
    elif isinstance(value, dict):
        found = value.get(name)
        yield from [found] if isinstance(found, str) else strings_in(found, name)
        if name == "text" and isinstance(value.get("thinking"), list):
            yield from strings_in(value["thinking"], name)
