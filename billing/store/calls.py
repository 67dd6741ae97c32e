"""The values that go into the ledger's operations, and those that come out of them."""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from turngraph.billing.store.states import CallKind, SettlementBasis
from turngraph.state.base import Frozen
from turngraph.state.request import Api
from turngraph.state.result import Charge
from turngraph.state.usage import Usage

__all__ = [
    "AttemptResponse",
    "Call",
    "ChargedResponse",
    "CostAttribution",
    "Released",
    "Reservation",
    "Settled",
    "Settlement",
    "StartedAttempt",
    "ThresholdCrossed",
    "UnknownOutcome",
]


class CostAttribution(Frozen):
    """Who and what a call is charged to. Reports and budgets exist for each of these fields."""

    account: str = ""
    api_key_id: str | None = None
    """The id of the caller's API key; never the key itself."""
    thread: str | None = None
    turn: str | None = None
    tags: tuple[str, ...] = ()

    def values(self, per: str) -> Iterator[str]:
        """Yields the values of one dimension: a field's name, or `tag`, or `ledger`.

        A call without a value counts under the empty name, so that a budget covers it too.

            >>> list(CostAttribution(account="acme", tags=("a", "b")).values("tag"))
            ['a', 'b']
            >>> list(CostAttribution().values("api_key_id"))
            ['']
        """
        if per == "tag":
            yield from sorted(set(self.tags))
        else:
            yield ("" if per == "ledger" else getattr(self, per)) or ""


class Call(Frozen):
    """A call about to be made: to a model, a plugin or a tool."""

    attribution: CostAttribution = CostAttribution()
    kind: CallKind = "completion"
    seq: int | None = None
    """The call's position in its turn, from 1. A replay finds the stored answer by it."""
    vendor: str = ""
    model: str = ""
    base_url: str | None = None
    stored: Api | None = None
    """The API under which the vendor stores the answer, so that it can be fetched later; `None`
    where it stores none.
    """
    plugin: str | None = None
    connection: str | None = None
    tool: str | None = None


class ThresholdCrossed(NamedTuple):
    """A warning threshold of a budget that spending has just crossed."""

    budget: str
    window: str
    threshold: float
    """A share of the limit, such as 0.8."""
    spent_usd: Decimal
    limit_usd: Decimal


class Reservation(NamedTuple):
    """Money held for a call that has not been made."""

    id: str
    held_usd: Decimal


class StartedAttempt(NamedTuple):
    """What the caller does next.

    With `reply`: nothing is sent, because this call was answered before; `reply` is that answer.
    Without `reply`: send the request as attempt `attempt_id`. `attempt_id` is `None` only where an
    earlier attempt was interrupted and the call may not be repeated.
    """

    attempt_id: str | None
    number: int
    """Which attempt of its call this is, from 1."""
    held_usd: Decimal
    reply: str | None = None
    interrupted: tuple[str, ...] = ()
    """Earlier attempts of this call of which nobody knows whether they arrived."""


class AttemptResponse(Frozen):
    """A complete answer. It is stored at once, so that a resumed turn uses it and does not call
    again.
    """

    attempt_id: str
    response: str
    """The answer as JSON text. `StartedAttempt.reply` returns it."""
    usage: Usage | None = None
    provider_id: str | None = None
    """The vendor's own id of the response."""
    http_status: int | None = None
    model: str | None = None
    """The model that answered."""
    service_tier: str | None = None


class Settlement(Frozen):
    """What an attempt cost.

    A `charge.amount_usd` of `None` has no known price: it is charged at its hold, if it has one.
    """

    charge: Charge
    basis: SettlementBasis = "actual"
    response: str | None = None
    provider_id: str | None = None
    http_status: int | None = None


class ChargedResponse(Frozen):
    """A complete answer and what it cost, which are stored together: both or neither."""

    response: AttemptResponse
    settlement: Settlement


class Released(Frozen):
    """An attempt that was not billed and will not be: never sent, or refused by the vendor."""

    attempt_id: str
    why: str


class UnknownOutcome(Frozen):
    """An attempt that was sent and of which nobody knows whether the vendor charges for it."""

    attempt_id: str
    why: str
    estimate: Usage | None = None
    """The tokens that arrived before the end; `None` where none did."""
    provider_id: str | None = None
    """The vendor's own id of the response, if it arrived: the sweep asks the vendor with it."""


class Settled(NamedTuple):
    """What `settle` did."""

    first: bool
    """False where the attempt had been closed before."""
    amount_usd: Decimal
    """The attempt's net charge."""
    overrun: bool = False
    """Whether it cost more than was held for it."""
    crossed: tuple[ThresholdCrossed, ...] = ()
