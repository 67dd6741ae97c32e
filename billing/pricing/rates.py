"""What tokens cost: rates per class of token, tiers for long prompts, and the sum over a usage.

Each token is counted once. Cached, cache-written and audio tokens are part of `input_tokens`;
reasoning and audio tokens are part of `output_tokens` (see `Usage`). So each class is subtracted
from its side before the side's own rate applies; a class without a rate is charged at its side's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field

from turngraph.state.base import Frozen
from turngraph.state.result import PriceUsed
from turngraph.state.usage import Usage

__all__ = ["Rate", "Rates", "Tier", "contradicts_itself", "cost_usd", "highest_rate", "price_used"]

_MTOK: Final = 1_000_000

Side = Literal["input", "output"]
Usd = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]


class Tier(Frozen):
    """A rate for long prompts: it applies to all tokens of a call whose prompt has more than
    `above` tokens.
    """

    above: Annotated[int, Field(ge=0)]
    usd_per_mtok: Usd

    # For type checkers: amounts may be given as text, too. Pydantic makes Decimals of them.
    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            above: int,
            usd_per_mtok: Decimal | str,
        ) -> None: ...


class Rate(Frozen):
    """USD per million tokens of one class, with tiers for long prompts.

    >>> rate = Rate(usd_per_mtok=Decimal(2), tiers=(Tier(above=200_000, usd_per_mtok=Decimal(4)),))
    >>> rate.at(200_000), rate.at(200_001)
    (Decimal('2'), Decimal('4'))
    """

    usd_per_mtok: Usd
    tiers: tuple[Tier, ...] = ()

    if TYPE_CHECKING:

        def __init__(
            self, *, usd_per_mtok: Decimal | str, tiers: tuple[Tier, ...] = ()
        ) -> None: ...

    def at(self, input_tokens: int) -> Decimal:
        """Returns the rate of a call with `input_tokens`: that of the highest tier it reaches."""
        reached = [tier for tier in self.tiers if input_tokens > tier.above]
        if not reached:
            return self.usd_per_mtok
        return max(reached, key=lambda tier: tier.above).usd_per_mtok

    def most(self, input_tokens: int) -> Decimal:
        """Returns the highest rate that a call with at most `input_tokens` can have."""
        reached = (tier.usd_per_mtok for tier in self.tiers if input_tokens > tier.above)
        return max([self.usd_per_mtok, *reached])


class Rates(Frozen):
    """The rates of one model. A class that is `None` is charged at the rate of its side, `input` or
    `output`.
    """

    input: Rate | None = None
    cached: Rate | None = None
    cache_write: Rate | None = None
    output: Rate | None = None
    reasoning: Rate | None = None
    audio_input: Rate | None = None
    audio_output: Rate | None = None
    usd_per_request: Usd | None = None


@dataclass(frozen=True)
class TokenPart:
    """A class of tokens that is a part of one side: its count in `Usage`, its rate in `Rates`."""

    count: str
    rate: str
    side: Side

    @cached_property
    def price(self) -> str:
        """The name of its rate in `PriceUsed`."""
        return f"{self.rate}_usd_per_mtok"


TOKEN_PARTS: Final = (
    # Cached tokens come last: where the parts claim more than the whole, the dearer ones are
    # charged first.
    TokenPart("cache_write_tokens", "cache_write", "input"),
    TokenPart("input_audio_tokens", "audio_input", "input"),
    TokenPart("cache_read_tokens", "cached", "input"),
    TokenPart("output_audio_tokens", "audio_output", "output"),
    TokenPart("reasoning_tokens", "reasoning", "output"),
)
_PARTS_OF: Final[Mapping[Side, tuple[TokenPart, ...]]] = {
    "input": tuple(part for part in TOKEN_PARTS if part.side == "input"),
    "output": tuple(part for part in TOKEN_PARTS if part.side == "output"),
}
RATE_NAMES: Final = tuple(name for name in Rates.model_fields if name != "usd_per_request")
"""The classes of tokens that have a rate. `PriceUsed` keeps each as `<name>_usd_per_mtok`."""


def price_used(
    rates: Rates, input_tokens: int, *, source: str, currency: str = "USD", most: bool = False
) -> PriceUsed:
    """Returns the price of a call with `input_tokens`, its tiers resolved; with `most`, the highest
    price of a call with at most so many.

    >>> price = price_used(Rates(input=Rate(usd_per_mtok=Decimal(2))), 10, source="override")
    >>> price.input_usd_per_mtok
    Decimal('2')
    """

    def resolved(rate: Rate | None) -> Decimal | None:
        if rate is None:
            return None
        return rate.most(input_tokens) if most else rate.at(input_tokens)

    # By name, so that no class of tokens can be left out. `PriceUsed` refuses a name it lacks.
    per_mtok = {f"{name}_usd_per_mtok": resolved(getattr(rates, name)) for name in RATE_NAMES}
    return PriceUsed.model_validate(
        {
            "source": source,
            "currency": currency,
            "usd_per_request": rates.usd_per_request,
            **per_mtok,
        }
    )


def cost_usd(usage: Usage, price: PriceUsed) -> Decimal | None:
    """Returns what `usage` costs at `price`, in USD, unrounded; `None` where a rate is missing.

    >>> price = PriceUsed(source="override", input_usd_per_mtok=Decimal(2),
    ...                   cached_usd_per_mtok=Decimal("0.5"), output_usd_per_mtok=Decimal(8))
    >>> cost_usd(Usage(input_tokens=1000, cache_read_tokens=400, output_tokens=10), price)
    Decimal('0.00148')
    """
    sides, cost = _with_outside(usage, _both_sides(usage)), Decimal(0)
    rates = {side: getattr(price, f"{side}_usd_per_mtok") for side in sides}
    if set(rates.values()) == {None} and price.usd_per_request is None:
        return None
    for side, tokens in sides.items():
        if tokens and rates[side] is None:
            return None
        counts = ((part, getattr(usage, part.count)) for part in _PARTS_OF[side])
        parts = [(count, getattr(price, part.price)) for part, count in counts if count]
        cost += _side(tokens, rates[side], parts)
    return cost / _MTOK + (price.usd_per_request or Decimal(0))


def highest_rate(price: PriceUsed, side: Side) -> Decimal | None:
    """Returns the highest rate that a token of `side` can have, in USD per million tokens.

    All classes count: a rate of the caller's own may be dearer than the side it is a part of.
    """
    names = (side, *(part.rate for part in _PARTS_OF[side]))
    rates = (getattr(price, f"{name}_usd_per_mtok") for name in names)
    return max((rate for rate in rates if rate is not None), default=None)


def contradicts_itself(usage: Usage) -> bool:
    """Returns whether the parts of one side have more tokens than the side, a side has more than
    the total, or the total more than both sides: the cost is a guess.

    Grok on Azure reports such usage (`input_tokens: 23`, `cache_read_tokens: 190`).

        >>> contradicts_itself(Usage(input_tokens=23, cache_read_tokens=190))
        True
        >>> contradicts_itself(Usage(input_tokens=10**9, output_tokens=5, total_tokens=15))
        True
    """
    total = usage.total_tokens or None  # a total of zero beside counts is one that nobody counted
    if total is not None and max(usage.input_tokens or 0, usage.output_tokens or 0) > total:
        return True
    if _beyond(usage) > 0:
        return True
    return any(
        sum([getattr(usage, part.count) or 0 for part in _PARTS_OF[side]]) > tokens
        for side, tokens in _both_sides(usage).items()
    )


def _both_sides(usage: Usage) -> dict[Side, int]:
    """Returns the prompt's and the completion's tokens. Where a vendor reports only one side and
    the total, the other side is the difference.
    """
    prompt, completion, total = usage.input_tokens, usage.output_tokens, usage.total_tokens
    if total is not None and prompt is None:
        prompt = total - (completion or 0)
    elif total is not None and completion is None:
        completion = total - (prompt or 0)
    # Some vendors report a total that is smaller than one side.
    return {"input": max(prompt or 0, 0), "output": max(completion or 0, 0)}


_MOST_BEYOND: Final = 1_000_000
"""A count or a total that is larger than its sides by more tokens than this is a mistake."""


def _with_outside(usage: Usage, sides: Mapping[Side, int]) -> dict[Side, int]:
    """Returns `sides` with the tokens that the report's own numbers put outside of them.

    Cached tokens that are more than the prompt are not inside: gateways to Claude count them beside
    it. What the total has beyond both sides is reasoning: Gemini's endpoint counts it nowhere else
    (https://github.com/mozilla-ai/any-llm/issues/1290).
    """
    whole = dict(sides)
    cached = (usage.cache_read_tokens or 0) + (usage.cache_write_tokens or 0)
    if sides["input"] < cached <= _MOST_BEYOND:
        whole["input"] += cached
    elif 0 < (beyond := _beyond(usage)) <= _MOST_BEYOND:
        whole["output"] += beyond
    return whole


def _beyond(usage: Usage) -> int:
    """Returns how many tokens the total has that are in neither side, where all three are known."""
    if usage.input_tokens is None or usage.output_tokens is None or usage.total_tokens is None:
        return 0
    return usage.total_tokens - usage.input_tokens - usage.output_tokens


def _side(
    tokens: int, rate: Decimal | None, parts: Iterable[tuple[int, Decimal | None]]
) -> Decimal:
    """Returns tokens times rate (not yet divided by a million), each part at its own rate.

    A part that claims more tokens than are left gets those that are left.
    """
    cost, left = Decimal(0), tokens
    for count, own_rate in parts:
        if own_rate is not None:
            taken = min(max(count, 0), left)
            cost, left = cost + taken * own_rate, left - taken
    return cost + left * rate if rate is not None else cost
