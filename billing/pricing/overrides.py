"""Your own prices: of contracts, self-hosted models, vendors that no list has, and tools."""

from datetime import datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Self

from pydantic import Field, ValidationError, model_validator

from turngraph.billing.pricing.price_key import PriceKey
from turngraph.billing.pricing.rates import Rate, Rates, Tier, Usd
from turngraph.state.argument_kinds import is_text, shown
from turngraph.state.base import Frozen
from turngraph.state.errors import TurnConfigurationError

__all__ = ["PriceFile", "PriceOverride", "ToolPrice", "load_prices"]

_MAX_BYTES: Final = 262_144


class PriceOverride(Frozen):
    """The price of one vendor's models. `model` may contain `*`; of several overrides the first
    that matches applies.

    Amounts are in `currency`, and `usd` is what one unit of it is worth in US dollars. It must be
    given for another currency than USD. Charges are in USD, and name the currency of the price.

        >>> rates = Rates(input=Rate(usd_per_mtok=Decimal("0.3")))
        >>> row = PriceOverride(vendor="berget", rates=rates, currency="EUR", usd=Decimal("1.1"))
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

    # For type checkers: amounts may be given as text, too. Pydantic makes Decimals of them.
    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            vendor: str,
            model: str = "*",
            rates: Rates,
            currency: str = "USD",
            usd: Decimal | str = Decimal(1),
            valid_from: datetime | None = None,
            valid_until: datetime | None = None,
        ) -> None: ...

    @model_validator(mode="after")
    def _check_currency(self) -> Self:
        if self.currency != "USD" and "usd" not in self.model_fields_set:
            raise ValueError(
                f"the price of `{self.vendor}:{self.model}` is in {self.currency}; "
                f"say in `usd` what one {self.currency} is worth in US dollars"
            )
        return self

    def matches(self, key: PriceKey) -> bool:
        """Returns whether this is the price of `key`: its vendor, model and time."""
        if key.vendor != self.vendor or not fnmatchcase(key.model, self.model):
            return False
        is_valid = self.valid_from is None or key.at >= self.valid_from
        return is_valid and (self.valid_until is None or key.at < self.valid_until)

    def in_usd(self) -> Rates:
        """Returns the rates in USD."""
        if self.usd == 1:
            return self.rates
        return Rates.model_validate({name: self._converted(rate) for name, rate in self.rates})

    def _converted(self, value: Rate | Decimal | None) -> Rate | Decimal | None:
        if isinstance(value, Decimal):
            return value * self.usd
        if value is None:
            return None
        tiers = tuple(
            Tier(above=t.above, usd_per_mtok=t.usd_per_mtok * self.usd) for t in value.tiers
        )
        return Rate(usd_per_mtok=value.usd_per_mtok * self.usd, tiers=tiers)


class ToolPrice(Frozen):
    """What a tool or plugin costs, in USD: the sum of a price per call, per row of its result and
    per second that it ran.

    >>> price = ToolPrice(tool="search", usd_per_call=Decimal("0.01"), usd_per_row=Decimal("0.001"))
    >>> price.cost(rows=3)
    Decimal('0.013')
    """

    tool: str
    usd_per_call: Usd = Decimal(0)
    usd_per_row: Usd = Decimal(0)
    usd_per_second: Usd = Decimal(0)

    # For type checkers: amounts may be given as text, too. Pydantic makes Decimals of them.
    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            tool: str,
            usd_per_call: Decimal | str = Decimal(0),
            usd_per_row: Decimal | str = Decimal(0),
            usd_per_second: Decimal | str = Decimal(0),
        ) -> None: ...

    def cost(self, *, rows: int = 0, seconds: float = 0.0) -> Decimal:
        """Returns what one call cost, in USD, unrounded."""
        return (
            self.usd_per_call
            + self.usd_per_row * rows
            + self.usd_per_second * Decimal(repr(seconds))
        )


class PriceFile(Frozen):
    """The content of a price file: `prices` of models, `tools` for those of tools and plugins."""

    prices: tuple[PriceOverride, ...] = ()
    tools: tuple[ToolPrice, ...] = ()


_ROWS: Final = (("rates", Rates), ("prices", PriceOverride), ("tools", ToolPrice))
"""What stands under a key of a price file, the innermost first."""


def load_prices(path: str | Path) -> PriceFile:
    """Reads the prices in a YAML file.

    Raises `TurnConfigurationError` naming the file and the row that is wrong; also for anchors,
    aliases, and files of more than 256 KiB.

        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder) / "prices.yaml"
        ...     _ = file.write_text("tools: [{tool: search, usd_per_call: 0.01}]")
        ...     load_prices(file).tools[0].usd_per_call
        Decimal('0.01')
    """
    import yaml

    content = _read(path)
    try:
        events = list(yaml.parse(content, Loader=yaml.BaseLoader))
        # A few lines of aliases can stand for gigabytes ("billion laughs").
        if any(
            getattr(event, "anchor", None) or isinstance(event, yaml.AliasEvent) for event in events
        ):
            raise TurnConfigurationError(f"`{path}` uses YAML anchors; write each price out.")
        # BaseLoader reads numbers as text, so that 0.1 is exactly a tenth.
        loaded = yaml.load(content, Loader=yaml.BaseLoader)  # noqa: S506
        return PriceFile.model_validate(loaded or {})
    except ValidationError as exc:
        problem = exc.errors(include_url=False)[0]
        place = ".".join(map(str, problem["loc"]))
        model = next((each for name, each in _ROWS if name in problem["loc"]), PriceFile)
        raise TurnConfigurationError(
            f"`{path}` is not a price file: {place}: {problem['msg']}. "
            f"Allowed there: {', '.join(model.model_fields)}."
        ) from exc
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        raise TurnConfigurationError(f"`{path}` is not a price file: {exc}") from exc


def _read(path: str | Path) -> bytes:
    if not (isinstance(path, Path) or is_text(path)):
        raise TurnConfigurationError(
            f"`prices` is {shown(path)}; it must be the path of a price file."
        )
    try:
        content = Path(path).read_bytes()
    except OSError as exc:
        raise TurnConfigurationError(
            f"The price file `{path}` cannot be read: {exc.strerror}."
        ) from exc
    if len(content) > _MAX_BYTES:
        raise TurnConfigurationError(
            f"`{path}` has {len(content)} bytes; a price file may have {_MAX_BYTES}."
        )
    return content
