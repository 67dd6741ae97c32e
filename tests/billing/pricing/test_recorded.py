"""Prices against genai-prices itself, on what vendors really reported. Skips where there are no
recordings.
"""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import genai_prices
import pytest
from rich.console import Console
from rich.table import Column, Table

from tests.paths import SHARED
from turngraph.billing.pricing.charges import charge_for
from turngraph.billing.pricing.genai_catalog import PROVIDER_IDS
from turngraph.billing.pricing.money import to_nano
from turngraph.billing.pricing.price_key import PriceKey
from turngraph.billing.pricing.prices import Prices
from turngraph.state.usage import Usage
from turngraph.state.usage_report import read_usage

RECORDED = SHARED / "recorded"
AT = datetime(2026, 6, 1, 12, tzinfo=UTC)

pytestmark = pytest.mark.skipif(
    not RECORDED.is_dir(), reason="needs the recordings in ../shared/recorded"
)


@dataclass(frozen=True)
class Exchange:
    id: str
    vendor: str
    api: str
    host: str | None
    model: str
    raw: dict[str, Any]
    """The last usage the vendor sent, as it sent it."""
    body: dict[str, Any]
    """The answer, or the event, that carried it."""


def exchanges() -> Iterator[Exchange]:
    for file in sorted(RECORDED.glob("*.jsonl.gz")):
        with gzip.open(file, "rt") as lines:
            for line in lines:
                record = json.loads(line)
                body = carrier(record["response"])
                if body is not None:
                    request = record.get("request") or {}
                    model = body.get("model") or record.get("model") or "unknown"
                    yield Exchange(
                        record["id"],
                        record["vendor"],
                        record["api"],
                        request.get("host"),
                        model,
                        body["usage"],
                        body,
                    )


def carrier(response: dict[str, Any]) -> dict[str, Any] | None:
    """The last object with a usage in it: usage is cumulative, so the last one counts, and only
    that one.
    """
    found = None
    for candidate in [response.get("body"), *map(event, response.get("sse") or ())]:
        inner = candidate.get("response") if isinstance(candidate, dict) else None
        for holder in (candidate, inner):
            if (
                isinstance(holder, dict)
                and isinstance(holder.get("usage"), dict)
                and holder["usage"]
            ):
                found = holder
    return found


def event(block: str) -> Any:
    data = "\n".join(line[5:].strip() for line in block.splitlines() if line.startswith("data:"))
    try:
        return json.loads(data)
    except ValueError:
        return None


def listed(exchange: Exchange) -> Decimal | str:
    """What genai-prices makes of the raw body, with its own reading of the usage; or why it makes
    nothing.
    """
    provider, why = PROVIDER_IDS.get(exchange.vendor, exchange.vendor), ""
    for flavor in (exchange.api, "default"):
        try:
            used = genai_prices.extract_usage(
                exchange.body, provider_id=provider, api_flavor=flavor
            )
            return (
                used.calc_price(genai_request_timestamp=AT).total_price
                if used.model
                else "no such model"
            )
        except (LookupError, ValueError) as exc:
            why = str(exc)
    return why


def respelled(exchange: Exchange) -> Exchange:
    """The same counts in words that genai-prices reads: Mistral has two of its own.

    Cached tokens as `num_cached_tokens`; and Voxtral's audio outside the prompt, which only the
    total tells: 11 of text, 375 of audio, 15 of answer, 401 in all.
    """
    raw = exchange.raw
    if exchange.vendor != "mistral":
        return exchange
    details = raw.get("prompt_tokens_details") or {}
    cached = raw.get("num_cached_tokens") or details.get("cached_tokens") or 0
    prompt, audio = raw["prompt_tokens"], details.get("audio_tokens") or 0
    if raw["total_tokens"] == prompt + audio + raw["completion_tokens"]:
        prompt += audio
    same = {
        **raw,
        "prompt_tokens": prompt,
        "prompt_tokens_details": {**details, "cached_tokens": cached},
    }
    return replace(exchange, raw=same, body={**exchange.body, "usage": same})


def outcome_of(exchange: Exchange, prices: Prices) -> tuple[str, int]:
    """How our price of what our reader read compares with the other's of what it read; both in
    nano-USD, if equal.
    """
    usage = read(exchange).model_copy(update={"cost_usd": None})
    priced = prices.charge(usage, PriceKey(exchange.vendor, exchange.model, at=AT))
    expected = listed(respelled(exchange))
    if priced is None:
        # An empty row of the list is "nobody knows", never "free".
        assert isinstance(expected, str) or expected == 0, exchange.id
        return "unpriced", 0
    if isinstance(expected, str):
        return "refused by genai-prices", 0
    assert to_nano(priced.usd) == to_nano(expected), f"{exchange.id}: {exchange.raw}"
    return "equal", to_nano(expected)


def read(exchange: Exchange) -> Usage:
    usage, _ = read_usage(exchange.raw)
    return usage if usage is not None else Usage()


def test_what_is_priced_equals_genai_prices_on_the_raw_body() -> None:
    """Two readings of the same usage, theirs and ours, and two computations: equal to the
    nano-dollar, one by one.

    Left out is only what genai-prices refuses to read at all; there is little, and this test counts
    it. `pytest -s` prints the counts of every vendor.
    """
    prices, outcomes, nano = Prices(), dict[str, Counter[str]](), 0
    for exchange in exchanges():
        outcome, theirs = outcome_of(exchange, prices)
        outcomes.setdefault(exchange.vendor, Counter())[outcome] += 1
        nano += theirs
    total = sum(outcomes.values(), Counter[str]())
    show(outcomes, total, nano)
    assert total["equal"] > 2500
    assert total["refused by genai-prices"] < 70


def show(outcomes: dict[str, Counter[str]], total: Counter[str], nano: int) -> None:
    table = Table(
        "vendor", *(Column(name, justify="right") for name in total), title=f"{nano} nano-USD, both"
    )
    for vendor, counted in [*sorted(outcomes.items()), ("all", total)]:
        table.add_row(vendor, *(str(counted[name]) for name in total))
    Console(width=120).print(table)


def test_what_a_vendor_says_it_cost_is_what_is_charged() -> None:
    """To the nano-dollar, rounded up: OpenRouter's `cost` and xAI's ticks, as they stand in the raw
    usage.
    """
    told: Counter[str] = Counter()
    for exchange in exchanges():
        usd = told_cost_usd(exchange.raw)
        if usd is None:
            continue
        priced = Prices().charge(read(exchange), PriceKey(exchange.vendor, exchange.model, at=AT))
        assert priced is not None
        assert (to_nano(priced.usd), priced.price.source) == (to_nano(usd), "provider"), exchange.id
        told[exchange.vendor] += 1
    print(dict(told))
    assert told


def told_cost_usd(raw: dict[str, Any]) -> Decimal | None:
    """The cost in a vendor's usage, in USD. With the caller's own key, OpenRouter's `cost` is its
    fee alone, and the model's vendor takes the rest.
    """
    said, ticks = raw.get("cost"), raw.get("cost_in_usd_ticks")
    if ticks:
        return Decimal(ticks) / 10**10
    if not isinstance(said, int | float):
        return None
    upstream = raw["cost_details"]["upstream_inference_cost"] if raw.get("is_byok") else 0
    return Decimal(str(said)) + Decimal(str(upstream))


def test_every_exchange_with_usage_is_priced_or_marked() -> None:
    """Nothing falls between: an amount with its price, or an unpriced mark, never a silent zero."""
    prices = Prices()
    for exchange in exchanges():
        charge = charge_for(
            prices,
            PriceKey(
                exchange.vendor,
                exchange.model,
                at=AT,
                base_url=f"https://{exchange.host}" if exchange.host else None,
            ),
            attempt_id=exchange.id,
            usage=read(exchange),
        )
        assert charge is not None
        assert (charge.amount_usd is None) == charge.unpriced == (charge.price is None), exchange.id
