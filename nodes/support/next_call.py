"""What the stage that prepares a request hands to `call_llm`, where both run in one step."""

from dataclasses import dataclass

from turngraph.billing.store.calls import StartedAttempt
from turngraph.providers.writing.payload import Payload
from turngraph.state.request import ChatRequest

__all__ = ["NextCall", "PreparedCall"]


@dataclass(frozen=True)
class PreparedCall:
    """A call that is marked as sent in the ledger, in the transaction that held its money."""

    request: ChatRequest
    payload: Payload
    started: StartedAttempt


@dataclass
class NextCall:
    """The place where one stage leaves a prepared call and the next one takes it.

    Between stages that run in steps of their own lies a checkpoint, and maybe a day; then nothing
    can be handed over, and a call is reserved by the one and started by the other.
    """

    prepared: PreparedCall | None = None

    def take(self, request: ChatRequest) -> PreparedCall | None:
        """Returns the call that was prepared for `request`, once; None if there is none."""
        prepared, self.prepared = self.prepared, None
        return prepared if prepared is not None and prepared.request is request else None
