"""What an answer means for the turn: go on with its tool calls, or stop, and with which status."""

from typing import Final

from turngraph.state.reply import ProviderReply
from turngraph.state.result import TurnError, TurnStatus
from turngraph.state.turn import TurnOutcome

__all__ = ["stop_for"]

_CUT: Final[dict[str, TurnStatus]] = {"length": "length", "content_filter": "content_filter"}


def stop_for(reply: ProviderReply) -> TurnOutcome | None:
    """Why the turn ends with `reply`; `None` where the model waits for its tools.

    A cut answer ends the turn even where it holds tool calls: their arguments may not have arrived
    whole, and `{"amount": 100` must not be run as if it were finished.

        >>> stop_for(ProviderReply(text="4", finish_reason="stop")).status
        'completed'
        >>> stop_for(ProviderReply(text="The answer i", finish_reason="length")).status
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
    if reply.finish_reason == "error":
        message = "The vendor ended the answer with finish_reason `error`."
        return TurnOutcome(
            status="error",
            error=TurnError(kind="server", message=message, request_id=reply.request_id),
        )
    if reply.tool_calls:
        return None
    if reply.refusal:
        return TurnOutcome(status="refused")
    return TurnOutcome(status="completed" if reply.text.strip() else "empty")
