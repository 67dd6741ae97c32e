"""What tokens cost: rates per class of token, their tiers, and the sum over a call's usage.

Each token is counted once. Cached, cache-written and audio tokens are part of `input_tokens`,
reasoning and audio tokens part of `output_tokens` (see `Usage`), so each leaves its parent before
the parent's rate applies. A class without a rate of its own stays with its parent.
"""

from decimal import Decimal
from typing import Annotated, Final

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


class Rate(Frozen):
    """USD per million tokens of one class, and what it becomes for long prompts.

    >>> rate = Rate(usd_per_mtok=Decimal(2), tiers=(Tier(above=200_000, usd_per_mtok=Decimal(4)),))
    >>> rate.at(200_000), rate.at(200_001)
    (Decimal('2'), Decimal('4'))
    """

    usd_per_mtok: Usd
    tiers: tuple[Tier, ...] = ()

    def at(self, input_tokens: int) -> Decimal:
        """The rate for a call with `input_tokens`: that of the highest tier it is above."""
        reached = [tier for tier in self.tiers if input_tokens > tier.above]
        return (
            max(reached, key=lambda tier: tier.above).usd_per_mtok if reached else self.usd_per_mtok
        )

    def most(self, input_tokens: int) -> Decimal:
        """The highest rate that a call with at most `input_tokens` can meet."""
        return max(
            [
                self.usd_per_mtok,
                *(tier.usd_per_mtok for tier in self.tiers if input_tokens > tier.above),
            ]
        )


class Rates(Frozen):
    """The rates of one model. `None` is «no rate of its own»; without `input` and `output` nothing
    can be priced.
    """

    input: Rate | None = None
    cached: Rate | None = None
    cache_write: Rate | None = None
    output: Rate | None = None
    reasoning: Rate | None = None
    audio_input: Rate | None = None
    audio_output: Rate | None = None
    usd_per_request: Usd | None = None


def price_used(
    rates: Rates, input_tokens: int, *, source: str, currency: str = "USD", most: bool = False
) -> PriceUsed:
    """The flat price of a call with `input_tokens`; with `most`, of the dearest call with at most
    so many.

    >>> price_used(Rates(input=Rate(usd_per_mtok=Decimal(2))), 10, source="override").input_usd_per_mtok
    Decimal('2')
    """

    def flat(rate: Rate | None) -> Decimal | None:
        if rate is None:
            return None
        return rate.most(input_tokens) if most else rate.at(input_tokens)

    return PriceUsed(
        source=source,
        currency=currency,
        input_usd_per_mtok=flat(rates.input),
        cached_usd_per_mtok=flat(rates.cached),
        cache_write_usd_per_mtok=flat(rates.cache_write),
        output_usd_per_mtok=flat(rates.output),
        reasoning_usd_per_mtok=flat(rates.reasoning),
        audio_input_usd_per_mtok=flat(rates.audio_input),
        audio_output_usd_per_mtok=flat(rates.audio_output),
        usd_per_request=rates.usd_per_request,
    )


def cost_usd(usage: Usage, price: PriceUsed) -> Decimal | None:
    """What `usage` costs at `price`, in USD, unrounded; `None` where the price does not cover it.

    >>> price = PriceUsed(source="override", input_usd_per_mtok=Decimal(2), cached_usd_per_mtok=Decimal("0.5"),
    ...                   output_usd_per_mtok=Decimal(8))
    >>> cost_usd(Usage(input_tokens=1000, cache_read_tokens=400, output_tokens=10), price)
    Decimal('0.00148')
    """
    prompt, completion = _both_sides(usage)
    if (
        price.input_usd_per_mtok is None
        and price.output_usd_per_mtok is None
        and price.usd_per_request is None
    ):
        return None
    if (prompt and price.input_usd_per_mtok is None) or (
        completion and price.output_usd_per_mtok is None
    ):
        return None
    sides = (
        _side(
            prompt,
            price.input_usd_per_mtok,
            (usage.cache_write_tokens, price.cache_write_usd_per_mtok),
            (usage.input_audio_tokens, price.audio_input_usd_per_mtok),
            (usage.cache_read_tokens, price.cached_usd_per_mtok),
        ),
        _side(
            completion,
            price.output_usd_per_mtok,
            (usage.output_audio_tokens, price.audio_output_usd_per_mtok),
            (usage.reasoning_tokens, price.reasoning_usd_per_mtok),
        ),
    )
    return sum(sides, start=Decimal(0)) / _MTOK + (price.usd_per_request or Decimal(0))


def contradicts_itself(usage: Usage) -> bool:
    """Whether parts claim more tokens than the whole they are part of: what they cost is then a
    guess.

    Seen from Grok on Azure (`input_tokens: 23`, `cache_read_tokens: 190`).

        >>> contradicts_itself(Usage(input_tokens=23, cache_read_tokens=190))
        True
    """
    prompt, completion = _both_sides(usage)
    into = (usage.cache_read_tokens, usage.cache_write_tokens, usage.input_audio_tokens)
    out = (usage.reasoning_tokens, usage.output_audio_tokens)
    return sum(part or 0 for part in into) > prompt or sum(part or 0 for part in out) > completion


def _both_sides(usage: Usage) -> tuple[int, int]:
    """Prompt and completion tokens; where a vendor reports one side and the total, the other is
    what is left.
    """
    prompt, completion, total = usage.input_tokens, usage.output_tokens, usage.total_tokens
    if total is not None and prompt is None:
        prompt = total - (completion or 0)
    elif total is not None and completion is None:
        completion = total - (prompt or 0)
    return max(prompt or 0, 0), max(completion or 0, 0)


def _side(tokens: int, rate: Decimal | None, *parts: tuple[int | None, Decimal | None]) -> Decimal:
    """Tokens times rate, each part at its own rate. Parts that claim more than the whole get what
    is left of it.
    """
    cost, left = Decimal(0), tokens
    for count, own_rate in parts:
        if count is not None and own_rate is not None:
            taken = min(max(count, 0), left)
            cost, left = cost + taken * own_rate, left - taken
    return cost + left * rate if rate is not None else cost
