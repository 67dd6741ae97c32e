"""What is charged where the vendor's counts are missing or cannot be true."""

from typing import Any

import pytest

from turngraph.billing.pricing.estimates import estimated_usage
from turngraph.state.usage import Usage

REQUEST = b'{"messages":"' + b"x" * 400 + b'"}'
ANSWER = "y" * 400


def estimate(usage: Usage | None, answer: str = ANSWER) -> Any:
    return estimated_usage(usage, request=REQUEST, answer=answer)


@pytest.mark.parametrize(
    ("reported", "completed"),
    [
        (None, Usage(input_tokens=104, output_tokens=101)),
        (Usage(), Usage(input_tokens=104, output_tokens=101)),
        (Usage(output_tokens=5), Usage(input_tokens=104, output_tokens=5)),
        (Usage(input_tokens=9), Usage(input_tokens=9, output_tokens=101)),
        # A total that leaves nothing for the other side says nothing about it.
        (Usage(output_tokens=5, total_tokens=1), Usage(input_tokens=104, output_tokens=5)),
        (Usage(output_tokens=5, total_tokens=5), Usage(input_tokens=104, output_tokens=5)),
        (Usage(input_tokens=9, total_tokens=9), Usage(input_tokens=9, output_tokens=101)),
        (
            Usage(input_tokens=9, cache_read_tokens=3),
            Usage(input_tokens=9, output_tokens=101, cache_read_tokens=3),
        ),
    ],
)
def test_a_side_without_a_count_is_estimated(reported: Usage | None, completed: Usage) -> None:
    """The side that was reported is kept: an estimate is worse than a report."""
    assert estimate(reported) == completed


@pytest.mark.parametrize(
    ("reported", "completed"),
    [
        (Usage(input_tokens=0, output_tokens=5), Usage(input_tokens=104, output_tokens=5)),
        (Usage(input_tokens=9, output_tokens=0), Usage(input_tokens=9, output_tokens=101)),
        (
            Usage(input_tokens=0, output_tokens=0, total_tokens=0),
            Usage(input_tokens=104, output_tokens=101),
        ),
    ],
)
def test_zero_tokens_beside_a_long_text_are_not_believed(reported: Usage, completed: Usage) -> None:
    """Proxies report zero where they do not know; the call would be free."""
    assert estimate(reported) == completed


@pytest.mark.parametrize(
    "reported",
    [
        Usage(input_tokens=9, output_tokens=5),
        Usage(output_tokens=5, total_tokens=14),
        Usage(input_tokens=9, total_tokens=14),
    ],
)
def test_a_usage_with_both_sides_needs_no_estimate(reported: Usage) -> None:
    """Also where one side is the total without the other."""
    assert estimate(reported) is None


def test_an_answer_may_have_no_tokens() -> None:
    """A short or empty answer of zero tokens is what the vendor says."""
    assert estimate(Usage(input_tokens=9, output_tokens=0), answer="") is None


def test_a_count_that_is_not_zero_is_believed() -> None:
    """The vendor's bill counts by it too, however few the tokens are for the text."""
    assert estimate(Usage(input_tokens=9, output_tokens=1), answer="word " * 500) is None


def test_a_small_prompt_is_believed() -> None:
    """Cached tokens may be counted elsewhere, and a picture of a megabyte is a few hundred."""
    request = b'{"messages": "%s"}' % (b"A" * 100_000)
    reported = Usage(input_tokens=9, output_tokens=5)
    assert estimated_usage(reported, request=request, answer="Hello!") is None
