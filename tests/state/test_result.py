"""A result is printed on one line, in a notebook or a log."""

from decimal import Decimal
from typing import Any

import pytest

from turngraph.state.result import ToolRun, TurnResult
from turngraph.state.turn_error import TurnError

RUN = ToolRun(call_id="c", name="t", arguments="{}", status="ok", content="", seconds=0.0, order=0)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        (
            {"status": "completed", "answer": "Two\n lines."},
            "completed: Two lines. (0 calls, no price, 1.2 s)",
        ),
        ({"status": "refused", "refusal": "No."}, "refused: No. (0 calls, no price, 1.2 s)"),
        ({"status": "empty"}, "empty (0 calls, no price, 1.2 s)"),
        (
            {
                "status": "budget",
                "error": TurnError(kind="budget", message="Not enough."),
                "answer": "so far",
            },
            "budget: Not enough. (0 calls, no price, 1.2 s)",
        ),
        (
            {
                "status": "completed",
                "tool_runs": (RUN, RUN),
                "cost_usd": Decimal("1.5E-7"),
                "unpriced": True,
            },
            "completed (0 calls, 2 tool calls, 0.00000015 USD and more, 1.2 s)",
        ),
    ],
)
def test_a_result_is_printed_on_one_line(fields: dict[str, Any], line: str) -> None:
    """How it ended, the answer, what it took; an unknown price is not zero."""
    assert str(TurnResult(turn_id="t", seconds=1.23, **fields)) == line


def test_a_long_answer_is_cut_in_the_line_and_nowhere_else() -> None:
    """`repr` shows every field."""
    result = TurnResult(turn_id="t", status="completed", answer="x" * 1000)
    assert len(str(result)) < 260
    assert "x" * 1000 in repr(result)
