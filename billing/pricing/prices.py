"""What a call costs: by the vendor's own report, your overrides, or the price list, in this order.

>>> from datetime import UTC, datetime
>>> usage = Usage(input_tokens=10_000, cache_read_tokens=8_000, output_tokens=1_000)
>>> Prices().charge(usage, PriceKey("openai", "gpt-5", at=datetime(2026, 1, 1, tzinfo=UTC))).usd
Decimal('0.0135')
"""

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, Protocol, Self

from turngraph.billing.pricing.genai_catalog import GenaiCatalog, Listed
from turngraph.billing.pricing.money import rounded
from turngraph.billing.pricing.overrides import PriceOverride, ToolPrice, load_prices
from turngraph.billing.pricing.price_key import PriceKey
from turngraph.billing.pricing.rates import cost_usd, highest_rate, price_used
from turngraph.state.result import PriceUsed
from turngraph.state.usage import Usage

__all__ = ["Catalog", "Priced", "Prices"]


class Priced(NamedTuple):
    """An amount in USD, rounded to the nano-dollar, and the price it was computed with."""

    usd: Decimal
    price: PriceUsed


class Catalog(Protocol):
    """A source of list prices."""

    def find(self, key: PriceKey) -> Listed | None:
        """Returns the rates of `key`, or `None` where they are not listed."""
        ...


@dataclass(frozen=True)
class Prices:
    """The prices of models and tools. A model that none of the sources knows has no price: `None`,
    never zero.

    `overrides` are your own prices, looked at in order; `tools` are the prices of tools and
    plugins; `catalog` is the price list, by default that of genai-prices.

        >>> from datetime import UTC, datetime
        >>> from turngraph.billing.pricing.rates import Rate, Rates
        >>> rates = Rates(input=Rate(usd_per_mtok="0.2"), output=Rate(usd_per_mtok="0.8"))
        >>> prices = Prices((PriceOverride(vendor="custom", model="my-*", rates=rates),))
        >>> key = PriceKey("custom", "my-model", at=datetime(2026, 1, 1, tzinfo=UTC))
        >>> prices.charge(Usage(input_tokens=1000, output_tokens=500), key).usd
        Decimal('0.0006')
    """

    overrides: tuple[PriceOverride, ...] = ()
    tools: tuple[ToolPrice, ...] = ()
    catalog: Catalog = field(default_factory=GenaiCatalog)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Returns the prices of a YAML file, over the price list.

        Raises `TurnConfigurationError` naming the file and the row that is wrong.
        """
        own = load_prices(path)
        return cls(overrides=own.prices, tools=own.tools)

    def charge(self, usage: Usage, key: PriceKey) -> Priced | None:
        """Returns what `usage` cost, or `None` where no source knows the price."""
        # The vendor's own amount is better than any table; NaN or a negative one is a fault.
        if usage.cost_usd is not None and usage.cost_usd.is_finite() and usage.cost_usd >= 0:
            return Priced(rounded(usage.cost_usd), PriceUsed(source="provider"))
        listed = self.find(key)
        if listed is None:
            return None
        price = price_used(
            listed.rates, usage.input_tokens or 0, source=listed.source, currency=listed.currency
        )
        cost = cost_usd(usage, price)
        return None if cost is None else Priced(rounded(cost), price)

    def most(self, key: PriceKey, *, input_tokens: int, output_tokens: int) -> Priced | None:
        """Returns the most that a call with at most so many tokens can cost, or `None` where no
        source knows the price.

        Every token counts at the highest rate that a token of its side can have.
        """
        listed = self.find(key)
        if listed is None:
            return None
        price = price_used(
            listed.rates, input_tokens, source=listed.source, currency=listed.currency, most=True
        )
        bound = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
        cost = cost_usd(bound, _with_highest_rates(price))
        return None if cost is None else Priced(rounded(cost), price)

    def find(self, key: PriceKey) -> Listed | None:
        """Returns the rates in force: those of the first override that matches, else the list's."""
        for override in self.overrides:
            if override.matches(key):
                return Listed(override.in_usd(), "override", override.currency)
        return self.catalog.find(key)

    def tool(self, name: str) -> ToolPrice | None:
        """Returns the price of a tool or plugin, or `None` where none is set."""
        return next((price for price in self.tools if price.tool == name), None)


def _with_highest_rates(price: PriceUsed) -> PriceUsed:
    """Returns `price` with input and output at the highest rate of any of their classes."""
    return PriceUsed(
        source=price.source,
        input_usd_per_mtok=highest_rate(price, "input"),
        output_usd_per_mtok=highest_rate(price, "output"),
        usd_per_request=price.usd_per_request,
    )
