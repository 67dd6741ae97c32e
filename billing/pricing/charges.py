"""Turns attempts and tool calls into charges: pure functions, one charge per attempt."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Literal

from turngraph.billing.pricing.estimates import lacks_a_side
from turngraph.billing.pricing.money import rounded
from turngraph.billing.pricing.price_key import PriceKey
from turngraph.billing.pricing.prices import Priced, Prices
from turngraph.billing.pricing.rates import contradicts_itself
from turngraph.state.result import Charge, PriceUsed
from turngraph.state.usage import Usage

__all__ = ["charge_for", "tool_charge_for", "total_usd"]

Billed = Literal["none", "partial", "unknown", "actual"]


def charge_for(
    prices: Prices,
    key: PriceKey,
    *,
    attempt_id: str,
    usage: Usage | None,
    asked_model: str | None = None,
    billed: Billed = "actual",
    estimate: Usage | None = None,
    held_usd: Decimal | None = None,
    account: str | None = None,
) -> Charge | None:
    """Returns the charge of one attempt, or `None` where the vendor charges nothing for it.

    Args:
        prices: where the rates come from.
        key: what answered, and when. `key.model` is the model that answered.
        attempt_id: the attempt's id, which becomes the charge's.
        usage: what the vendor reported; `None` where it reported nothing.
        asked_model: the model that was asked. It is tried where `key.model` has no price: Azure
            answers with a model's name, other vendors with a path.
        billed: what the vendor may charge for.
        estimate: takes the place of a `usage` that was not reported, or not on both sides, and
            marks the charge. Without either the amount is unknown: `None` and unpriced, never zero.
        held_usd: what was held. A higher amount is marked as an overrun.
        account: whom it is charged to.

    >>> from datetime import UTC, datetime
    >>> key = PriceKey("openai", "gpt-5", at=datetime(2026, 1, 1, tzinfo=UTC))
    >>> estimate = Usage(input_tokens=8, output_tokens=9)
    >>> charge = charge_for(Prices(), key, attempt_id="c.1", usage=None, estimate=estimate)
    >>> charge.amount_usd, charge.estimated
    (Decimal('0.0001'), True)
    """
    if billed == "none" and usage is None:
        return None
    counted = usage if estimate is None else estimate
    priced = _first_price(prices, key, asked_model, counted)
    reported = priced is not None and priced.price.source == "provider"
    # Token counts that are missing or contradict each other make the amount a guess, unless the
    # vendor named it.
    guessed = usage is None or (
        not reported and (estimate is not None or lacks_a_side(usage) or contradicts_itself(usage))
    )
    return Charge(
        id=attempt_id,
        kind="completion",
        attempt_id=attempt_id,
        vendor=key.vendor,
        model=key.model,
        usage=counted,
        amount_usd=None if priced is None else priced.usd,
        unpriced=priced is None,
        estimated=guessed,
        overrun=priced is not None and held_usd is not None and priced.usd > held_usd,
        price=None if priced is None else priced.price,
        account=account,
    )


def _first_price(
    prices: Prices, key: PriceKey, asked_model: str | None, usage: Usage | None
) -> Priced | None:
    if usage is None:
        return None
    for model in dict.fromkeys((key.model, asked_model)):
        if model is not None:
            asked = key if model == key.model else replace(key, model=model)
            priced = prices.charge(usage, asked)
            if priced is not None:
                return priced
    return None


def tool_charge_for(
    prices: Prices,
    *,
    call_id: str,
    tool: str,
    kind: Literal["plugin", "tool"] = "tool",
    rows: int = 0,
    seconds: float = 0.0,
    connection: str | None = None,
    account: str | None = None,
) -> Charge | None:
    """Returns the charge of one tool or plugin call, or `None` where it has no price: most tools
    are free.

    A plugin's call is charged by its own price, never by the tokens of the call that asked for it.

        >>> from turngraph.billing.pricing.overrides import ToolPrice
        >>> prices = Prices(tools=(ToolPrice(tool="search", usd_per_call=Decimal("0.01")),))
        >>> tool_charge_for(prices, call_id="call_1", tool="search").amount_usd
        Decimal('0.01')
    """
    price = prices.tool(tool)
    if price is None:
        return None
    return Charge(
        id=call_id,
        kind=kind,
        attempt_id=call_id,
        vendor="",
        model="",
        amount_usd=rounded(price.cost(rows=rows, seconds=seconds)),
        price=PriceUsed(
            source="override",
            usd_per_request=price.usd_per_call,
            usd_per_row=price.usd_per_row,
            usd_per_second=price.usd_per_second,
        ),
        account=account,
        plugin=tool if kind == "plugin" else None,
        connection=connection,
        tool=tool,
    )


def total_usd(charges: Iterable[Charge]) -> Decimal | None:
    """Returns the sum of the known amounts in USD: 0 without any charge, and `None` where charges
    are there and no amount is known.

    >>> total_usd([])
    Decimal('0')
    """
    amounts = [charge.amount_usd for charge in charges]
    known = [amount for amount in amounts if amount is not None]
    return sum(known, start=Decimal(0)) if known or not amounts else None
