"""A conversation that every vendor takes: no call without an answer, no message nobody can send."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from tests.nodes.stages import asks, ids
from turngraph.nodes.support.history_repair import (
    answers_for,
    messages_to_remove,
    with_missing_answers,
)
from turngraph.state.errors import TurnValueError

QUESTION = HumanMessage("Q", id="q")


def answer(call_id: str) -> ToolMessage:
    return ToolMessage("ok", tool_call_id=call_id, id=f"t-{call_id}")


def test_a_whole_history_is_left_alone() -> None:
    """None means that the stage writes nothing, so the thread does not grow."""
    assert with_missing_answers([QUESTION, asks("f"), answer("f")]) is None
    assert with_missing_answers([]) is None


@pytest.mark.parametrize("present", list(product([True, False], repeat=3)))
def test_every_missing_answer_is_added_behind_the_call(present: tuple[bool, ...]) -> None:
    """Behind the message that asked, and the answers that are there."""
    there = [answer(name) for name, is_there in zip("fgh", present, strict=True) if is_there]
    whole = with_missing_answers([QUESTION, asks("f", "g", "h"), *there, QUESTION])
    if all(present):
        assert whole is None
        return
    assert whole is not None
    answered = [m.tool_call_id for m in whole if isinstance(m, ToolMessage)]
    assert sorted(answered) == ["f", "g", "h"]
    assert [m.type for m in whole] == ["human", "ai", "tool", "tool", "tool", "human"]
    assert with_missing_answers(whole) is None


def test_a_call_that_could_not_be_read_needs_an_answer_too() -> None:
    """Its arguments are no JSON, but it is sent back in the history."""
    call: Any = {
        "name": "f",
        "args": "{",
        "id": "c",
        "error": "no JSON",
        "type": "invalid_tool_call",
    }
    whole = with_missing_answers([AIMessage("", id="a", invalid_tool_calls=[call])])
    assert whole is not None
    assert [m.type for m in whole] == ["ai", "tool"]


def test_the_same_answer_given_twice_has_one_id() -> None:
    """It is merged by id, so a resumed stage adds nothing."""
    first, second = (answers_for(asks("f"), [], "Not run.") for _ in "12")
    assert ids([*first]) == ids([*second]) == ["a-f-unanswered"]
    assert answers_for(asks("f"), [answer("f")], "Not run.") == []


def test_answers_are_counted_where_ids_come_again() -> None:
    """Servers that count their calls use an id in every answer, or twice in one."""
    earlier: list[AnyMessage] = [asks("f"), answer("f"), AIMessage("Done.", id="d"), QUESTION]
    whole = with_missing_answers([*earlier, asks("f", "f"), answer("f"), QUESTION])
    assert whole is not None
    assert [message.type for message in whole[4:]] == ["ai", "tool", "tool", "human"]
    assert [message.content for message in whole[5:7]] == ["ok", whole[6].content] != ["ok", "ok"]
    assert len(set(ids(whole[4:7]))) == 3
    assert with_missing_answers(whole) is None


def refusing(*bad: str) -> Any:
    """Builds requests from any messages but those with these ids."""

    def build(messages: Sequence[AnyMessage]) -> None:
        if any(message.id in bad for message in messages):
            raise TurnValueError("no")

    return build


HISTORY: list[AnyMessage] = [
    HumanMessage("1", id="h1"),
    AIMessage("2", id="a1", response_metadata={"model_name": "m"}),
    HumanMessage("3", id="h2"),
    HumanMessage("4", id="h3"),
]


@pytest.mark.parametrize(
    ("bad", "removed"),
    [
        ([], []),
        (["h3"], ["h3"]),
        (["h2"], ["h2", "h3"]),
        (["h1"], []),
        (["h1", "h3"], []),
    ],
    ids=["nothing", "last", "the one before", "out of reach", "not enough"],
)
def test_only_what_the_caller_added_last_is_removed(bad: list[str], removed: list[str]) -> None:
    """Up to the model's last answer; older messages were sent before."""
    assert ids(messages_to_remove(HISTORY, refusing(*bad))) == removed


def test_an_answer_that_a_caller_wrote_is_removed_like_a_question() -> None:
    """No vendor has sent it, so no vendor need have accepted it either."""
    written: list[AnyMessage] = [AIMessage("5", id="a2"), HumanMessage("6", id="h4")]
    removed = messages_to_remove([*HISTORY, *written], refusing("a2"))
    assert ids(removed) == ["a2", "h4"]


def test_a_request_that_is_wrong_in_itself_removes_nothing() -> None:
    """The conversation is not at fault."""

    def build(messages: Sequence[AnyMessage]) -> None:
        raise TurnValueError("no such model")

    assert messages_to_remove(HISTORY, build) == []
