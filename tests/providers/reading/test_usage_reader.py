"""Usage, under all the names vendors have for it. It becomes money: nothing is guessed or counted
twice.
"""

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, strategies as st

from turngraph.providers.reading.usage_reader import merged_usage, reported_usage
from turngraph.state.usage import TOKEN_FIELDS, Usage
from turngraph.state.usage_report import read_usage


def usage_of(raw: Any, **beside: Any) -> Usage | None:
    return read_usage(raw, **beside)[0]


def test_a_count_that_is_not_reported_is_none_and_zero_is_zero() -> None:
    """A zero would be billed as free; None is estimated or held, as configured."""
    assert usage_of({"prompt_tokens": 0}) == Usage(input_tokens=0)
    assert usage_of(
        {"prompt_tokens": 3, "prompt_tokens_details": None, "completion_tokens_details": {}}
    ) == Usage(input_tokens=3)


@pytest.mark.parametrize("raw", [None, {}, {"latency_ms": 3}, {"prompt_tokens": None}])
def test_a_usage_without_counts_is_none(raw: Any) -> None:
    """Proxies that know no usage send `usage: {}`."""
    assert usage_of(raw) is None


SPELLINGS: list[tuple[str, dict[str, Any], Usage]] = [
    (
        "OpenAI, Chat Completions",
        {
            "prompt_tokens": 20,
            "completion_tokens": 9,
            "total_tokens": 29,
            "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 2},
            "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 1},
        },
        Usage(
            input_tokens=20,
            output_tokens=9,
            total_tokens=29,
            cache_read_tokens=8,
            reasoning_tokens=5,
            input_audio_tokens=2,
            output_audio_tokens=1,
        ),
    ),
    (
        "OpenAI, Responses",
        {
            "input_tokens": 20,
            "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 4},
            "output_tokens": 9,
            "output_tokens_details": {"reasoning_tokens": 5},
            "total_tokens": 29,
        },
        Usage(
            input_tokens=20,
            output_tokens=9,
            total_tokens=29,
            cache_read_tokens=8,
            cache_write_tokens=4,
            reasoning_tokens=5,
        ),
    ),
    (
        "DeepSeek",
        {"prompt_tokens": 20, "prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 12},
        Usage(input_tokens=20, cache_read_tokens=8),
    ),
    (
        "Claude behind a gateway",
        {"prompt_tokens": 20, "cache_read_input_tokens": 8, "cache_creation_input_tokens": 4},
        Usage(input_tokens=20, cache_read_tokens=8, cache_write_tokens=4),
    ),
    (
        "Together",
        {"prompt_tokens": 20, "cached_tokens": 8},
        Usage(input_tokens=20, cache_read_tokens=8),
    ),
    (
        "Mistral",
        {"prompt_tokens": 20, "num_cached_tokens": 8},
        Usage(input_tokens=20, cache_read_tokens=8),
    ),
    (
        "Copilot",
        {"completion_tokens": 9, "reasoning_tokens": 5},
        Usage(output_tokens=9, reasoning_tokens=5),
    ),
]


@pytest.mark.parametrize(
    ("raw", "usage"), [row[1:] for row in SPELLINGS], ids=[row[0] for row in SPELLINGS]
)
def test_every_vendors_spelling_reads_the_same(raw: dict[str, Any], usage: Usage) -> None:
    """Billing knows one form only."""
    assert read_usage(raw) == (usage, ())


def test_reasoning_outside_completion_is_added_only_where_the_total_proves_it() -> None:
    """xAI counts it outside for some models only; always adding would bill it twice."""
    outside = {
        "prompt_tokens": 12,
        "completion_tokens": 2,
        "completion_tokens_details": {"reasoning_tokens": 320},
    }
    assert usage_of(outside | {"total_tokens": 334}) == Usage(
        input_tokens=12, output_tokens=322, total_tokens=334, reasoning_tokens=320
    )
    inside = {
        "prompt_tokens": 12,
        "completion_tokens": 322,
        "completion_tokens_details": {"reasoning_tokens": 320},
    }
    assert usage_of(inside | {"total_tokens": 334}) == usage_of(outside | {"total_tokens": 334})
    assert usage_of(inside) == Usage(input_tokens=12, output_tokens=322, reasoning_tokens=320)


def test_audio_outside_prompt_is_added_where_the_total_proves_it() -> None:
    """Mistral's Voxtral: 11 tokens of text, 375 of audio, 15 of answer, 401 in all."""
    raw = {
        "prompt_tokens": 11,
        "completion_tokens": 15,
        "total_tokens": 401,
        "prompt_tokens_details": {"audio_tokens": 375},
    }
    assert usage_of(raw) == Usage(
        input_tokens=386, output_tokens=15, total_tokens=401, input_audio_tokens=375
    )


def test_counts_that_contradict_each_other_are_kept_and_noted() -> None:
    """Azure has reported 190 cached of 23 prompt tokens: the counts stay, and a note says so."""
    raw = {
        "prompt_tokens": 23,
        "completion_tokens": 1,
        "total_tokens": 30,
        "prompt_tokens_details": {"cached_tokens": 190},
    }
    usage, notes = read_usage(raw)
    assert usage == Usage(input_tokens=23, output_tokens=1, total_tokens=30, cache_read_tokens=190)
    assert notes == (
        "`total_tokens` is not the sum of prompt and completion (by 6); all are kept as reported.",
        "`cache_read_tokens` (190) exceed `input_tokens` (23); both are kept as reported.",
    )


@pytest.mark.parametrize(
    "wrong", [-1, 10**30, 1.5, math.nan, math.inf, "12", "many", True, [], {"n": 1}], ids=repr
)
def test_a_value_that_is_not_a_count_is_absent_and_noted(wrong: Any) -> None:
    """Clients that pass NaN or 10^30 on put it on the bill."""
    raw = {"prompt_tokens": wrong, "completion_tokens": 2, "total_tokens": 9}
    usage, notes = read_usage(raw)
    assert usage == Usage(output_tokens=2), "the total tells nothing about that side either"
    assert len(notes) == 1
    assert "`input_tokens` is not a count of tokens" in notes[0]


def test_a_whole_number_written_as_a_float_is_a_count() -> None:
    """JavaScript servers and Lua proxies write 12.0."""
    assert usage_of({"prompt_tokens": 12.0}) == Usage(input_tokens=12)


@pytest.mark.parametrize("raw", ["none", 12, [1, 2], True])
def test_a_usage_that_is_not_an_object_is_absent_and_noted(raw: Any) -> None:
    """The answer itself may be fine."""
    assert read_usage(raw) == (None, ("`usage` is not an object; it counts as absent.",))


@pytest.mark.parametrize(
    ("raw", "beside", "usd"),
    [
        ({"cost": 0.00099}, None, "0.00099"),
        ({"cost": 0}, None, "0"),
        ({"cost": 2.85e-05}, None, "0.0000285"),
        ({"cost": {"total_cost": 0.00937}}, None, "0.00937"),
        ({"cost_in_usd_ticks": 37756000}, None, "0.0037756"),
        ({"prompt_tokens": 1}, {"usd": 0.000125, "diem": 0}, "0.000125"),
    ],
    ids=["OpenRouter", "OpenRouter, free", "exponent", "Perplexity", "xAI's ticks", "Venice"],
)
def test_a_reported_cost_is_kept_exactly(raw: dict[str, Any], beside: Any, usd: str) -> None:
    """The vendor's own figure is the best price; as a Decimal, it keeps every digit."""
    usage = usage_of(raw, cost=beside)
    assert usage is not None
    assert usage.cost_usd == Decimal(usd)


def test_a_cost_written_as_text_is_a_cost() -> None:
    """Decimals are often written as text, so that no parser rounds them."""
    usage = usage_of({"prompt_tokens": 1, "cost": "0.00012"})
    assert usage == Usage(input_tokens=1, cost_usd=Decimal("0.00012"))


@pytest.mark.parametrize(
    ("before", "last", "both"),
    [
        (
            {"prompt_tokens": 9},
            {"completion_tokens": 2},
            {"prompt_tokens": 9, "completion_tokens": 2},
        ),
        ({"prompt_tokens": 9}, {"prompt_tokens": 0}, {"prompt_tokens": 9}),
        ({"prompt_tokens": 9}, {"prompt_tokens": 11}, {"prompt_tokens": 11}),
        ({"prompt_tokens": 9}, {}, {"prompt_tokens": 9}),
        (None, {"prompt_tokens": 0}, {"prompt_tokens": 0}),
    ],
)
def test_a_later_report_takes_nothing_away(before: Any, last: Any, both: Any) -> None:
    """Gateways to Claude report the prompt first; some servers end with zeros."""
    assert merged_usage(before, last) == both


def test_moonshots_usage_stands_in_the_last_choice() -> None:
    """https://platform.moonshot.ai/docs/api/chat"""
    usage = {"prompt_tokens": 9, "completion_tokens": 2}
    assert reported_usage({"choices": [{"index": 0, "delta": {}, "usage": usage}]}) == usage


def test_zero_ticks_are_not_a_cost() -> None:
    """Azure reports xAI's field as 0 and bills the tokens itself; they are not free."""
    assert usage_of({"prompt_tokens": 7, "cost_in_usd_ticks": 0}) == Usage(input_tokens=7)


@pytest.mark.parametrize(
    "wrong", [-0.1, math.nan, math.inf, "much", "-0.1", 10**12, True], ids=repr
)
def test_a_cost_that_is_not_an_amount_is_absent_and_noted(wrong: Any) -> None:
    """A negative cost would pay the caller."""
    usage, notes = read_usage({"prompt_tokens": 1, "cost": wrong})
    assert usage == Usage(input_tokens=1)
    assert len(notes) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    st.lists,
    max_leaves=3,
)
NAMES = [
    "prompt_tokens",
    "input_tokens",
    "completion_tokens",
    "total_tokens",
    "cost",
    "cached_tokens",
    "cost_in_usd_ticks",
]
DETAILS = st.dictionaries(
    st.sampled_from(["cached_tokens", "reasoning_tokens", "audio_tokens"]), JSON
)


@given(
    st.dictionaries(st.sampled_from(NAMES), JSON | st.integers(0, 50))
    | st.dictionaries(
        st.sampled_from(["prompt_tokens_details", "completion_tokens_details"]), DETAILS | JSON
    )
    | JSON
)
def test_any_usage_gives_whole_counts_or_none(raw: Any) -> None:
    """Whatever is reported, a bill can be made of what is read."""
    usage = usage_of(raw) or Usage()
    counts = [getattr(usage, name) for name in TOKEN_FIELDS]
    assert all(count is None or (type(count) is int and count >= 0) for count in counts)
    assert usage.cost_usd is None or (usage.cost_usd.is_finite() and usage.cost_usd >= 0)


@pytest.mark.parametrize(
    ("reported", "cost_usd"),
    [
        ({"cost": 0, "cost_details": {"upstream_inference_cost": 0.03}}, "0.03"),
        ({"cost": 0.0015, "cost_details": {"upstream_inference_cost": 0.03}}, "0.0315"),
        ({"cost_details": {"upstream_inference_cost": 0.03}}, "0.03"),
        ({"cost": 0, "cost_details": {"upstream_inference_cost": None}}, None),
        (
            {
                "cost": 0.001,
                "cost_details": {
                    "upstream_inference_prompt_cost": 0.028,
                    "upstream_inference_completions_cost": "0.002",
                },
            },
            "0.031",
        ),
        (
            {
                "cost_details": {
                    "upstream_inference_cost": None,
                    "upstream_inference_input_cost": 0.028,
                    "upstream_inference_output_cost": 0,
                },
            },
            "0.028",
        ),
        ({"cost": 0.001, "cost_details": {"upstream_inference_input_cost": 0.028}}, None),
        ({"cost": 0.0015}, None),
        ({"cost": 0.0015, "cost_details": {"upstream_inference_cost": "much"}}, None),
    ],
)
def test_a_call_with_the_callers_own_key_costs_the_fee_and_what_the_vendor_takes(
    reported: dict[str, Any], cost_usd: str | None
) -> None:
    """OpenRouter's `cost` is then its fee alone, often zero: the call would look free."""
    usage = usage_of({"prompt_tokens": 9000, "completion_tokens": 100, "is_byok": True, **reported})
    assert usage is not None
    assert usage.cost_usd == (None if cost_usd is None else Decimal(cost_usd))


@pytest.mark.parametrize("own_key", [{}, {"is_byok": False}, {"is_byok": None}])
def test_without_the_callers_own_key_the_two_costs_are_the_same_money(own_key: Any) -> None:
    """Their sum would charge every call of OpenRouter twice."""
    usage = usage_of({"cost": 0.03, "cost_details": {"upstream_inference_cost": 0.03}, **own_key})
    assert usage == Usage(cost_usd=Decimal("0.03"))
