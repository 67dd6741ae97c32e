"""The fixed words that values of a turn are marked with, each list of words written once.

Every name here is a `Literal`: a type checker refuses any other word, and so does pydantic when a
value is made.
"""

from typing import Literal

__all__ = [
    "ApprovalDecision",
    "Billed",
    "BilledOnError",
    "ChargeKind",
    "ToolKind",
    "ToolRunStatus",
    "TurnPhase",
    "TurnStatus",
]

TurnStatus = Literal[
    "completed",  # the model answered
    "length",  # the answer was cut at max_tokens, or at the model's own limit
    "content_filter",  # the vendor's filter cut or refused the answer
    "refused",  # the model declined, in its own words
    "empty",  # the model answered with nothing: no text and no tool call
    "unserved_call",  # the model waits for a computer, a shell or an approval: no turn serves it
    "invalid_answer",  # the answer does not fit its `response_format`
    "truncated",  # the connection ended before the answer did
    "limit",  # the turn reached one of its `TurnLimits`
    "budget",  # a budget does not have the money that the next call may cost
    "cancelled",  # the caller cancelled the turn
    "error",  # there is no usable answer: see the result's `error`
]
"""How a turn ended: `TurnResult.status`."""

TurnPhase = Literal["running", "handed_over", "done"]
"""Whether a turn is over; `handed_over` is a running turn whose stages ran in one step up to one
that needed a step of its own. The state's key `status` holds it, because an empty
`get_state(config).next` does not prove that a turn is finished.
"""

BilledOnError = Literal[
    "none",  # the vendor did not serve the request
    "partial",  # an answer had begun to arrive
    "unknown",  # the request was sent, and nothing is known about it
]
"""What the vendor may charge for a request that brought no usable answer."""

Billed = Literal["actual"] | BilledOnError
"""What the vendor may charge for an attempt: the usage of its answer (`actual`), or one of
`BilledOnError`.
"""

ToolKind = Literal["tool", "plugin"]
"""What a tool call ran: a tool, or a plugin that was loaded from a manifest."""

ChargeKind = Literal["completion"] | ToolKind
"""What a charge is for: a call to the model (`completion`), or one of `ToolKind`."""

ToolRunStatus = Literal[
    "ok",  # the tool answered
    "error",  # the tool ran and failed
    "invalid",  # the arguments are not JSON or do not fit the tool's schema; it did not run
    "unknown",  # the turn does not offer such a tool; nothing ran
    "timeout",  # the tool ran and did not answer in time, or before the turn was cancelled
    "rejected",  # a person, a limit or a cancellation kept it from running
]
"""How a tool call ended: `ToolRun.status`."""

ApprovalDecision = Literal["approve", "edit", "reject"]
"""What a person decides about a tool call: it runs, it runs with other arguments, or not at all."""
