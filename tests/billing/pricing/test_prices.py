"""Whose price counts: the vendor's own word, your overrides, the list, nobody's."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from turngraph.billing.pricing.genai_catalog import GenaiCatalog
from turngraph.billing.pricing.overrides import PriceOverride, ToolPrice, load_prices
from turngraph.billing.pricing.price_key import PriceKey
from turngraph.billing.pricing.prices import Prices
from turngraph.billing.pricing.rates import Rate, Rates
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.usage import Usage

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
USED = Usage(input_tokens=10_000, cache_read_tokens=8_000, output_tokens=1_000)
MINE = PriceOverride(
    vendor="openai",
    model="gpt-5*",
    rates=Rates(input=Rate(usd_per_mtok=Decimal(1)), output=Rate(usd_per_mtok=Decimal(1))),
)


def usd(
    prices: Prices,
    usage: Usage = USED,
    vendor: str = "openai",
    model: str = "gpt-5",
    **more: object,
) -> Decimal | None:
    priced = prices.charge(usage, PriceKey(vendor, model, at=AT, **more))  # type: ignore[arg-type]
    return None if priced is None else priced.usd


def test_the_vendors_own_word_comes_first() -> None:
    """OpenRouter and xAI say what a call cost; no table knows it better. Zero is a word too."""
    said = USED.model_copy(update={"cost_usd": Decimal("0.0000000015")})
    priced = Prices((MINE,)).charge(said, PriceKey("openai", "gpt-5", at=AT))
    assert priced is not None
    assert (priced.usd, priced.price.source) == (Decimal("0.000000002"), "provider")
    assert usd(Prices(), USED.model_copy(update={"cost_usd": Decimal(0)})) == 0


@pytest.mark.parametrize("cost", ["NaN", "-1", "Infinity"])
def test_a_nonsense_cost_is_no_word(cost: str) -> None:
    """A vendor's NaN must not become a charge, nor a debt a discount."""
    assert usd(
        Prices(), Usage.model_construct(**{**dict(USED), "cost_usd": Decimal(cost)})
    ) == Decimal("0.0135")


def test_your_override_comes_before_the_list() -> None:
    """A contract's price is the one you pay; the row says so on the charge."""
    priced = Prices((MINE,)).charge(USED, PriceKey("openai", "gpt-5-mini", at=AT))
    assert priced is not None
    assert (priced.usd, priced.price.source) == (Decimal("0.011"), "override")
    assert usd(Prices((MINE,)), model="gpt-4o") == usd(Prices(), model="gpt-4o")


def test_an_override_holds_in_its_time() -> None:
    """A price that ended last month must not price this month."""
    past = MINE.model_copy(update={"valid_until": AT})
    future = MINE.model_copy(update={"valid_from": AT + timedelta(seconds=1)})
    now = MINE.model_copy(update={"valid_from": AT, "valid_until": AT + timedelta(seconds=1)})
    key = PriceKey("openai", "gpt-5", at=AT)
    assert [row.matches(key) for row in (past, future, now)] == [False, False, True]


def test_a_price_in_another_currency_keeps_it() -> None:
    """Berget bills in euro: the charge is in USD at your rate, and says what it was turned from."""
    row = PriceOverride(
        vendor="berget",
        currency="EUR",
        usd=Decimal("1.1"),
        rates=Rates.model_validate(
            {
                "input": {"usd_per_mtok": "1", "tiers": [{"above": 5, "usd_per_mtok": "2"}]},
                "usd_per_request": "1",
            }
        ),
    )
    priced = Prices((row,)).charge(Usage(input_tokens=1_000_000), PriceKey("berget", "any", at=AT))
    assert priced is not None
    assert (priced.usd, priced.price.currency) == (Decimal("3.3"), "EUR")


def test_a_price_in_another_currency_without_a_rate_is_refused_by_name() -> None:
    """Ten euros are not ten dollars, and no list says what you pay for them."""
    with pytest.raises(
        ValidationError, match=r"price of `berget:\*` is in EUR; say in `usd` what one EUR is worth"
    ):
        PriceOverride(vendor="berget", currency="EUR", rates=Rates())


@pytest.mark.parametrize(
    ("vendor", "model"),
    [
        ("nobody", "gpt-4o"),
        ("ollama", "llama3"),
        ("openai", "gpt-99-unheard-of"),
        ("github-copilot", "gpt-4o"),
    ],
)
def test_a_price_nobody_knows_is_none_and_never_zero(vendor: str, model: str) -> None:
    """A gateway has a price of its own for `gpt-4o`, and an empty row of a list is not zero."""
    assert usd(Prices(), vendor=vendor, model=model, base_url="https://llm.example.org/v1") is None


def test_a_custom_name_is_looked_up_by_its_base_url() -> None:
    """Users name endpoints as they like; the host then says whose price list it is."""
    assert usd(Prices(), vendor="mine", base_url="https://api.openai.com/v1") == Decimal("0.0135")


def test_a_service_tier_has_its_own_price() -> None:
    """Flex is half, priority is double; the answer says which was served."""
    listed = datetime(2026, 11, 1, tzinfo=UTC)
    tiers = [
        Prices().charge(USED, PriceKey(vendor, "gpt-5", at=at, service_tier=tier))
        for vendor, tier, at in (
            ("openai", "flex", listed),
            ("openai", "default", listed),
            ("openai", "priority", listed),
            ("openai", "flex", AT),
            ("azure", "flex", listed),
        )
    ]
    plain, half, double = Decimal("0.0135"), Decimal("0.00675"), Decimal("0.027")
    assert [priced and priced.usd for priced in tiers] == [half, plain, double, plain, plain]


def test_a_list_price_follows_the_calendar() -> None:
    """Repricing last year's calls must use last year's prices."""
    o3 = Usage(input_tokens=1_000_000, output_tokens=0)
    before, after = (
        Prices().charge(o3, PriceKey("openai", "o3", at=datetime(2025, month, 20, tzinfo=UTC)))
        for month in (5, 7)
    )
    assert before is not None
    assert after is not None
    assert (before.usd, after.usd) == (Decimal(10), Decimal(2))


@pytest.mark.parametrize(
    ("vendor", "model", "usage", "expected"),
    [
        ("gemini", "gemini-2.5-pro", Usage(input_tokens=200_000, output_tokens=1_000), "0.26"),
        ("gemini", "gemini-2.5-pro", Usage(input_tokens=200_001, output_tokens=1_000), "0.5150025"),
        (
            "anthropic",
            "claude-sonnet-4-5",
            Usage(
                input_tokens=10_000,
                cache_read_tokens=1_000,
                cache_write_tokens=8_000,
                output_tokens=100,
            ),
            "0.0348",
        ),
        (
            "openai",
            "gpt-4o-realtime-preview",
            Usage(
                input_tokens=1_000,
                input_audio_tokens=800,
                output_tokens=100,
                output_audio_tokens=90,
            ),
            "0.0404",
        ),
        ("perplexity", "sonar", Usage(input_tokens=1_000, output_tokens=100), "0.0131"),
    ],
    ids=["up to a tier", "above a tier", "cache write", "audio", "per request"],
)
def test_every_kind_of_list_price_is_charged(
    vendor: str, model: str, usage: Usage, expected: str
) -> None:
    """Reckoned by hand from the vendors' pages: a kind that is left out is a bill nobody can
    explain.
    """
    assert usd(Prices(), usage, vendor, model) == Decimal(expected)


def test_the_first_of_a_models_dated_prices_is_the_default() -> None:
    """Before any of the dates, the list's first row holds."""
    listed = GenaiCatalog().find(PriceKey("openai", "o3", at=datetime(1999, 1, 1, tzinfo=UTC)))
    assert listed is not None
    assert listed.rates.input is not None


def test_the_most_a_call_can_cost_covers_what_it_costs() -> None:
    """A hold below the charge is an overrun; a hold is for the dearest classes and tiers."""
    for model, tokens in (("gpt-5", 10_000), ("gpt-4o-realtime-preview", 10_000)):
        usage = Usage(input_tokens=tokens, input_audio_tokens=tokens // 2, output_tokens=1_000)
        held = Prices().most(
            PriceKey("openai", model, at=AT), input_tokens=tokens, output_tokens=1_000
        )
        cost = usd(Prices(), usage, model=model)
        assert held is not None
        assert cost is not None
        assert held.usd >= cost


def test_the_most_of_an_unknown_price_is_unknown() -> None:
    """A budget then refuses, or takes the ceiling you set; it does not hold nothing."""
    for vendor, model in (("nobody", "x"), ("github-copilot", "gpt-4o")):
        assert (
            Prices().most(PriceKey(vendor, model, at=AT), input_tokens=1, output_tokens=1) is None
        )


def test_a_file_of_prices_is_read(tmp_path: Path) -> None:
    """Prices are data that an operator edits. A tenth written in YAML is exactly a tenth."""
    file = tmp_path / "prices.yaml"
    file.write_text(
        "prices:\n- vendor: vllm\n"
        "  rates: {input: {usd_per_mtok: 0.1}, output: {usd_per_mtok: 0.2}}\n"
        "tools:\n- {tool: search, usd_per_call: 0.01, usd_per_second: 0.001}\n"
    )
    assert load_prices(file).tools[0].usd_per_call == Decimal("0.01")
    prices = Prices.load(file)
    assert usd(prices, vendor="vllm", model="any") == Decimal("0.0012")
    assert prices.tool("search") == ToolPrice(
        tool="search", usd_per_call=Decimal("0.01"), usd_per_second=Decimal("0.001")
    )
    assert prices.tool("other") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prices: [{vendor: x}]", "rates"),
        ("prices: [{vendor: x, rates: {input: {usd_per_mtok: -1}}}]", "greater than or equal to 0"),
        ("prices: [{vendor: x, rates: {input: {usd_per_mtok: .nan}}}]", "decimal"),
        (
            "prices: [{vendor: x, currency: SEK, rates: {}}]",
            r"prices\.0: .* is in SEK; say in `usd` what one SEK is worth",
        ),
        ("[1, 2]", "valid dictionary"),
        ("a: &a [1]\nb: *a", "anchors"),
        ("prices: [", "not a price file"),
        (
            "prices: [{vendor: x, model: y, rates: {cashed: {usd_per_mtok: 1}}}]",
            "prices.0.rates.cashed.*Allowed there: input, cached, ",
        ),
        ("x" * 300_000, "300000 bytes"),
    ],
)
def test_a_wrong_file_of_prices_is_named(tmp_path: Path, text: str, says: str) -> None:
    """A typo in a price is found before a call is made, with the file's name."""
    file = tmp_path / "prices.yaml"
    file.write_text(text)
    with pytest.raises(TurnConfigurationError, match=says) as error:
        load_prices(file)
    assert "prices.yaml" in str(error.value)


def test_a_file_of_prices_that_is_not_there_is_named(tmp_path: Path) -> None:
    """In the same words as any other mistake in it."""
    with pytest.raises(TurnConfigurationError, match=r"nowhere.yaml` cannot be read: No such file"):
        load_prices(tmp_path / "nowhere.yaml")


def test_an_empty_file_of_prices_sets_none(tmp_path: Path) -> None:
    """Nothing in it is not a mistake."""
    file = tmp_path / "prices.yaml"
    file.write_text("")
    assert load_prices(file).prices == ()
