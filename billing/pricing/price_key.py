"""What a price is looked up by."""

from dataclasses import dataclass
from datetime import datetime

__all__ = ["PriceKey"]


@dataclass(frozen=True)
class PriceKey:
    """One vendor's model at one time.

    >>> from datetime import UTC
    >>> key = PriceKey("openai", "gpt-5", at=datetime(2026, 1, 1, tzinfo=UTC))
    >>> key.service_tier is None
    True
    """

    vendor: str
    """A vendor's name, such as `openai`, as price lists and `result.charges` have it."""
    model: str
    at: datetime
    """The time of the call, with its time zone: prices change."""
    base_url: str | None = None
    """The endpoint. It identifies a vendor whose name no price list knows."""
    service_tier: str | None = None
    """The vendor's tier, such as `flex` or `priority`; `None` is the standard one."""
