"""What a call can cost at most, which is what a budget holds."""

from decimal import Decimal
from typing import Any

import pytest

from tests.nodes.stages import QUESTION, context_for, reply
from turngraph.billing import PriceOverride, Prices
from turngraph.nodes.support.call_bounds import answer_caps, estimate_of, worst_case_of
from turngraph.providers.writing.payload import Payload
from turngraph.state.request import ChatRequest

RATES: Any = {"input": {"usd_per_mtok": 0}, "output": {"usd_per_mtok": 1}}
DEAR: Any = {"input": {"usd_per_mtok": 0}, "output": {"usd_per_mtok": 9}}
PRICES = Prices(
    (
        PriceOverride(vendor="openai", model="dear", rates=DEAR),
        PriceOverride(vendor="openai", model="*", rates=RATES),
    )
)
CONTEXT = context_for(prices=PRICES)


def payload_of(**fields: Any) -> tuple[ChatRequest, Payload]:
    request = CONTEXT.deps.template.model_copy(update=fields)
    return request, CONTEXT.deps.provider.payload(request, [QUESTION])


@pytest.mark.parametrize(
    ("fields", "caps"),
    [
        ({}, []),
        ({"max_tokens": 100}, [100]),
        ({"extra_body": {"max_tokens": 50}}, [50]),
        ({"max_tokens": 100, "extra_body": {"n": 4}}, [100]),
        ({"max_tokens": 100, "extra_body": {"max_tokens": -1}}, []),
        ({"extra_body": {"max_tokens": "many"}}, []),
        ({"max_tokens": 100, "extra_body": {"n": 0}}, []),
        ({"extra_body": {"max_output_tokens": 100}}, []),
    ],
)
def test_only_a_cap_that_the_api_knows_and_that_is_a_number_counts(
    fields: dict[str, Any], caps: list[int]
) -> None:
    """To some servers -1 is no end, and the other API's name caps nothing."""
    assert answer_caps(payload_of(**fields)[1]) == caps


@pytest.mark.parametrize(
    ("fields", "usd"),
    [
        ({"max_tokens": 1000}, "0.001"),
        ({"max_tokens": 1000, "extra_body": {"n": 4}}, "0.004"),
        ({"max_tokens": 1000, "extra_body": {"model": "dear"}}, "0.009"),
        ({}, "0.032768"),
    ],
)
def test_what_is_really_sent_is_held(fields: dict[str, Any], usd: str) -> None:
    """`extra_body` may ask for several answers, or for a dearer model."""
    assert worst_case_of(*payload_of(**fields), CONTEXT.deps) == Decimal(usd)


def test_an_unknown_price_has_no_worst_case() -> None:
    """None, never zero."""
    request, payload = payload_of(model="nobody-knows-this-model", max_tokens=10)
    assert worst_case_of(request, payload, context_for().deps) is None


def test_an_answer_without_usage_is_estimated() -> None:
    """One token for four bytes, of the request and of the answer."""
    _, payload = payload_of()
    estimate = estimate_of(reply("x" * 400, usage=None, reasoning="y" * 40), payload)
    assert estimate is not None
    assert estimate.output_tokens == 111
    assert estimate.input_tokens == len(payload.content) // 4 + 1
    assert estimate_of(reply(), payload) is None
    assert estimate_of(None, payload) is None
