"""The words in which the ledger's rows say where they stand. Each list is written here, once.

The tables check them (`schema`), and the types of the operations are made of them.
"""

from typing import Final, Literal, get_args

__all__ = [
    "ATTEMPT_STATES",
    "OPEN_STATES",
    "TURN_STATES",
    "AttemptState",
    "CallKind",
    "EntryKind",
    "SettlementBasis",
    "TurnState",
]

AttemptState = Literal[
    "reserved",  # money is held; nothing was sent
    "sent",  # the first byte may have left
    "answered",  # the complete answer is stored
    "unknown",  # sent, and nobody knows whether the vendor charges for it
    "settled",  # charged; final
    "released",  # not charged; final
]
ATTEMPT_STATES: Final[tuple[AttemptState, ...]] = get_args(AttemptState)

OPEN_STATES: Final[tuple[AttemptState, ...]] = ("reserved", "sent", "answered", "unknown")
"""States in which an attempt still holds money. `settled` and `released` never change again."""

TurnState = Literal["running", "done", "failed", "abandoned"]
"""`abandoned`: its worker died, and another turn of the same thread began."""
TURN_STATES: Final[tuple[TurnState, ...]] = get_args(TurnState)

CallKind = Literal["completion", "plugin", "tool"]
"""What a call is made to: a model, a plugin, or a tool."""

SettlementBasis = Literal[
    "actual",  # the usage that the vendor reported
    "partial",  # the answer was cut short; what arrived is charged
    "estimated",  # what was seen of the answer
    "max",  # all that was held
    "reconciled",  # what the vendor said when it was asked later
    "manual",  # what a person decided
]
"""What the amount of a charge rests on. The ledger itself adds `replayed` (an answer paid for
before, free now), `unpriced` (no known price) and `released` (nothing is charged).
"""

EntryKind = Literal["charge", "true_up", "correction"]
"""An attempt's first entry is its `charge`. A `true_up` replaces a guess by the real amount; a
`correction` is a person's decision.
"""
