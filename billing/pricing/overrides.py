"""Your own prices: contracts, self-hosted models, vendors no list knows, and what tools and plugins
cost.
"""

from datetime import datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import Field, ValidationError, model_validator

from turngraph.billing.pricing.rates import Rate, Rates, Tier, Usd
from turngraph.state.base import Frozen
from turngraph.state.errors import TurnConfigurationError

__all__ = ["PriceFile", "PriceOverride", "ToolPrice", "load_prices"]

_MAX_BYTES: Final = 262_144


class PriceOverride(Frozen):
    """The price of one vendor's models. `model` may hold `*`; the first row that names a model
    counts.

    Amounts stand in `currency`; `usd` says what one unit of it is worth. Charges are in USD, and
    keep what the price stood in. Another currency without `usd` is refused: nobody else knows the
    rate you pay.

        >>> row = PriceOverride(vendor="berget", model="llama-*", currency="EUR", usd=Decimal("1.1"),
        ...                     rates=Rates(input=Rate(usd_per_mtok=Decimal("0.3"))))
        >>> row.in_usd().input.usd_per_mtok
        Decimal('0.33')
    """

    vendor: str
    model: str = "*"
    rates: Rates
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    usd: Annotated[Decimal, Field(gt=0)] = Decimal(1)
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    @model_validator(mode="after")
    def _has_a_rate(self) -> Self:
        if self.currency != "USD" and "usd" not in self.model_fields_set:
            raise ValueError(
                f"the price of `{self.vendor}:{self.model}` is in {self.currency}; "
                f"say what one {self.currency} is worth in US dollars: `usd`"
            )
        return self

    def names(self, vendor: str, model: str, at: datetime) -> bool:
        """Whether this row prices `vendor`'s `model` at `at`."""
        if vendor != self.vendor or not fnmatchcase(model, self.model):
            return False
        begun = self.valid_from is None or at >= self.valid_from
        return begun and (self.valid_until is None or at < self.valid_until)

    def in_usd(self) -> Rates:
        """The rates in USD."""
        return (
            self.rates
            if self.usd == 1
            else Rates.model_validate({k: self._times(v) for k, v in self.rates})
        )

    def _times(self, value: Rate | Decimal | None) -> Any:
        if isinstance(value, Decimal):
            return value * self.usd
        if value is None:
            return None
        tiers = tuple(
            Tier(above=t.above, usd_per_mtok=t.usd_per_mtok * self.usd) for t in value.tiers
        )
        return Rate(usd_per_mtok=value.usd_per_mtok * self.usd, tiers=tiers)


class ToolPrice(Frozen):
    """What a tool or plugin costs, in USD: per call, per row of its result, per second it ran; the
    three add up.

    >>> ToolPrice(tool="search", usd_per_call=Decimal("0.01"), usd_per_row=Decimal("0.001")).cost(rows=3)
    Decimal('0.013')
    """

    tool: str
    usd_per_call: Usd = Decimal(0)
    usd_per_row: Usd = Decimal(0)
    usd_per_second: Usd = Decimal(0)

    def cost(self, *, rows: int = 0, seconds: float = 0.0) -> Decimal:
        """What one call cost, unrounded."""
        return (
            self.usd_per_call
            + self.usd_per_row * rows
            + self.usd_per_second * Decimal(repr(seconds))
        )


class PriceFile(Frozen):
    """A file of prices: `prices` for models, `tools` for tools and plugins."""

    prices: tuple[PriceOverride, ...] = ()
    tools: tuple[ToolPrice, ...] = ()


def load_prices(path: str | Path) -> PriceFile:
    """The prices in a YAML file. Raises `TurnConfigurationError` naming the file, and the row that
    cannot be read.

    Numbers are read as text first, so that 0.1 is a tenth. Anchors and tags are refused.
    """
    import yaml

    try:
        text = Path(path).read_bytes()
    except OSError as exc:
        raise TurnConfigurationError(
            f"The price file `{path}` cannot be read: {exc.strerror}."
        ) from exc
    if len(text) > _MAX_BYTES:
        raise TurnConfigurationError(
            f"`{path}` has {len(text)} bytes; a price file may have {_MAX_BYTES}."
        )
    try:
        events = list(yaml.parse(text, Loader=yaml.BaseLoader))
        if any(
            getattr(event, "anchor", None) or isinstance(event, yaml.AliasEvent) for event in events
        ):
            raise TurnConfigurationError(f"`{path}` uses YAML anchors; write each price out.")
        return PriceFile.model_validate(yaml.load(text, Loader=yaml.BaseLoader) or {})  # noqa: S506
    except ValidationError as exc:
        problem = exc.errors(include_url=False)[0]
        place = ".".join(map(str, problem["loc"]))
        raise TurnConfigurationError(
            f"`{path}` is no price file: {place}: {problem['msg']}."
        ) from exc
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        raise TurnConfigurationError(f"`{path}` is no price file: {exc}") from exc
