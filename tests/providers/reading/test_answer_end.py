"""The end of a stream: whatever is in the answer was told before it was returned."""

import json
from typing import Any

import pytest

from turngraph.providers.reading.answer_reader import AnswerReader
from turngraph.state.reply import ProviderReply, StreamChunk

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
CALL = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}


def event(delta: dict[str, Any], **choice: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, **choice}]}


def stream(*events: Any, end: str) -> bytes:
    return "\n\n".join(f"data: {json.dumps(each)}" for each in events).encode() + end.encode()


def told_and_read(
    data: bytes, *, finish_reason_optional: bool = False
) -> tuple[list[StreamChunk], ProviderReply]:
    reader = AnswerReader(
        "chat",
        vendor="custom",
        status=200,
        headers={},
        streaming=True,
        finish_reason_optional=finish_reason_optional,
    )
    chunks = reader.feed(data, 0.0)
    return [*chunks, *reader.end()], reader.finish()


@pytest.mark.parametrize("end", ["\n\ndata: [DONE]\n\n", "\n\ndata: [DONE]", "\n\n", "\n", ""])
@pytest.mark.parametrize(
    "events",
    [
        [event({"content": "4"}, finish_reason="stop")],
        [event({"content": "4"}, finish_reason="stop"), {"choices": [], "usage": USAGE}],
        [event({"content": "4"}), {**event({"content": ""}), "usage": USAGE}],
        [event({"content": "4 <thi"}, finish_reason="stop")],
        [event({"content": "<thi"})],
        [event({"tool_calls": [CALL]}, finish_reason="tool_calls")],
    ],
    ids=["text", "usage", "usage beside choices", "tag", "start of a tag", "call"],
)
def test_whatever_is_in_an_answer_was_told(events: list[Any], end: str) -> None:
    """With and without `[DONE]`, with and without a blank line at the end."""
    chunks, reply = told_and_read(stream(*events, end=end))
    assert "".join(chunk.text for chunk in chunks if chunk.type == "text") == reply.text
    calls = [chunk.tool_call for chunk in chunks if chunk.type == "tool_call"]
    assert calls == ([] if reply.truncated else list(reply.tool_calls))
    usages = [chunk.usage for chunk in chunks if chunk.type == "usage"]
    assert usages == ([] if reply.usage is None else [reply.usage])


def test_calls_without_a_finish_reason_are_told_where_a_vendor_leaves_it_out() -> None:
    data = stream(event({"tool_calls": [CALL]}), {"choices": [], "usage": USAGE}, end="\n\n")
    chunks, reply = told_and_read(data, finish_reason_optional=True)
    assert reply.tool_calls == tuple(c.tool_call for c in chunks if c.tool_call is not None)
    assert (len(reply.tool_calls), reply.truncated) == (1, False)


def test_an_end_that_was_not_asked_for_is_read_all_the_same() -> None:
    """`finish` alone gives the whole answer; `end` tells its last piece once."""
    reader = AnswerReader("chat", vendor="custom", status=200, headers={}, streaming=True)
    reader.feed(stream(event({"content": "4"}, finish_reason="stop"), end=""), 0.0)
    assert reader.finish().text == "4"
    assert reader.end() == []
