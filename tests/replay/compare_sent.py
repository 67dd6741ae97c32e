"""Compares the answer that the next request sends back with the recorded one: a vendor refuses, or
misunderstands, a conversation in which its own words have changed.
"""

import json
from collections.abc import Iterator
from typing import Any

from tests.replay.compare import excerpt
from tests.replay.kept import Kept, outline
from tests.replay.loops import conversation_in, text_of
from tests.replay.oracle import Call, RecordedAnswer

CALLS = {"function_call": "arguments", "custom_tool_call": "input"}


def in_sent_back(
    api: str, said: RecordedAnswer, kept: Kept | None, request: dict[str, Any]
) -> Iterator[str]:
    """A sentence for each difference between `said` and what `request` holds of it."""
    conversation = conversation_in(api, request)
    if api == "chat":
        answers = [item for item in conversation if item.get("role") == "assistant"]
        if not answers:
            yield "no answer is sent back"
            return
        yield from in_message(said, kept, answers[-1])
    elif "previous_response_id" not in request:
        yield from in_items(said, kept, conversation)


def in_message(said: RecordedAnswer, kept: Kept | None, message: dict[str, Any]) -> Iterator[str]:
    text = text_of(message.get("content") or "")
    if said.text.strip() and said.text not in text:
        yield f"text sent back: {excerpt(text)}, not {excerpt(said.text)}"
    yield from in_calls(said.calls, [call_of(call) for call in message.get("tool_calls") or []])
    for name, value in ({} if kept is None else kept.extra).items():
        if name in message and outline(message[name]) != outline(value):
            yield f"{name} sent back: {excerpt(message[name])}, not {excerpt(value)}"


def in_items(
    said: RecordedAnswer, kept: Kept | None, conversation: list[dict[str, Any]]
) -> Iterator[str]:
    calls = [
        (item["call_id"], item["name"], item[CALLS[item["type"]]])
        for item in conversation
        if item.get("type") in CALLS
    ]
    yield from in_calls(said.calls, calls[len(calls) - len(said.calls) :])
    sent = [item.get("encrypted_content") for item in conversation]
    for item in (kept.items if kept is not None else None) or []:
        secret = item.get("encrypted_content") if item["type"] == "reasoning" else None
        if secret and said.calls and secret not in sent:
            yield f"reasoning {item.get('id')} is not sent back"


def in_calls(said: list[Call], sent: list[Call]) -> Iterator[str]:
    """Ids may be others where the vendor wants another form; names and arguments may not."""
    if [call[1] for call in said] != [call[1] for call in sent]:
        yield f"calls sent back: {excerpt(sent)}, not {excerpt(said)}"
        return
    for before, after in zip(said, sent, strict=True):
        # What is no JSON is sent as JSON, because vendors refuse the conversation otherwise.
        if json_or_none(before[2] or "{}") not in (None, json_or_none(after[2])):
            yield f"arguments sent back: {excerpt(after[2])}, not {excerpt(before[2])}"


def call_of(call: dict[str, Any]) -> Call:
    named = call.get("function") or call.get("custom") or {}
    return call.get("id"), named.get("name", ""), named.get("arguments", named.get("input", ""))


def json_or_none(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
