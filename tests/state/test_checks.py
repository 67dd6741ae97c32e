"""Nothing enters the state that could not be read again."""

import json
import math

import ormsgpack
import pytest
from hypothesis import given, strategies as st
from langchain_core.messages import HumanMessage
from pydantic import ValidationError

from turngraph.state.checks import check_input, check_patch
from turngraph.state.errors import TurnValueError
from turngraph.state.limits import TurnLimits
from turngraph.state.message_checks import check_json


def test_the_same_turn_given_twice_has_the_same_message_ids() -> None:
    """A retried submission must not add the question a second time."""
    turn = {"messages": [("user", "Hi")], "turn_id": "t1"}
    assert check_input(turn)["messages"][0].id == check_input(turn)["messages"][0].id


def test_two_turns_without_ids_have_different_message_ids() -> None:
    """The same question asked again is another message."""
    given = {"messages": [("user", "Hi")]}
    assert check_input(given)["messages"][0].id != check_input(given)["messages"][0].id


def test_keys_left_out_are_emptied() -> None:
    """The thread remembers the last turn's id and settings; they are not this turn's."""
    checked = check_input({"messages": "Hi"})
    assert (checked["turn_id"], checked["settings"]) == ("", None)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("Hi", "A turn's input is a dict with `messages`, not str"),
        ({"messages": [("user", "x")], "mesages": []}, "Unknown key in a turn's input: `mesages`"),
        ({"messages": [("wizard", "x")]}, "Not a message"),
        (
            {"messages": [("user", "\ud800")]},
            r"messages\[0\] holds a lone surrogate at character 0",
        ),
        (
            {"messages": [HumanMessage([{"type": "text", "text": "x", "n": math.nan}])]},
            "that JSON cannot express",
        ),
        (
            {"messages": [HumanMessage([{"type": "text", "text": b"x"}])]},
            "that JSON cannot express",
        ),
        (
            {"messages": [("user", "x" * 101)]},
            r"messages\[0\] is 101 characters long; .* allows 100",
        ),
        ({"messages": ["x"], "turn_id": 7}, "`turn_id`: Input should be a valid string"),
        (
            {"messages": ["x"], "settings": {"temprature": 1}},
            "`settings.*temprature`: Extra inputs",
        ),
    ],
)
def test_bad_input_is_named(given: object, message: str) -> None:
    """Before anything is stored or sent, in one sentence."""
    with pytest.raises(TurnValueError, match=message):
        check_input(given, message_chars=100)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ({"anser": "x"}, "test wrote `anser`, which is no key of a turn"),
        ({"messages": ["x"]}, "not a list of LangChain messages with ids"),
        ({"attempts": ["x"]}, "`attempts.0`"),
        ({"started_at": "soon"}, "`started_at`"),
    ],
)
def test_a_node_cannot_write_what_the_state_does_not_hold(
    patch: dict[str, object], message: str
) -> None:
    """LangGraph would store it, and the thread could never be read again."""
    with pytest.raises(TurnValueError, match=message):
        check_patch(patch, by="test")


def _deep(levels: int) -> object:
    value: object = "x"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "given",
    [
        {"messages": [HumanMessage([{"type": "text", "text": "x", "more": _deep(100_000)}])]},
        {"messages": "Hi", "turn_id": "\ud800"},
        {"messages": "Hi", "odd": 1, 5: 2},
        {"messages": [{"role": "assistant", "content": "x", "tool_calls": "f"}]},
    ],
    ids=["deep", "lone surrogate", "keys that do not compare", "calls that are no list"],
)
def test_input_of_any_kind_is_refused_by_name(given: object) -> None:
    """A caller's mistake is never another library's traceback."""
    with pytest.raises(TurnValueError):
        check_input(given)  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [math.inf, 1e12, math.nan])
def test_no_limit_is_longer_than_clocks_can_count(seconds: float) -> None:
    """`None` means no limit; infinity would overflow in a socket, in the middle of a turn."""
    with pytest.raises(ValidationError):
        TurnLimits(seconds=seconds)
    with pytest.raises(ValidationError):
        TurnLimits(tool_seconds=seconds)


_ODD = st.sampled_from(
    [2**64, -(2**63) - 1, math.nan, math.inf, "\ud800", b"x", (1, 2), {1: "x"}, {"\ud800": 1}]
)
_PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text()
_JSON = st.recursive(
    _PLAIN | _ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(_JSON)
def test_what_is_taken_can_be_stored_and_sent(value: object) -> None:
    """Most values pass by a quick look, which must not let through what a checkpoint refuses."""
    try:
        check_json({"value": value}, "here")
    except TurnValueError:
        return
    json.dumps({"value": value}, allow_nan=False, ensure_ascii=False).encode()
    assert ormsgpack.packb({"value": value}, option=ormsgpack.OPT_NON_STR_KEYS)


@pytest.mark.parametrize("levels", [98, 99, 100, 101, 5_000])
def test_what_is_nested_too_deeply_is_refused(levels: int) -> None:
    """MessagePack's writer gives up far below Python's limit."""
    value: list[object] = []
    for _ in range(levels - 1):
        value = [value]
    if levels <= 100:
        check_json(value, "here")
    else:
        with pytest.raises(TurnValueError, match="nested too deeply"):
            check_json(value, "here")


def test_an_object_that_holds_itself_is_refused() -> None:
    """It must not keep the check busy for ever."""
    value: dict[str, object] = {}
    value["a"] = value["b"] = value
    with pytest.raises(TurnValueError, match="nested too deeply"):
        check_json(value, "here")
