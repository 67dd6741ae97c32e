"""An argument of a wrong kind is refused by name when the turn is built, not in its middle."""

import inspect
from typing import Any

import pytest

from turngraph import TurnConfigurationError, chat_turn
from turngraph.graphs.argument_kinds import check_arguments

WRONG: dict[str, list[Any]] = {
    "model": [3, None, "no such model"],
    "tools": ["search", 3, {"type": "web_search"}],
    "plugins": ["folder", 3, [3]],
    "functions": ["calculator", [3], ["nope"]],
    "system": [3],
    "stream": ["yes"],
    "response_format": [3],
    "repair_answer": [3],
    "limits": [3, {"calls": 3}],
    "prices": [3],
    "ledger": [3, "nowhere"],
    "budget": ["0.1", 0.1, [1]],
    "require_marks": ["yes"],
    "wait_s": ["1", -1, True],
    "steps": ["two", []],
    "replay": ["never"],
    "approve": [3, ["nope"]],
    "before_model": [3, len, [3]],
    "after_model": [3],
    "before_tools": [[3]],
    "retries": [[1], {"a": 1}],
    "on_event": [3, [3]],
    "on_finish": [3],
    "telemetry": [3],
    "checkpointer": [3],
    "store": [3],
    "interrupt_before": ["call_llm", ["call_llmm"], [3]],
    "interrupt_after": [["nope"]],
    "name": [3],
    "environ": [3],
}


def test_every_argument_has_wrong_values_here() -> None:
    """A new argument needs a row: a check, or a reason why it takes anything."""
    assert WRONG.keys() == inspect.signature(chat_turn).parameters.keys()


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_an_argument_of_a_wrong_kind_is_refused_by_name(name: str, value: Any) -> None:
    """Nothing is sent, and no error of Python's own comes out."""
    given: dict[str, Any] = {"model": "scripted", name: value}
    with pytest.raises(TurnConfigurationError):
        chat_turn(**given)


def test_a_wrong_value_is_not_shown_where_it_may_be_a_secret() -> None:
    """The environment and long texts are named by their class alone."""
    secret = "sk-" + "a" * 60
    for name in ("environ", "system", "steps"):
        with pytest.raises(TurnConfigurationError) as refused:
            check_arguments({name: [secret]})
        assert secret not in str(refused.value)
        assert name in str(refused.value)
