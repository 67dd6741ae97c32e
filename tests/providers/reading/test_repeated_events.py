"""Events that repeat the one before are read the short way, to the same effect."""

from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from turngraph.providers.reading.chat_reader import ChatReader
from turngraph.providers.reading.responses_reader import ResponsesReader
from turngraph.state.reply import StreamChunk

TEXTS = st.sampled_from(
    ["a", "<think>", "</think>", " b", "<", "", None, "`", 3, [], [{"text": "c"}]]
)
DELTAS = st.fixed_dictionaries(
    {"content": TEXTS},
    optional={
        "role": st.just("assistant"),
        "reasoning_content": st.sampled_from([None, "", "hm"]),
        "refusal": st.sampled_from([None, "No."]),
        "tool_calls": st.just([{"index": 0, "id": "1", "function": {"name": "f"}}]),
        "padding": st.sampled_from(["x", "y"]),
    },
)
CHOICES = st.fixed_dictionaries(
    {"delta": DELTAS},
    optional={
        "index": st.sampled_from([0, 1, None]),
        "finish_reason": st.sampled_from([None, "", "stop"]),
        "logprobs": st.sampled_from([None, {"content": [{"token": "a"}]}]),
        "message": st.just({"content": "whole"}),
    },
)
EVENTS = st.fixed_dictionaries(
    {"choices": st.lists(CHOICES, max_size=2)},
    optional={
        "id": st.sampled_from(["c1", "c2", ""]),
        "created": st.sampled_from([1, 2]),
        "obfuscation": st.sampled_from(["x", "y"]),
        "usage": st.sampled_from([None, {"prompt_tokens": 1}, {"prompt_tokens": 2}]),
        "citations": st.sampled_from([["u"], None]),
    },
)


def often(events: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Lists in which an event is often followed by its like."""
    repeated = st.builds(lambda event, times: [event] * times, events, st.integers(1, 3))
    return st.lists(repeated, max_size=6).map(lambda runs: [event for run in runs for event in run])


def said(text: str, **members: Any) -> dict[str, Any]:
    return {"id": "c1", "choices": [{"index": 0, "delta": {"content": text}}], **members}


@given(often(EVENTS))
@example([said("a", created=1), said("b", created=2), said("c", created=1), said("d", created=1)])
def test_a_chat_stream_reads_the_same_by_both_ways(events: list[Any]) -> None:
    """The pieces, and everything in the answer."""
    long, short = ChatReader(), ChatReader()
    for event in events:
        assert chunks_of(short, event) == long.feed(event)
    assert short.end(ended=True) == long.end(ended=True)
    if any(choice for event in events for choice in event["choices"]):
        assert short.finish(ended=True) == long.finish(ended=True)


def chunks_of(reader: ChatReader, event: Any) -> list[StreamChunk]:
    ordinary = reader.feed_ordinary(event)
    return reader.feed(event) if ordinary is None else ordinary


@pytest.mark.parametrize("padding", ["obfuscation", "p"])
def test_an_event_with_other_text_or_padding_is_ordinary(padding: str) -> None:
    """OpenAI and Bedrock pad every chunk anew."""
    reader = ChatReader()
    assert reader.feed_ordinary(said("a", **{padding: "x"})) is None
    reader.feed(said("a", **{padding: "x"}))
    [piece] = reader.feed_ordinary(said("b", **{padding: "yy"})) or []
    assert piece == StreamChunk(type="text", text="b")
    assert reader.feed_ordinary(said("c", error={"message": "no"})) is None


def test_a_piece_of_a_response_is_ordinary() -> None:
    """Unless it says that it is an error."""
    event = {"type": "response.output_text.delta", "output_index": 0, "delta": "a"}
    reader = ResponsesReader()
    assert reader.feed_ordinary(event) == [StreamChunk(type="text", text="a")]
    assert reader.feed_ordinary({**event, "error": {"message": "no"}}) is None
    assert reader.feed_ordinary({"type": "response.created", "response": {}}) is None
    assert reader.feed_ordinary({**event, "type": ["response.output_text.delta"]}) is None
