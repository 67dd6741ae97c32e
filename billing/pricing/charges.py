"""Attempts and tool calls turned into charges: pure, one row each, whatever it is charged to."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from turngraph.billing.pricing.money import rounded
from turngraph.billing.pricing.prices import Priced, Prices
from turngraph.billing.pricing.rates import contradicts_itself
from turngraph.state.result import Charge, PriceUsed
from turngraph.state.usage import Usage

__all__ = ["charge_for", "tool_charge_for", "total_usd"]

Billed = Literal["none", "partial", "unknown", "actual"]


def charge_for(
    prices: Prices,
    *,
    attempt_id: str,
    vendor: str,
    model: str,
    asked_model: str | None = None,
    base_url: str | None = None,
    service_tier: str | None = None,
    at: datetime,
    usage: Usage | None,
    billed: Billed = "actual",
    estimate: Usage | None = None,
    held_usd: Decimal | None = None,
    account: str | None = None,
) -> Charge | None:
    """The charge of one attempt, or `None` where the vendor charges nothing for it.

    `model` is the one that answered; where it has no price, `asked_model` is tried (Azure answers
    with a model's name, others with a path). `estimate` stands in for a usage that was not
    reported, and marks the charge; where there is neither, the amount is unknown: `None`, unpriced,
    never zero. Above `held_usd` it is an overrun.

        >>> from datetime import UTC
        >>> charge = charge_for(Prices(), attempt_id="c.1", vendor="openai", model="gpt-5", usage=None,
        ...                     at=datetime(2026, 1, 1, tzinfo=UTC),
        ...                     estimate=Usage(input_tokens=8, output_tokens=9))
        >>> charge.amount_usd, charge.estimated
        (Decimal('0.0001'), True)
    """
    if billed == "none" and usage is None:
        return None
    counted = estimate if usage is None else usage
    priced: Priced | None = None
    for name in dict.fromkeys((model, asked_model)):
        if priced is None and name is not None and counted is not None:
            priced = prices.charge(
                counted,
                vendor=vendor,
                model=name,
                base_url=base_url,
                at=at,
                service_tier=service_tier,
            )
    return Charge(
        id=attempt_id,
        kind="completion",
        attempt_id=attempt_id,
        vendor=vendor,
        model=model,
        usage=counted,
        amount_usd=None if priced is None else priced.usd,
        unpriced=priced is None,
        estimated=usage is None or (contradicts_itself(usage) and not _said_by_the_vendor(priced)),
        overrun=priced is not None and held_usd is not None and priced.usd > held_usd,
        price=None if priced is None else priced.price,
        account=account,
    )


def _said_by_the_vendor(priced: Priced | None) -> bool:
    return priced is not None and priced.price.source == "provider"


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
    """The charge of one tool or plugin call, or `None` where no price is set for it: most tools are
    free.

    A plugin's call is charged by its own price and never by the tokens of the call that asked for
    it.

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


def total_usd(charges: "list[Charge] | tuple[Charge, ...]") -> Decimal | None:
    """The sum of the amounts that are known; `None` where there is none.

    >>> total_usd([]) is None
    True
    """
    known = [charge.amount_usd for charge in charges if charge.amount_usd is not None]
    return sum(known, start=Decimal(0)) if known else None
