"""What a call costs, and by whose price: the vendor's own word, your overrides, the list, or
nobody's.

>>> from datetime import UTC, datetime
>>> prices = Prices()
>>> used = Usage(input_tokens=10_000, cache_read_tokens=8_000, output_tokens=1_000)
>>> prices.charge(used, vendor="openai", model="gpt-5", at=datetime(2026, 1, 1, tzinfo=UTC)).usd
Decimal('0.0135')
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, Protocol, Self

from turngraph.billing.pricing.genai_catalog import GenaiCatalog, Listed
from turngraph.billing.pricing.money import rounded
from turngraph.billing.pricing.overrides import PriceOverride, ToolPrice, load_prices
from turngraph.billing.pricing.rates import cost_usd, price_used
from turngraph.state.result import PriceUsed
from turngraph.state.usage import Usage

__all__ = ["Catalog", "Priced", "Prices"]


class Priced(NamedTuple):
    """An amount in USD, rounded to the nano-dollar, and the price it was made with."""

    usd: Decimal
    price: PriceUsed


class Catalog(Protocol):
    """Where list prices come from."""

    def find(
        self,
        *,
        vendor: str,
        model: str,
        base_url: str | None,
        at: datetime,
        service_tier: str | None,
    ) -> Listed | None:
        """The rates of `vendor`'s `model` at `at`, or `None` where they are not listed."""
        ...


@dataclass(frozen=True)
class Prices:
    """Prices, in this order: the vendor's own word, your overrides, the catalogue. `None` is
    unpriced, never free.
    """

    overrides: tuple[PriceOverride, ...] = ()
    tools: tuple[ToolPrice, ...] = ()
    catalogue: Catalog = field(default_factory=GenaiCatalog)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Those of a YAML file of your own, over the list. Raises TurnConfigurationError naming
        file and row.
        """
        own = load_prices(path)
        return cls(overrides=own.prices, tools=own.tools)

    def charge(
        self,
        usage: Usage,
        *,
        vendor: str,
        model: str,
        at: datetime,
        base_url: str | None = None,
        service_tier: str | None = None,
    ) -> Priced | None:
        """What `usage` of `vendor`'s `model` cost at `at`, or `None` where nobody says."""
        # A vendor's word on its own bill beats any table, but NaN or a debt is no word.
        if usage.cost_usd is not None and usage.cost_usd.is_finite() and usage.cost_usd >= 0:
            return Priced(rounded(usage.cost_usd), PriceUsed(source="provider"))
        listed = self.find(
            vendor=vendor, model=model, base_url=base_url, at=at, service_tier=service_tier
        )
        if listed is None:
            return None
        price = price_used(
            listed.rates, usage.input_tokens or 0, source=listed.source, currency=listed.currency
        )
        cost = cost_usd(usage, price)
        return None if cost is None else Priced(rounded(cost), price)

    def most(
        self,
        *,
        vendor: str,
        model: str,
        at: datetime,
        input_tokens: int,
        output_tokens: int,
        base_url: str | None = None,
        service_tier: str | None = None,
    ) -> Priced | None:
        """The most a call with at most so many tokens can cost: what a budget holds before the
        call.

        Every prompt token is taken at the dearest of the rates it may meet, every completion token
        likewise.
        """
        listed = self.find(
            vendor=vendor, model=model, base_url=base_url, at=at, service_tier=service_tier
        )
        if listed is None:
            return None
        price = price_used(
            listed.rates, input_tokens, source=listed.source, currency=listed.currency, most=True
        )
        bound = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
        cost = cost_usd(bound, _dearest(price))
        return None if cost is None else Priced(rounded(cost), price)

    def find(
        self,
        *,
        vendor: str,
        model: str,
        base_url: str | None,
        at: datetime,
        service_tier: str | None,
    ) -> Listed | None:
        """The rates in force: the first override that names this model, else what is listed."""
        for override in self.overrides:
            if override.names(vendor, model, at):
                return Listed(override.in_usd(), "override", override.currency)
        return self.catalogue.find(
            vendor=vendor, model=model, base_url=base_url, at=at, service_tier=service_tier
        )

    def tool(self, name: str) -> ToolPrice | None:
        """The price of a tool or plugin, where one is set."""
        return next((price for price in self.tools if price.tool == name), None)


def _dearest(price: PriceUsed) -> PriceUsed:
    """`price` with input and output at the highest rate of any of their classes."""
    into = (
        price.input_usd_per_mtok,
        price.cache_write_usd_per_mtok,
        price.audio_input_usd_per_mtok,
    )
    out = (price.output_usd_per_mtok, price.reasoning_usd_per_mtok, price.audio_output_usd_per_mtok)
    return PriceUsed(
        source=price.source,
        input_usd_per_mtok=max((rate for rate in into if rate is not None), default=None),
        output_usd_per_mtok=max((rate for rate in out if rate is not None), default=None),
        usd_per_request=price.usd_per_request,
    )
