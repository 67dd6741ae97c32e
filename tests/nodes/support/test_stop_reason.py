"""What an answer or an error means for the turn."""

from typing import Any

import pytest

from turngraph.nodes.support.stop_reason import outcome_of_error, outcome_of_reply
from turngraph.state.reply import ProviderReply, ToolCall
from turngraph.state.turn_error import TurnError

CALL = ToolCall(id="c", name="f", arguments='{"amount": 100')


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"text": "4", "finish_reason": "stop"}, "completed"),
        ({"text": "4", "finish_reason": None}, "completed"),
        ({"text": " \n"}, "empty"),
        ({"refusal": "No."}, "refused"),
        ({"text": "The", "finish_reason": "length"}, "length"),
        ({"text": "The", "finish_reason": "content_filter"}, "content_filter"),
        ({"finish_reason": "error"}, "error"),
        ({"text": "The", "truncated": True}, "truncated"),
        ({"tool_calls": (CALL,), "finish_reason": "tool_calls"}, None),
        ({"tool_calls": (CALL,), "finish_reason": "stop"}, None),
        ({"tool_calls": (CALL,), "finish_reason": "length"}, "length"),
        ({"tool_calls": (CALL,), "truncated": True}, "truncated"),
    ],
)
def test_an_answer_ends_the_turn_unless_it_waits_for_tools(
    fields: dict[str, Any], status: str | None
) -> None:
    """The tools of a cut answer never run: their arguments may not be whole."""
    outcome = outcome_of_reply(ProviderReply(**fields))
    assert (None if outcome is None else outcome.status) == status


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("connection", "error", "truncated"),
        ("timeout", "error", "truncated"),
        ("truncated", "error", "truncated"),
        ("server", "error", "error"),
        ("content_filter", "error", "error"),
        ("cancelled", "cancelled", "cancelled"),
        ("budget", "budget", "budget"),
    ],
)
def test_an_error_after_the_first_words_is_a_cut_answer(kind: Any, before: str, after: str) -> None:
    """Before them there is no answer at all."""
    error = TurnError(kind=kind, message="x")
    assert outcome_of_error(error).status == before
    assert outcome_of_error(error, answer_began=True).status == after
