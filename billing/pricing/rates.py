"""What tokens cost: rates per class of token, tiers for long prompts, and the sum over a usage.

Each token is counted once. Cached, cache-written and audio tokens are part of `input_tokens`;
reasoning and audio tokens are part of `output_tokens` (see `Usage`). So each class is subtracted
from its side before the side's own rate applies; a class without a rate is charged at its side's.
"""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from turngraph.state.base import Frozen
from turngraph.state.result import PriceUsed
from turngraph.state.usage import Usage

__all__ = ["Rate", "Rates", "Tier", "contradicts_itself", "cost_usd", "price_used"]

_MTOK: Final = 1_000_000

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
    prompt, completion = _both_sides(usage)
    into, out = price.input_usd_per_mtok, price.output_usd_per_mtok
    if into is None and out is None and price.usd_per_request is None:
        return None
    if (prompt and into is None) or (completion and out is None):
        return None
    sides = (
        _side(
            prompt,
            into,
            # Cached tokens come last: where the parts claim more than the whole, the dearer ones
            # are charged first.
            (usage.cache_write_tokens, price.cache_write_usd_per_mtok),
            (usage.input_audio_tokens, price.audio_input_usd_per_mtok),
            (usage.cache_read_tokens, price.cached_usd_per_mtok),
        ),
        _side(
            completion,
            out,
            (usage.output_audio_tokens, price.audio_output_usd_per_mtok),
            (usage.reasoning_tokens, price.reasoning_usd_per_mtok),
        ),
    )
    return sum(sides, start=Decimal(0)) / _MTOK + (price.usd_per_request or Decimal(0))


def contradicts_itself(usage: Usage) -> bool:
    """Returns whether the parts of one side have more tokens than the side: its cost is a guess.

    Grok on Azure reports such usage (`input_tokens: 23`, `cache_read_tokens: 190`).

        >>> contradicts_itself(Usage(input_tokens=23, cache_read_tokens=190))
        True
    """
    prompt, completion = _both_sides(usage)
    into = (usage.cache_read_tokens, usage.cache_write_tokens, usage.input_audio_tokens)
    out = (usage.reasoning_tokens, usage.output_audio_tokens)
    return sum(part or 0 for part in into) > prompt or sum(part or 0 for part in out) > completion


def _both_sides(usage: Usage) -> tuple[int, int]:
    """Returns the prompt's and the completion's tokens. Where a vendor reports only one side and
    the total, the other side is the difference.
    """
    prompt, completion, total = usage.input_tokens, usage.output_tokens, usage.total_tokens
    if total is not None and prompt is None:
        prompt = total - (completion or 0)
    elif total is not None and completion is None:
        completion = total - (prompt or 0)
    # Some vendors report a total that is smaller than one side.
    return max(prompt or 0, 0), max(completion or 0, 0)


def _side(tokens: int, rate: Decimal | None, *parts: tuple[int | None, Decimal | None]) -> Decimal:
    """Returns tokens times rate (not yet divided by a million), each part at its own rate.

    A part that claims more tokens than are left gets those that are left.
    """
    cost, left = Decimal(0), tokens
    for count, own_rate in parts:
        if count is not None and own_rate is not None:
            taken = min(max(count, 0), left)
            cost, left = cost + taken * own_rate, left - taken
    return cost + left * rate if rate is not None else cost
