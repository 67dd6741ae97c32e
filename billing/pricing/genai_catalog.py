"""List prices from the package genai-prices, offline.

The package takes a third of a second or more to import and to build its tables, so it is imported
at the first lookup. Each (vendor, base URL, model) is looked up once and kept as plain rates.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from turngraph.billing.pricing.price_key import PriceKey
from turngraph.billing.pricing.rates import Rate, Rates, Tier

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, PriceVariant

__all__ = ["PROVIDER_IDS", "GenaiCatalog", "Listed", "Listing"]

PROVIDER_IDS: Final[Mapping[str, str]] = {
    "bedrock": "aws",
    "gemini": "google",
    "googleai": "google",
    "metaai": "meta",
    "moonshot": "moonshotai",
    "togetherai": "together",
    "xai": "x-ai",
}
"""Vendors that genai-prices knows by another id. Source: the `id` of each `prices/providers/*.yml`,
https://github.com/pydantic/genai-prices/tree/main/prices/providers. Any other vendor is looked up
by its own name.
"""

_CLASSES: Final[Mapping[str, str]] = {
    "input": "input_mtok",
    "cached": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "output": "output_mtok",
    "reasoning": "output_reasoning_mtok",
    "audio_input": "input_audio_mtok",
    "audio_output": "output_audio_mtok",
}
"""Fields of `Rates`, each with the name that genai-prices gives it. Source: its `units.yml`."""


class Listed(NamedTuple):
    """Rates, and the source they come from."""

    rates: Rates
    source: str
    currency: str = "USD"
    """The currency of the rates before they were converted into USD."""


@dataclass(frozen=True)
class Listing:
    """One model's prices over time and per service tier.

    `dated` is in the order of genai-prices: the last one whose constraint is active applies, and
    the first is the default.
    """

    dated: tuple[tuple[Any, Rates], ...]
    variants: tuple[tuple[Mapping[str, str], Any, Rates], ...] = ()

    def at(self, when: datetime, context: Mapping[str, str]) -> Rates:
        """Returns the rates at `when` for a call with `context` (`{"service_tier": "flex"}`)."""
        active = [rates for constraint, rates in self.dated if _is_active(constraint, when)]
        result = active[-1] if active else self.dated[0][1]
        # The first variant has priority, so it is applied last. A variant lists only its own rates.
        for required, constraint, rates in reversed(self.variants if context else ()):
            if required.items() <= context.items() and _is_active(constraint, when):
                own = {name: value for name, value in rates if value is not None}
                result = result.model_copy(update=own)
        return result


@dataclass(frozen=True)
class GenaiCatalog:
    """The tables of the installed genai-prices. Make a new catalog after the package is updated.

    A vendor is found by its name, and only a name that is unknown (a custom endpoint) by its base
    URL. A model is never found by its name alone: `gpt-4o` behind a gateway has the gateway's
    price.
    """

    _known: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # A cache per catalog, not per process: a new catalog reads updated tables.
        object.__setattr__(self, "_known", lru_cache(maxsize=4096)(_look_up))

    def __reduce__(self) -> Any:
        return GenaiCatalog, ()  # the cache is not pickled

    def find(self, key: PriceKey) -> Listed | None:
        """Returns the listed rates of `key`, or `None`."""
        known: tuple[Listing, str] | None = self._known(key.vendor, key.model, key.base_url)
        if known is None:
            return None
        listing, source = known
        context = {"service_tier": key.service_tier} if key.service_tier else {}
        return Listed(listing.at(key.at, context), source)


def _look_up(vendor: str, model: str, base_url: str | None) -> tuple[Listing, str] | None:
    import genai_prices
    from genai_prices.data_snapshot import get_snapshot

    snapshot = get_snapshot()
    name = PROVIDER_IDS.get(vendor, vendor)
    by_name = next((provider for provider in snapshot.providers if provider.id == name), None)
    try:
        provider = by_name or snapshot.find_provider(None, None, base_url or "")
    except LookupError:
        return None
    info = provider.find_model(model, all_providers=snapshot.providers)
    if info is None:
        return None
    # A row of another provider (Azure's models are listed under OpenAI) has valid prices, but its
    # service tiers are that provider's.
    own = any(info is row for row in provider.models)
    return _listing(info, tiers=own), f"genai-prices {genai_prices.__version__}"


def _listing(info: "ModelInfo", *, tiers: bool) -> Listing:
    from genai_prices.types import ModelPrice

    dated = (
        [(None, info.prices)]
        if isinstance(info.prices, ModelPrice)
        else [(p.constraint, p.prices) for p in info.prices]
    )
    return Listing(
        tuple((constraint, _rates(prices)) for constraint, prices in dated),
        tuple(_variant(variant) for variant in (info.price_variants or () if tiers else ())),
    )


def _variant(variant: "PriceVariant") -> tuple[Mapping[str, str], Any, Rates]:
    return variant.when, variant.constraint, _rates(variant.prices)


def _rates(prices: "ModelPrice") -> Rates:
    # A price per thousand requests; not every version of the package has it.
    per_thousand = getattr(prices, "requests_kcount", None)
    return Rates(
        **{name: _rate(getattr(prices, key)) for name, key in _CLASSES.items()},
        usd_per_request=None if per_thousand is None else _rate(per_thousand).usd_per_mtok / 1000,  # type: ignore[union-attr]
    )


def _rate(price: Any) -> Rate | None:
    if price is None:
        return None
    if isinstance(price, Decimal):
        return Rate(usd_per_mtok=price)
    tiers = tuple(Tier(above=tier.start, usd_per_mtok=tier.price) for tier in price.tiers)
    return Rate(usd_per_mtok=price.base, tiers=tiers)


def _is_active(constraint: Any, when: datetime) -> bool:
    return constraint is None or bool(constraint.active(when))
