"""Reads what a call used, and what its vendor says that it cost, from LangChain's message."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from langchain_core.messages import AIMessage

from turngraph.state.usage import MAX_TOKENS, Usage

__all__ = ["usage_of"]

_MAX_USD: Final = 10**6
"""Far above the cost of any one call."""
_TICKS_PER_USD: Final = 10**10
"""https://docs.x.ai/developers/cost-tracking"""


def usage_of(message: AIMessage) -> Usage | None:
    """Returns the usage of an answer; `None` where the vendor reported none.

    The cost is the vendor's own, as in a turn. LangChain keeps it in `token_usage` of an answer
    that was not streamed, and nowhere for a streamed one.

        >>> details = {"cache_read": 4}
        >>> usage = {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11}
        >>> usage_of(AIMessage("4", usage_metadata={**usage, "input_token_details": details}))
        Usage(input_tokens=9, output_tokens=2, total_tokens=11, cache_read_tokens=4)
    """
    metadata = message.usage_metadata
    if metadata is None:
        return None
    into = metadata.get("input_token_details", {})
    out = metadata.get("output_token_details", {})
    sides = (_count(metadata["input_tokens"]), _count(metadata["output_tokens"]))
    # A total beside a number that is no count tells nothing about that side.
    total = None if None in sides else _count(metadata["total_tokens"])
    if total is not None and str(total) == f"{sides[0]}{sides[1]}" and total != sum(_known(sides)):
        # The counts came as text, which LangChain joined: nothing here is a count.
        sides, total = (None, None), None
    elif total is not None and 0 in sides and total > sum(_known(sides)):
        # LangChain writes 0 for a count that was left out. The total says what it was.
        sides = (sides[0] or None, sides[1] or None)
    reasoning = _count(out.get("reasoning"))
    written = sides[1]
    if reasoning and total is not None and total == sum(_known(sides)) + reasoning:
        written = (written or 0) + reasoning  # xAI counts reasoning beside the answer
    return Usage(
        input_tokens=sides[0],
        output_tokens=written,
        total_tokens=total,
        cache_read_tokens=_count(into.get("cache_read")),
        cache_write_tokens=_count(into.get("cache_creation")),
        input_audio_tokens=_count(into.get("audio")),
        reasoning_tokens=reasoning,
        output_audio_tokens=_count(out.get("audio")),
        cost_usd=_reported_cost(message.response_metadata.get("token_usage")),
    )


def _known(sides: tuple[int | None, int | None]) -> list[int]:
    return [side for side in sides if side is not None]


def _reported_cost(raw: object) -> Decimal | None:
    """The cost in USD that OpenRouter or xAI reports beside its counts, or None."""
    if not isinstance(raw, Mapping):
        return None
    fee = _amount(raw.get("cost"))
    if raw.get("is_byok") is True:
        # With the caller's own key `cost` is the router's fee alone.
        details = raw.get("cost_details")
        if not isinstance(details, Mapping):
            return None
        upstream = _amount(details.get("upstream_inference_cost"))
        return None if upstream is None else upstream + (fee or Decimal(0))
    ticks = _amount(raw.get("cost_in_usd_ticks"), units_per_usd=_TICKS_PER_USD)
    # Zero ticks is what Azure reports for xAI's models, which it bills itself.
    return fee if fee is not None else ticks or None


def _amount(value: object, units_per_usd: int = 1) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value)) / units_per_usd
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount <= _MAX_USD else None


def _count(tokens: object) -> int | None:
    """Returns `tokens`, or None if it is no number that a call can have used. LangChain checks no
    numbers, and passes on text.
    """
    if isinstance(tokens, bool) or not isinstance(tokens, int | float):
        return None
    return int(tokens) if 0 <= tokens <= MAX_TOKENS else None
