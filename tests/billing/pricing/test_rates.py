"""Each token is counted once, at the rate of its class, and a price that does not cover a call says
so.
"""

from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

from turngraph.billing.pricing.rates import (
    RATE_NAMES,
    Rate,
    Rates,
    Tier,
    contradicts_itself,
    cost_usd,
    highest_rate,
    price_used,
)
from turngraph.state.result import PriceUsed
from turngraph.state.usage import Usage

FULL = PriceUsed(
    source="override",
    input_usd_per_mtok=Decimal(10),
    cached_usd_per_mtok=Decimal(1),
    cache_write_usd_per_mtok=Decimal(12),
    audio_input_usd_per_mtok=Decimal(40),
    output_usd_per_mtok=Decimal(20),
    reasoning_usd_per_mtok=Decimal(5),
    audio_output_usd_per_mtok=Decimal(80),
)
M = 1_000_000


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        (Usage(input_tokens=M, output_tokens=M), 30),
        (Usage(input_tokens=M, cache_read_tokens=M, output_tokens=0), 1),
        (Usage(input_tokens=2 * M, cache_read_tokens=M, cache_write_tokens=M), 13),
        (Usage(input_tokens=2 * M, input_audio_tokens=M), 50),
        (Usage(output_tokens=2 * M, reasoning_tokens=M), 25),
        (Usage(output_tokens=2 * M, output_audio_tokens=M), 100),
        (Usage(total_tokens=2 * M, input_tokens=M), 30),
        (Usage(total_tokens=2 * M, output_tokens=M), 30),
        (Usage(total_tokens=M), 10),
        (Usage(input_tokens=-5, output_tokens=-5), 0),
        (Usage(input_tokens=M, cache_read_tokens=3 * M), 1),
        (Usage(input_tokens=0, cache_read_tokens=M, cache_write_tokens=0), 1),
        (Usage(input_tokens=100_000, cache_read_tokens=900_000), Decimal("1.9")),
        (Usage(input_tokens=100_000, cache_read_tokens=M // 2, cache_write_tokens=M // 2), 7.5),
        (Usage(output_tokens=M, reasoning_tokens=2 * M), 5),
        (Usage(input_tokens=M, output_tokens=M // 2, total_tokens=2 * M), 30),
        (Usage(input_tokens=M, output_tokens=M // 2, total_tokens=9 * M), 20),
        (Usage(), 0),
    ],
)
def test_each_token_is_counted_once(usage: Usage, usd: int) -> None:
    """Cached tokens stand inside the prompt, reasoning inside the completion: neither is paid
    twice. What the report's own numbers put outside is paid beside them, unless it is absurd.
    """
    assert cost_usd(usage, FULL) == usd


COUNTED_BY = {
    "input": Usage(input_tokens=M),
    "cached": Usage(input_tokens=M, cache_read_tokens=M),
    "cache_write": Usage(input_tokens=M, cache_write_tokens=M),
    "output": Usage(output_tokens=M),
    "reasoning": Usage(output_tokens=M, reasoning_tokens=M),
    "audio_input": Usage(input_tokens=M, input_audio_tokens=M),
    "audio_output": Usage(output_tokens=M, output_audio_tokens=M),
}
"""A million tokens of each class that has a rate."""


def test_each_class_that_has_a_rate_is_charged_at_it() -> None:
    """A class that somebody adds, and forgets to charge for, would be charged at another rate."""
    assert set(COUNTED_BY) == set(RATE_NAMES)
    for name, usage in COUNTED_BY.items():
        own = {"input": Rate(usd_per_mtok="1"), "output": Rate(usd_per_mtok="1")}
        rates = Rates.model_validate(own | {name: Rate(usd_per_mtok="7")})
        price = price_used(rates, M, source="override")
        assert cost_usd(usage, price) == 7, name
        assert 7 in (highest_rate(price, "input"), highest_rate(price, "output")), name


@pytest.mark.parametrize("name", sorted(set(COUNTED_BY) - {"input", "output"}))
def test_a_part_larger_than_its_whole_contradicts_itself_in_each_class(name: str) -> None:
    counts = COUNTED_BY[name].model_dump(exclude_none=True)
    sides = {"input_tokens": 1, "output_tokens": 1}
    assert contradicts_itself(Usage.model_validate(counts | sides))


def test_a_class_without_a_rate_stays_with_its_parent() -> None:
    """Most vendors have no price of their own for reasoning: it costs what the answer costs."""
    price = PriceUsed(
        source="override", input_usd_per_mtok=Decimal(10), output_usd_per_mtok=Decimal(20)
    )
    usage = Usage(input_tokens=M, cache_read_tokens=M, output_tokens=M, reasoning_tokens=M)
    assert cost_usd(usage, price) == 30


@pytest.mark.parametrize(
    ("price", "usd"),
    [
        (PriceUsed(source="x"), None),
        (PriceUsed(source="x", input_usd_per_mtok=Decimal(1)), None),
        (PriceUsed(source="x", output_usd_per_mtok=Decimal(1)), None),
        (PriceUsed(source="x", usd_per_request=Decimal("0.01")), None),
        (PriceUsed(source="x", input_usd_per_mtok=Decimal(0), output_usd_per_mtok=Decimal(0)), 0),
    ],
)
def test_a_price_that_does_not_cover_a_call_is_no_price(price: PriceUsed, usd: int | None) -> None:
    """An empty row of a price list is not "free": free is a rate of zero."""
    assert cost_usd(Usage(input_tokens=1, output_tokens=1), price) == usd


def test_a_request_may_cost_on_top_of_its_tokens() -> None:
    """Perplexity bills each request beside its tokens."""
    assert cost_usd(
        Usage(input_tokens=M), FULL.model_copy(update={"usd_per_request": Decimal("0.005")})
    ) == Decimal("10.005")


TIERED = Rates(
    input=Rate(
        usd_per_mtok=Decimal(2),
        tiers=(Tier(above=200, usd_per_mtok=Decimal(4)), Tier(above=100, usd_per_mtok=Decimal(3))),
    ),
    output=Rate(usd_per_mtok=Decimal(9), tiers=(Tier(above=100, usd_per_mtok=Decimal(7)),)),
)


@pytest.mark.parametrize(("tokens", "rate"), [(0, 2), (100, 2), (101, 3), (200, 3), (201, 4)])
def test_a_tier_begins_above_its_threshold(tokens: int, rate: int) -> None:
    """Crossing a threshold reprices all tokens of the call, so one token off is a doubled bill."""
    assert price_used(TIERED, tokens, source="x").input_usd_per_mtok == rate


def test_the_bound_takes_the_dearest_tier_a_call_may_meet() -> None:
    """A hold is for the worst case; a tier may also be cheaper than the rate below it."""
    worst = price_used(TIERED, 201, source="x", most=True)
    assert (worst.input_usd_per_mtok, worst.output_usd_per_mtok) == (Decimal(4), Decimal(9))


counts = st.one_of(st.none(), st.integers(-10, 10**9))
usages = st.builds(
    Usage,
    input_tokens=counts,
    output_tokens=counts,
    total_tokens=counts,
    cache_read_tokens=counts,
    cache_write_tokens=counts,
    reasoning_tokens=counts,
    input_audio_tokens=counts,
    output_audio_tokens=counts,
)


@given(usages)
def test_no_usage_makes_a_debt_or_more_than_the_dearest_rate(usage: Usage) -> None:
    """Whatever a vendor reports, a charge is never negative and no token is paid twice."""
    cost = cost_usd(usage, FULL)
    prompt, completion = max(usage.input_tokens or 0, 0), max(usage.output_tokens or 0, 0)
    total = max(usage.total_tokens or 0, 0)
    beside = sum(
        count
        for name, count in usage.model_dump(exclude_none=True).items()
        if name.startswith(("cache", "reasoning", "input_audio", "output_audio")) and 0 < count <= M
    )
    assert cost is not None
    most = prompt * 40 + completion * 80 + (total + 10 + beside) * 80
    assert 0 <= cost <= most / Decimal(M)


def test_parts_above_their_whole_are_noticed() -> None:
    """Grok on Azure was seen to report 190 cached of 23 prompt tokens; such a price is a guess and
    says so.
    """
    assert contradicts_itself(Usage(input_tokens=23, cache_read_tokens=190))
    assert contradicts_itself(Usage(output_tokens=2, reasoning_tokens=320))
    assert contradicts_itself(Usage(input_tokens=6, output_tokens=10, total_tokens=3016))
    assert contradicts_itself(Usage(input_tokens=6, output_tokens=10, total_tokens=10**9))
    assert not contradicts_itself(
        Usage(input_tokens=190, cache_read_tokens=190, output_tokens=1, reasoning_tokens=1)
    )
