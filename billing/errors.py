"""What can go wrong between a turn and its ledger.

TurngraphError
├── LedgerError                  the ledger cannot do what was asked
│   └── LedgerUnavailableError   its database did not answer in the time it had
├── BudgetExceededError
│   └── OverBudgetError          which budget, its window, limit, spent, held, needed
└── TurnInvocationError
    ├── TurnConflictError        another worker has this turn or thread, or the turn's id was used for another request
    └── FencedError              another worker has taken this turn over: stop, and keep nothing
"""

from decimal import Decimal

from turngraph.state.errors import BudgetExceededError, TurngraphError, TurnInvocationError

__all__ = ["FencedError", "LedgerError", "LedgerUnavailableError", "OverBudgetError", "TurnConflictError"]


class LedgerError(TurngraphError):
    """The ledger cannot do what was asked."""


class LedgerUnavailableError(LedgerError):
    """The ledger's database did not answer. Nothing was sent where money had to be held first."""


class OverBudgetError(BudgetExceededError):
    """A hard budget has not the money a call may cost. Nothing was sent.

    Attributes, in USD: `limit`, `spent` (settled), `held` (for calls under way), `needed` (by this call, `None` where
    its price is unknown). `closing_possible` says whether one last call without tools still fits, out of the
    budget's reserve for it.

        >>> error = OverBudgetError("turn", window="always", limit=Decimal("0.5"), spent=Decimal("0.4"),
        ...                         held=Decimal(0), needed=Decimal("0.2"))
        >>> str(error)
        'Budget `turn` (always) allows 0.5 USD; 0.4 are spent and 0 held, and this call may need 0.2.'
    """

    def __init__(
        self,
        budget: str,
        *,
        window: str,
        limit: Decimal,
        spent: Decimal,
        held: Decimal,
        needed: Decimal | None,
        closing_possible: bool = False,
    ) -> None:
        self.budget, self.window, self.limit, self.spent, self.held = budget, window, limit, spent, held
        self.needed, self.closing_possible = needed, closing_possible
        need = (
            f"this call may need {needed}"
            if needed is not None
            else "this call has no known price; give `prices=Prices((PriceOverride(…),))`, or the budget's `unpriced`"
        )
        TurngraphError.__init__(
            self, f"Budget `{budget}` ({window}) allows {limit} USD; {spent} are spent and {held} held, and {need}."
        )


class TurnConflictError(TurnInvocationError):
    """Another worker runs this turn or another turn of its thread, or the turn's id belongs to another request.

    `retry_after_s` is when the other worker's lease ends, if it does not renew it; `None` where waiting is no help.
    """

    def __init__(self, message: str, *, turn_id: str, retry_after_s: float | None = None) -> None:
        self.turn_id, self.retry_after_s = turn_id, retry_after_s
        super().__init__(message)


class FencedError(TurnInvocationError):
    """Another worker has taken this turn over. What was sent is still charged; what came back must not be kept."""

    def __init__(self, turn_id: str) -> None:
        self.turn_id = turn_id
        super().__init__(f"Turn `{turn_id}` was taken over by another worker; this one must stop.")
