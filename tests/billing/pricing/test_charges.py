"""An attempt becomes one charge, whose amount is known, estimated or unknown, and says which."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from turngraph.billing.pricing.charges import charge_for, tool_charge_for, total_usd
from turngraph.billing.pricing.overrides import ToolPrice
from turngraph.billing.pricing.price_key import PriceKey
from turngraph.billing.pricing.prices import Prices
from turngraph.state.result import Charge, PriceUsed
from turngraph.state.usage import Usage

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
USED = Usage(input_tokens=10_000, cache_read_tokens=8_000, output_tokens=1_000)


def charged(vendor: str = "openai", model: str = "gpt-5", **changed: Any) -> Charge | None:
    arguments = {"attempt_id": "c.1", "usage": USED, **changed}
    return charge_for(Prices(), PriceKey(vendor, model, at=AT), **arguments)


def test_an_answer_is_charged_with_the_price_it_was_made_with() -> None:
    """Prices change; a charge that keeps its own can be checked for ever."""
    charge = charged(account="acme")
    assert charge is not None
    assert (charge.id, charge.amount_usd, charge.account) == ("c.1", Decimal("0.0135"), "acme")
    assert (charge.unpriced, charge.estimated, charge.overrun) == (False, False, False)
    assert charge.price is not None
    assert charge.price.cached_usd_per_mtok == Decimal("0.125")


def test_a_rejected_attempt_costs_nothing() -> None:
    """A 429 was not billed. But tokens that a vendor reported were, whatever its status."""
    assert charged(usage=None, billed="none") is None
    assert charged(billed="none") is not None


def test_an_answer_without_usage_is_estimated_and_says_so() -> None:
    """Missing usage is not zero usage."""
    charge = charged(usage=None, estimate=Usage(input_tokens=8, output_tokens=9))
    assert charge is not None
    assert (charge.amount_usd, charge.estimated, charge.unpriced) == (
        Decimal("0.0001"),
        True,
        False,
    )


def test_an_amount_nobody_knows_is_none() -> None:
    """Neither usage nor an estimate, or no price: the charge stands there, marked, without an
    amount.
    """
    for charge in (charged(usage=None, billed="unknown"), charged(vendor="nobody")):
        assert charge is not None
        assert (charge.amount_usd, charge.unpriced, charge.price) == (None, True, None)


def test_the_model_that_was_asked_is_priced_when_the_one_that_answered_is_unknown() -> None:
    """A gateway may answer with a file's path as the model."""
    charge = charged(model="/models/x.gguf", asked_model="gpt-5")
    assert charge is not None
    assert (charge.model, charge.amount_usd) == ("/models/x.gguf", Decimal("0.0135"))


def test_a_charge_above_what_was_held_is_an_overrun() -> None:
    """It is charged in full; the mark tells the budget's owner."""
    over, exact = charged(held_usd=Decimal("0.0134")), charged(held_usd=Decimal("0.0135"))
    assert over is not None
    assert exact is not None
    assert (over.overrun, exact.overrun, over.amount_usd) == (True, False, Decimal("0.0135"))


def test_counts_that_contradict_each_other_are_marked() -> None:
    """Unless the vendor itself said the amount: then the counts do not matter."""
    wrong = Usage(input_tokens=23, cache_read_tokens=190, output_tokens=1)
    told = wrong.model_copy(update={"cost_usd": Decimal(1)})
    large = Usage(input_tokens=10**6, output_tokens=1, total_tokens=24)
    charges = [charged(usage=usage) for usage in (wrong, told, large)]
    assert [charge and charge.estimated for charge in charges] == [True, False, True]


def test_a_plugin_call_is_charged_by_its_own_price() -> None:
    """Never by the tokens of the completion that asked for it."""
    prices = Prices(
        tools=(
            ToolPrice(tool="search", usd_per_call=Decimal("0.01"), usd_per_row=Decimal("0.001")),
        )
    )
    plugin = tool_charge_for(
        prices, call_id="call_1", tool="search", kind="plugin", rows=2, connection="db", account="a"
    )
    assert plugin is not None
    assert (plugin.kind, plugin.plugin, plugin.connection, plugin.amount_usd) == (
        "plugin",
        "search",
        "db",
        Decimal("0.012"),
    )
    assert plugin.price == PriceUsed(
        source="override",
        usd_per_request=Decimal("0.01"),
        usd_per_row=Decimal("0.001"),
        usd_per_second=Decimal(0),
    ), "the price used stands on the charge"
    assert tool_charge_for(prices, call_id="call_1", tool="free") is None


def test_a_tool_that_is_paid_by_its_time_is_charged_for_it() -> None:
    """A sandbox, a render farm: by the second, and parts of one."""
    price = ToolPrice(tool="sandbox", usd_per_call=Decimal("0.01"), usd_per_second=Decimal("0.002"))
    charge = tool_charge_for(Prices(tools=(price,)), call_id="call_1", tool="sandbox", seconds=2.5)
    assert charge is not None
    assert (charge.kind, charge.amount_usd) == ("tool", Decimal("0.015"))


def test_the_total_is_of_what_is_known() -> None:
    """An unknown amount is neither zero nor the end of the sum."""
    known, unknown = charged(), charged(vendor="nobody")
    assert known is not None
    assert unknown is not None
    assert total_usd([known, unknown, known]) == Decimal("0.027")
    assert total_usd([unknown]) is None
