"""What the ledger's reports return. This file does not import SQLAlchemy."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple, TypedDict

__all__ = [
    "AttemptRow",
    "BudgetState",
    "Dimension",
    "Policy",
    "Repriced",
    "Spent",
    "Swept",
    "TurnBill",
]

Dimension = Literal[
    "account",
    "api_key_id",
    "vendor",
    "model",
    "plugin",
    "tool",
    "connection",
    "thread",
    "turn",
    "day",
    "month",
    "kind",
    "tag",
]
"""What spending can be summed by."""

Policy = Literal["estimate", "max", "manual"]
"""How a sweep charges an attempt whose outcome nobody knows: what was seen of the answer; all that
was held; or not at all, a person decides.
"""


class Spent(NamedTuple):
    """One line of a report."""

    value: str
    """The account, model, …; empty where a call has none."""
    usd: Decimal
    attempts: int
    estimated_usd: Decimal
    """The part of `usd` that is a guess, because no usage was reported."""
    unpriced: int
    """The number of attempts without a known price. `usd` contains nothing for them, or the amount
    that a budget sets for such calls.
    """


class AttemptRow(TypedDict):
    """One attempt as a flat row: a line of a bill or of an export. Amounts are in USD."""

    at: str
    """When the attempt was begun: ISO 8601, in UTC."""
    attempt_id: str
    call_id: str | None
    kind: str
    """`completion`, `tool` or `plugin`."""
    account: str
    api_key_id: str | None
    thread_id: str | None
    turn_id: str | None
    call_seq: int | None
    vendor: str
    model: str
    plugin: str | None
    connection: str | None
    tool: str | None
    state: str
    basis: str | None
    currency: str
    estimated: bool
    overrun: bool
    unpriced: bool
    provider_id: str | None
    http_status: int | None
    note: str | None
    tags: str
    """Separated by commas."""
    usd: Decimal
    """The net charge, corrections included."""
    held_usd: Decimal
    price_source: str | None
    price: str | None
    """The price that was used, as JSON."""
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    input_audio_tokens: int | None
    output_audio_tokens: int | None


class TurnBill(NamedTuple):
    """One turn: its total and its attempts."""

    turn_id: str
    status: str
    """`running`, `done`, `failed` or `abandoned`; empty where no ledger admitted the turn."""
    usd: Decimal
    open_usd: Decimal
    """What is held for attempts that are not closed."""
    attempts: tuple[AttemptRow, ...]


class BudgetState(NamedTuple):
    """A budget in one of its windows, in USD."""

    budget: str
    """The budget's id: its name, or one made of what it is for (`account-month`)."""
    value: str
    """The account, key, tag, thread or turn that is counted; empty for the whole ledger."""
    window: str
    """`always`, a day such as `2026-10-31`, or a month such as `2026-10`."""
    limit_usd: Decimal
    spent_usd: Decimal
    held_usd: Decimal

    @property
    def label(self) -> str:
        """Budget and value on one line, for people."""
        return f"{self.budget}:{self.value}" if self.value else self.budget


class Repriced(NamedTuple):
    """What a period cost, and what it would have cost at another model's prices."""

    attempts: int
    actual_usd: Decimal
    other_usd: Decimal
    not_comparable: int
    """Attempts without a usage, or without a price on either side. They are in neither sum."""


@dataclass(frozen=True)
class Swept:
    """What a sweep did, in numbers of attempts."""

    released: int = 0
    unknown: int = 0
    settled: int = 0
    left: int = 0
    """Still unknown: left for a person, or for a later sweep."""
    corrected: int = 0
    """Charged by a guess before, and now by what the vendor says."""
