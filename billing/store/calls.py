"""What the ledger is told and what it answers, as values."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from turngraph.state.base import Frozen
from turngraph.state.result import Charge
from turngraph.state.usage import Usage

__all__ = [
    "AttemptResponse",
    "Call",
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
    """Who and what a call is charged to. Budgets are kept for each of these."""

    account: str = ""
    key: str | None = None
    """The id of the API key used, never the key."""
    thread: str | None = None
    turn: str | None = None
    tags: tuple[str, ...] = ()

    def values(self, per: str) -> Iterator[str]:
        """The values of one dimension. A call without an account, key, … is charged to the nameless
        one.

        >>> list(CostAttribution(account="acme", tags=("a", "b")).values("tag")), list(CostAttribution().values("key"))
        (['a', 'b'], [''])
        """
        if per == "tag":
            yield from sorted(set(self.tags))
        else:
            yield ("" if per == "ledger" else getattr(self, per)) or ""


class Call(Frozen):
    """A call about to be made: to a model, a plugin or a tool."""

    attribution: CostAttribution = CostAttribution()
    kind: Literal["completion", "plugin", "tool"] = "completion"
    seq: int | None = None
    """The call's place in its turn: what a replay is found by."""
    vendor: str = ""
    model: str = ""
    base_url: str | None = None
    stored: Literal["chat", "responses"] | None = None
    """Where the vendor keeps the answer, to be asked for later: its stored chat completions, or its
    responses.
    """
    plugin: str | None = None
    connection: str | None = None
    tool: str | None = None


class ThresholdCrossed(NamedTuple):
    """A threshold of a budget that spending has just crossed."""

    budget: str
    window: str
    threshold: float
    spent_usd: Decimal
    limit_usd: Decimal


class Reservation(NamedTuple):
    """Money held for a call that has not been made."""

    id: str
    held_usd: Decimal


class StartedAttempt(NamedTuple):
    """What to do now. With `reply`, nothing: this call was answered before, and that answer is to
    be used.

    Without, send as `attempt_id`. `attempt_id` is `None` only where an earlier attempt was
    interrupted and may not be repeated. `interrupted` names the earlier attempts of which nobody
    knows whether they arrived.
    """

    attempt_id: str | None
    number: int
    held_usd: Decimal
    reply: str | None = None
    interrupted: tuple[str, ...] = ()


class AttemptResponse(Frozen):
    """An answer, complete: kept at once, so that a resumed turn uses it and does not call again."""

    attempt_id: str
    response: str
    """The answer as JSON text; what `StartedAttempt.reply` gives back."""
    usage: Usage | None = None
    provider_id: str | None = None
    """The vendor's own id of the response."""
    http_status: int | None = None
    model: str | None = None
    """The model that answered."""
    service_tier: str | None = None


class Settlement(Frozen):
    """What an attempt cost. A `charge.amount_usd` of `None` is unpriced: charged at the hold, if
    there is one.
    """

    charge: Charge
    basis: Annotated[str, Field(pattern=r"^[a-z_]+$")] = "actual"
    """`actual`, `partial` (cut short), `estimated`, `max` (the hold), `reconciled`, `replayed`."""
    response: str | None = None
    provider_id: str | None = None
    http_status: int | None = None


class Released(Frozen):
    """An attempt for which nothing was or will be billed: never sent, or refused by the vendor."""

    attempt_id: str
    why: str


class UnknownOutcome(Frozen):
    """An attempt that left and of which nobody knows whether the vendor charges for it."""

    attempt_id: str
    why: str
    estimate: Usage | None = None
    """What was seen of it, where something was: the tokens that arrived."""
    provider_id: str | None = None
    """The vendor's own id of the response, where it was told before the end: what it can be asked
    for by.
    """


class Settled(NamedTuple):
    """What settling did. `first` is false where the attempt was closed before; `amount_usd` is its
    net charge.
    """

    first: bool
    amount_usd: Decimal
    overrun: bool = False
    crossed: tuple[ThresholdCrossed, ...] = ()
