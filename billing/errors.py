"""The errors of the ledger.

TurngraphError
├── LedgerError                  the ledger cannot do what was asked
│   ├── UncappedError            a budget applies, and the request has no cap on its answer
│   └── LedgerUnavailableError   the database did not answer in time
├── BudgetExceededError          a budget refuses a call (defined in `turngraph.state.errors`)
└── TurnInvocationError
    ├── TurnConflictError        the turn or its thread is another worker's, or its id is taken
    └── FencedError              another worker has taken the turn over; this one must stop
"""

from turngraph.state.errors import BudgetExceededError, TurngraphError, TurnInvocationError

__all__ = [
    "BudgetExceededError",
    "FencedError",
    "LedgerError",
    "LedgerUnavailableError",
    "TurnConflictError",
    "UncappedError",
]


class LedgerError(TurngraphError):
    """The ledger cannot do what was asked."""


class UncappedError(LedgerError):
    """A budget applies, and the request does not limit the length of its answer: what the call may
    cost has no upper bound.
    """


class LedgerUnavailableError(LedgerError):
    """The ledger's database did not answer. A call whose money could not be held was not sent."""


class TurnConflictError(TurnInvocationError):
    """Another worker runs this turn or another turn of its thread, or the turn's id belongs to
    another request.

    `retry_after_s` is the number of seconds until the other worker's lease ends, unless it renews
    it; `None` where waiting does not help.
    """

    def __init__(self, message: str, *, turn_id: str, retry_after_s: float | None = None) -> None:
        self.turn_id, self.retry_after_s = turn_id, retry_after_s
        super().__init__(message)


class FencedError(TurnInvocationError):
    """Another worker has taken this turn over.

    What was sent is still charged; what comes back must not be stored.
    """

    def __init__(self, turn_id: str) -> None:
        self.turn_id = turn_id
        super().__init__(f"Turn `{turn_id}` was taken over by another worker; this one must stop.")
