r"""Characters that a stream cuts in two: each half comes in an event of its own."""

import json
from typing import Any

import pytest

from turngraph.providers.reading.answer_reader import AnswerReader
from turngraph.state.reply import ProviderReply
from turngraph.state.request import Api

FIRST, SECOND = "\\ud83d", "\\ude00"


def reply_of(api: Api, *events: str) -> ProviderReply:
    reader = AnswerReader(api, vendor="v", status=200, headers={}, streaming=True)
    for event in events:
        reader.feed(f"data: {event}\n\n".encode(), 0.0)
    return reader.finish()


def chat(delta: Any, text: str, finish: str | None = None) -> str:
    event = json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
    return event.replace("TEXT", text)


@pytest.mark.parametrize("member", ["content", "reasoning_content"])
def test_two_halves_in_two_events_are_one_character(member: str) -> None:
    """Servers that cut text by tokens write an emoji like this."""
    delta = {member: "TEXT"}
    halves = [chat(delta, f"a{FIRST}"), chat(delta, f"{SECOND}b"), chat({}, "", "stop")]
    reply = reply_of("chat", *halves)
    assert ascii(reply.text or reply.reasoning) == ascii("a\U0001f600b")
    assert not any("replaced" in note for note in reply.notes)


def test_halves_in_tool_arguments_are_joined_for_each_call() -> None:
    """The pieces of two calls may alternate."""
    events = [
        chat(
            {
                "tool_calls": [
                    {"index": n, "id": f"c{n}", "function": {"name": "f", "arguments": t}}
                ]
            },
            "",
        )
        for n, t in ((0, '{"x":"'), (1, '{"x":"'))
    ]
    for half in (FIRST, SECOND):
        events += [
            chat({"tool_calls": [{"index": n, "function": {"arguments": "TEXT"}}]}, half)
            for n in (0, 1)
        ]
    end = {"tool_calls": [{"index": n, "function": {"arguments": '"}'}} for n in (0, 1)]}
    reply = reply_of("chat", *events, chat(end, "", "tool_calls"))
    assert [call.arguments for call in reply.tool_calls] == ['{"x":"\U0001f600"}'] * 2


def test_halves_in_a_responses_stream_are_joined() -> None:
    """The text is built from the deltas where the stream is cut."""
    delta = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0}
    events = [json.dumps({**delta, "delta": "TEXT"}).replace("TEXT", t) for t in (FIRST, SECOND)]
    assert reply_of("responses", *events).text == "\U0001f600"


def test_a_half_that_stays_alone_is_replaced() -> None:
    """No encoding can carry it."""
    delta = {"content": "TEXT"}
    reply = reply_of("chat", chat(delta, f"a{FIRST}"), chat(delta, "b", "stop"))
    assert reply.text == "a\ufffdb"
