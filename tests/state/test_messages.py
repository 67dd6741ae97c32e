"""The reducer of the conversation: the same however its writes are batched."""

from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, strategies as st
from langchain_core.load import dumpd
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    AnyMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
    message_to_dict,
)

from turngraph.state.errors import TurnValueError
from turngraph.state.messages import REMOVE_ALL_MESSAGES, coerce_message, merge_messages

_ids = st.sampled_from(["a", "b", "c", "d"])
_message = st.one_of(
    st.builds(lambda name, text: HumanMessage(text, id=name), _ids, st.text(max_size=3)),
    st.builds(lambda text: ("user", text), st.text(max_size=3)),
    st.builds(lambda text: {"role": "assistant", "content": text}, st.text(max_size=3)),
    st.builds(lambda name: RemoveMessage(id=name), st.one_of(_ids, st.just(REMOVE_ALL_MESSAGES))),
)
_writes = st.lists(st.one_of(_message, st.lists(_message, max_size=3)), max_size=6)


def _shown(messages: list[Any]) -> list[tuple[str | None, str, Any]]:
    return [(message.id, message.type, message.content) for message in messages]


@given(_writes, _writes)
def test_two_batches_merge_as_their_concatenation(first: list[Any], second: list[Any]) -> None:
    """LangGraph replays stored writes in larger batches than they were made in; the thread must
    read the same.
    """
    assert _shown(merge_messages(merge_messages([], first), second)) == _shown(
        merge_messages([], [*first, *second])
    )


@given(_writes)
def test_merging_again_gives_the_same_ids(writes: list[Any]) -> None:
    """A thread is rebuilt at every read; an id that changed could never be edited or removed."""
    assert _shown(merge_messages([], writes)) == _shown(merge_messages([], writes))


@given(_writes)
def test_every_message_has_an_id_of_its_own(writes: list[Any]) -> None:
    """Two messages with one id would be one message to a parent graph."""
    ids = [message.id for message in merge_messages([], writes)]
    assert all(ids)
    assert len(set(ids)) == len(ids)


def test_a_message_with_a_known_id_takes_the_place_of_the_old_one() -> None:
    """That is how a person edits a conversation."""
    merged = merge_messages(
        [HumanMessage("one", id="a"), AIMessage("two", id="b")], [HumanMessage("ONE", id="a")]
    )
    assert [message.content for message in merged] == ["ONE", "two"]


def test_a_chunk_becomes_a_message() -> None:
    """A parent that merges chunks into the state would otherwise add to them."""
    assert type(merge_messages([], [AIMessageChunk(content="hi", id="a")])[0]) is AIMessage


def test_removing_what_is_not_there_is_no_error() -> None:
    """Raising in a reducer would make the thread unreadable for good."""
    assert merge_messages([], [RemoveMessage(id="nobody")]) == []


@pytest.mark.parametrize(
    "bad", [("wizard", "x"), {"role": "nope", "content": "x"}, 3, None, {"content": "x"}, ()]
)
def test_what_is_no_message_is_named(bad: object) -> None:
    """The text says what was seen and what may be given."""
    with pytest.raises(TurnValueError, match=r"Not a message: .* Allowed: "):
        merge_messages([], [[bad]])


def test_answers_stand_in_the_order_of_the_calls_however_they_are_replayed() -> None:
    """LangGraph replays what parallel tasks wrote in another order: the next request must still be
    the same one.
    """
    calls = [{"name": "f", "args": {}, "id": each} for each in "123"]
    before: list[Any] = [HumanMessage("Q", id="h"), AIMessage("", id="a", tool_calls=calls)]
    answers = {each: ToolMessage(f"r{each}", tool_call_id=each, id=each) for each in "123"}
    after = AIMessage("end", id="e")
    for order in permutations("123"):
        whole = merge_messages(before, [[answers[each]] for each in order])
        pieces = before
        for each in order:
            pieces = merge_messages(pieces, [[answers[each]]])
        at_once = merge_messages([], [[*before, *(answers[each] for each in order), after]])
        assert [m.id for m in whole] == [m.id for m in pieces] == ["h", "a", "1", "2", "3"]
        assert [m.id for m in at_once] == ["h", "a", "1", "2", "3", "e"]


CALLS: Any = [{"id": "c", "name": "f", "args": {"a": 1}, "type": "tool_call"}]
UNREADABLE: Any = [
    {"id": "d", "name": "g", "args": "{", "error": None, "type": "invalid_tool_call"}
]
WRITABLE: list[AnyMessage] = [
    HumanMessage([{"type": "text", "text": "x"}], id="1", name="Ann"),
    AIMessage(
        "y",
        id="2",
        tool_calls=CALLS,
        invalid_tool_calls=UNREADABLE,
        usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
        response_metadata={"model_name": "m"},
        additional_kwargs={"reasoning_content": "r"},
    ),
    ToolMessage("z", tool_call_id="c", id="3", artifact={"rows": 2}, status="error"),
    SystemMessage("s", id="4"),
]


@pytest.mark.parametrize("write", [lambda message: message.model_dump(), message_to_dict, dumpd])
def test_a_stored_list_may_be_read_as_dicts(write: Callable[[AnyMessage], Any]) -> None:
    """LangGraph's server reads a snapshot with a serializer of its own. Nothing may be lost: the
    next request is made of it.
    """
    read: Any = [write(message) for message in WRITABLE]
    assert merge_messages(read, [[HumanMessage("more", id="5")]]) == [
        *WRITABLE,
        HumanMessage("more", id="5"),
    ]
    assert [coerce_message(message) for message in read] == WRITABLE
    removal: Any = RemoveMessage(id="1")
    assert merge_messages(WRITABLE, [[write(removal)]]) == WRITABLE[1:]


@pytest.mark.parametrize(
    "value",
    [
        {"type": "ai", "data": 3},
        {"type": "ai", "additional_kwargs": 3, "content": "x"},
        {"type": ["ai"], "additional_kwargs": {}, "content": "x"},
        {"lc": 1, "type": "constructor", "kwargs": {"type": "tool", "content": "x"}},
        {"lc": 1},
    ],
)
def test_a_dict_that_is_half_a_message_is_refused_in_words(value: Any) -> None:
    """Not with an error of pydantic's."""
    with pytest.raises(TurnValueError, match="Not a message"):
        coerce_message(value)


@pytest.mark.parametrize(
    "value",
    [
        {"role": "user", "content": {"city": "Zürich"}},
        {"type": "human", "content": {"city": "Zürich"}},
        ("user", {"city": "Zürich"}),
        ["user", {"city": "Zürich"}],
    ],
)
def test_a_content_that_is_an_object_becomes_its_json(value: Any) -> None:
    message = coerce_message(value)
    assert (message.type, message.content) == ("human", '{"city": "Zürich"}')
