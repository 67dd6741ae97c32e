"""Decoded messages are remembered, and never wrong."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from turngraph.state.decoded_messages import DecodedMessages


class Decoder:
    """Decodes to the same messages each time, and counts how often."""

    def __init__(self, *messages: AnyMessage) -> None:
        self.messages, self.calls = messages, 0

    def __call__(self, data: bytes) -> Any:
        self.calls += 1
        return [message.model_copy(deep=True) for message in self.messages]


CALL = {"name": "add", "args": {"x": 1}, "id": "c", "type": "tool_call"}
ANSWER = AIMessage("", id="a", tool_calls=[CALL], additional_kwargs={"seen": ["x"]})


def test_the_same_bytes_are_decoded_once() -> None:
    """Whoever reads them gets a list of its own, of the same messages."""
    cache, decode = DecodedMessages(max_bytes=100_000), Decoder(HumanMessage("Hi", id="h"), ANSWER)
    first, second = cache.read(b"one", decode), cache.read(b"one", decode)
    assert decode.calls == 1
    assert first is not second
    assert all(one is other for one, other in zip(first, second, strict=True))
    cache.read(b"two", decode)
    assert decode.calls == 2


@pytest.mark.parametrize(
    "edit",
    [
        lambda message: setattr(message, "content", "edited"),
        lambda message: message.tool_calls[0]["args"].update(x=2),
        lambda message: message.additional_kwargs["seen"].append("y"),
        lambda message: message.response_metadata.update(new=True),
        lambda message: setattr(message, "of_my_own", 1),
    ],
    ids=["text", "arguments", "nested list", "new member", "new attribute"],
)
def test_a_message_edited_in_place_is_decoded_again(edit: Any) -> None:
    """The edit stays with whoever made it: it is in no checkpoint."""
    cache, decode = DecodedMessages(max_bytes=100_000), Decoder(ANSWER)
    edit(cache.read(b"one", decode)[0])
    assert cache.read(b"one", decode) == [ANSWER]
    assert decode.calls == 2
    cache.read(b"one", decode)
    assert decode.calls == 2


def test_what_was_read_longest_ago_is_forgotten_first() -> None:
    """The memory is bounded in bytes, whatever the number of threads."""
    cache, decode = DecodedMessages(max_bytes=80_000), Decoder(HumanMessage("x" * 30_000, id="h"))
    for data in (b"one", b"two", b"one", b"three"):
        cache.read(data, decode)
    assert decode.calls == 3
    cache.read(b"one", decode)
    assert decode.calls == 3
    cache.read(b"two", decode)
    assert decode.calls == 4
    large = Decoder(HumanMessage("x" * 200_000, id="h"))
    cache.read(b"large", large)
    cache.read(b"large", large)
    assert large.calls == 2, "too large to be kept"


@pytest.mark.parametrize(
    "value",
    [["text"], [], None, {"a": 1}, [ToolMessage("x", tool_call_id="c", artifact=object())]],
    ids=["texts", "empty", "None", "dict", "an object inside"],
)
def test_only_messages_of_plain_data_are_remembered(value: Any) -> None:
    """Of anything else nobody could tell whether it was edited."""
    cache, calls = DecodedMessages(max_bytes=100_000), list[bytes]()

    def decode(data: bytes) -> Any:
        calls.append(data)
        return value

    assert cache.read(b"one", decode) == cache.read(b"one", decode) == value
    assert len(calls) == 2
