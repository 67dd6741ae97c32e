"""The most a call can cost, computed from the JSON that is sent: what a budget holds."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from turngraph.billing.pricing.overrides import PriceOverride
from turngraph.billing.pricing.price_key import PriceKey
from turngraph.billing.pricing.prices import Prices
from turngraph.billing.pricing.rates import Rate, Rates
from turngraph.billing.pricing.worst_case import (
    IMAGE_TOKENS,
    answer_caps,
    prompt_bound,
    worst_case_usd,
)

AT = datetime(2026, 11, 1, tzinfo=UTC)


def price(model: str, usd_per_mtok: int) -> PriceOverride:
    """A price of output alone, so that a worst case is the number of its output tokens."""
    rate, free = Rate(usd_per_mtok=Decimal(usd_per_mtok)), Rate(usd_per_mtok=Decimal(0))
    return PriceOverride(vendor="v", model=model, rates=Rates(input=free, output=rate))


PRICES = Prices((price("m", 1), price("dear", 3)))


def tokens(body: dict[str, Any], **more: Any) -> Decimal | None:
    """The output tokens that are held for `body`, at 1 USD per million."""
    usd = worst_case_usd(
        PRICES,
        PriceKey("v", "m", at=AT),
        api=more.pop("api", "chat"),
        body=body,
        content=json.dumps(body).encode(),
        **more,
    )
    return None if usd is None else usd * 1_000_000


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"max_tokens": 100}, 100),
        ({"max_tokens": 100, "max_completion_tokens": 300}, 300),
        ({"max_tokens": 100, "n": 5}, 500),
        ({"max_tokens": 100, "n": 2, "best_of": 4}, 400),
        ({"max_tokens": 100, "model": "dear"}, 300),
        ({"max_tokens": 100, "model": 7}, 100),
        ({"max_tokens": -1}, 32_768),
        ({"max_output_tokens": 100}, 32_768),
    ],
    ids=["cap", "two caps", "n", "best_of", "dearer model", "odd model", "no cap", "other API"],
)
def test_the_worst_case_is_that_of_the_body_that_is_sent(
    body: dict[str, Any], expected: int
) -> None:
    """`extra_body` may ask for several answers, another model, or another cap than the request."""
    assert tokens(body) == expected


def test_each_api_has_a_cap_of_its_own() -> None:
    """Responses does not know `max_tokens`; whoever calls may assume another cap."""
    assert tokens({"max_output_tokens": 100}, api="responses") == 100
    assert tokens({"max_tokens": 100}, api="responses", uncapped_tokens=7) == 7


def test_the_dearest_service_tier_counts() -> None:
    """Nobody knows before the call whether a vendor honors the tier that is asked for."""
    body: dict[str, Any] = {"max_tokens": 1000}

    def held(tier: str | None, asked: str | None = None) -> Decimal:
        usd = worst_case_usd(
            Prices(),
            PriceKey("openai", "gpt-5", at=AT, service_tier=tier),
            api="chat",
            body={**body, "service_tier": asked},
            content=b"{}",
        )
        assert usd is not None
        return usd

    assert held(None, "flex") == held(None)
    assert held(None, "priority") == held("priority") == 2 * held(None)


def test_a_count_that_is_no_number_bounds_nothing() -> None:
    """Nobody knows what a server makes of the text "2", or of zero answers."""
    assert answer_caps("chat", {"max_tokens": 9, "n": "2"}) == []
    assert answer_caps("chat", {"max_tokens": 9, "n": 0}) == []
    assert answer_caps("chat", {"max_tokens": True}) == []


def test_the_bound_of_a_prompt_is_its_bytes() -> None:
    """A byte-level tokenizer makes no more tokens than bytes, in any script."""
    body = '{"messages": [{"role": "user", "content": "naïve 字"}]}'.encode()
    assert prompt_bound(body) == len(body)


@pytest.mark.parametrize(
    "part",
    [
        '{"type": "image_url", "image_url": {"url": "data:image/png;base64,%s"}}',
        '{"type": "input_image", "image_url": "data:image/png;base64,%s"}',
    ],
)
def test_an_image_is_counted_as_an_image(part: str) -> None:
    """Its base64 may be a megabyte, and no image costs a million tokens. A short URL may be a large
    image.
    """
    for size in (1_000_000, 3):
        body = ('{"input": [{"content": [%s]}], "n": 1}' % (part % ("A" * size))).encode()
        assert IMAGE_TOKENS < prompt_bound(body) < IMAGE_TOKENS + 200
    assert prompt_bound(b'{"image_url": 7}') == 16


def test_the_worst_case_of_an_unknown_price_is_unknown() -> None:
    """The budget's policy decides then, not a guess."""
    key = PriceKey("x", "y", at=AT)
    assert worst_case_usd(Prices(), key, api="chat", body={}, content=b"") is None
