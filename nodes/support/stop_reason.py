"""What an answer or an error means for the turn: it goes on with tool calls, or ends, and how."""

from typing import Final

from turngraph.providers.waiting_calls import waiting_calls
from turngraph.state.kinds import TurnStatus
from turngraph.state.reply import UNFINISHED_STATUSES, ProviderReply
from turngraph.state.turn import TurnOutcome
from turngraph.state.turn_error import TurnError

__all__ = ["CANCELLED", "CANCELLED_ERROR", "outcome_of_error", "outcome_of_reply", "unsendable"]

CANCELLED_ERROR: Final = TurnError(kind="cancelled", message="The caller cancelled the turn.")
CANCELLED: Final = TurnOutcome(status="cancelled", error=CANCELLED_ERROR)

_CUT: Final[dict[str, TurnStatus]] = {"length": "length", "content_filter": "content_filter"}


def outcome_of_reply(reply: ProviderReply) -> TurnOutcome | None:
    """Returns why the turn ends with `reply`, or None if the model waits for its tools.

    A cut answer ends the turn even if it holds tool calls: their arguments may not have arrived
    whole, and `{"amount": 100` must not run as if it were complete.

        >>> outcome_of_reply(ProviderReply(text="4", finish_reason="stop")).status
        'completed'
        >>> outcome_of_reply(ProviderReply(text="The answer i", finish_reason="length")).status
        'length'
    """
    if reply.truncated:
        message = "The answer stopped before its end: no finish reason and no terminal event came."
        return TurnOutcome(
            status="truncated",
            error=TurnError(kind="truncated", message=message, request_id=reply.request_id),
        )
    if reply.finish_reason in _CUT:
        return TurnOutcome(status=_CUT[reply.finish_reason])
    if reply.finish_reason in UNFINISHED_STATUSES:
        message = f"The vendor has not finished the answer: its status is `{reply.finish_reason}`."
        return TurnOutcome(
            status="truncated",
            error=TurnError(kind="truncated", message=message, request_id=reply.request_id),
        )
    if reply.finish_reason == "error":
        message = "The vendor ended the answer with finish_reason `error`."
        return TurnOutcome(
            status="error",
            error=TurnError(kind="server", message=message, request_id=reply.request_id),
        )
    if reply.tool_calls:
        return None
    if waiting := waiting_calls(reply.items):
        return _unserved(str(waiting[0]["type"]), reply.request_id)
    if reply.refusal:
        return TurnOutcome(status="refused")
    return TurnOutcome(status="completed" if reply.text.strip() else "empty")


def _unserved(kind: str, request_id: str | None) -> TurnOutcome:
    message = (
        f"The model waits for the output of a `{kind}`, which a turn does not serve. Take the tool "
        "that it belongs to out of `tools`, or go on with a tool message under the call's id."
    )
    error = TurnError(kind="unserved_call", message=message, request_id=request_id)
    return TurnOutcome(status="unserved_call", error=error)


def outcome_of_error(error: TurnError, *, answer_began: bool = False) -> TurnOutcome:
    """Returns how a turn ends with `error`; `answer_began` says whether a part of it arrived.

    >>> error = TurnError(kind="connection", message="reset")
    >>> outcome_of_error(error).status, outcome_of_error(error, answer_began=True).status
    ('error', 'truncated')
    """
    if error.kind == "cancelled":
        return TurnOutcome(status="cancelled", error=error)
    if error.kind == "budget":
        return TurnOutcome(status="budget", error=error)
    is_cut = answer_began and error.kind in {"connection", "timeout", "truncated"}
    return TurnOutcome(status="truncated" if is_cut else "error", error=error)


def unsendable(reason: object) -> TurnOutcome:
    """Returns how a turn ends whose request cannot be built or sent; `reason` says why.

    >>> unsendable("`messages` is empty.").error.kind
    'value'
    """
    return TurnOutcome(status="error", error=TurnError(kind="value", message=str(reason)))
