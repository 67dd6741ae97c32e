"""What can go wrong between a turn and its ledger.

TurngraphError
├── LedgerError                  the ledger cannot do what was asked
│   └── LedgerUnavailableError   its database did not answer in the time it had
├── BudgetExceededError          of `turngraph.state.errors`: what a budget refuses
└── TurnInvocationError
    ├── TurnConflictError        another worker has this turn or thread, or the turn's id was used for another request
    └── FencedError              another worker has taken this turn over: stop, and keep nothing
"""

from turngraph.state.errors import BudgetExceededError, TurngraphError, TurnInvocationError

__all__ = [
    "BudgetExceededError",
    "FencedError",
    "LedgerError",
    "LedgerUnavailableError",
    "TurnConflictError",
]


class LedgerError(TurngraphError):
    """The ledger cannot do what was asked."""


class UncappedError(LedgerError):
    """A budget applies, and nothing bounds the answer: what the call may cost is not known."""


class LedgerUnavailableError(LedgerError):
    """The ledger's database did not answer. Nothing was sent where money had to be held first."""


class TurnConflictError(TurnInvocationError):
    """Another worker runs this turn or another turn of its thread, or the turn's id belongs to
    another request.

    `retry_after_s` is when the other worker's lease ends, if it does not renew it; `None` where
    waiting is no help.
    """

    def __init__(self, message: str, *, turn_id: str, retry_after_s: float | None = None) -> None:
        self.turn_id, self.retry_after_s = turn_id, retry_after_s
        super().__init__(message)


class FencedError(TurnInvocationError):
    """Another worker has taken this turn over. What was sent is still charged; what came back must
    not be kept.
    """

    def __init__(self, turn_id: str) -> None:
        self.turn_id = turn_id
        super().__init__(f"Turn `{turn_id}` was taken over by another worker; this one must stop.")
