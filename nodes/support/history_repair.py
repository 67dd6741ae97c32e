"""Keeping a conversation whole: every tool call of the model has its answer, whatever happened in
between.

A vendor refuses a history in which a call stands unanswered, so one turn cut short would end the
thread for good.
"""

from collections.abc import Callable, Sequence
from typing import Final

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from turngraph.state.errors import TurnValueError

__all__ = ["answers_for", "mended", "unsendable"]

_MOST_TAKEN_OUT: Final = 20
_INTERRUPTED: Final = "Not answered: the turn was interrupted; whether the tool ran is unknown."


def mended(messages: Sequence[AnyMessage]) -> list[AnyMessage] | None:
    """`messages` with an answer after every call that has none, or `None` where nothing is missing.

    >>> mended([AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "c"}])])[1].tool_call_id
    'c'
    """
    answered = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    if all(call_id in answered for message in messages for call_id in _calls(message)):
        return None
    whole: list[AnyMessage] = []
    for message in messages:
        whole.append(message)
        if isinstance(message, AIMessage):
            whole.extend(answers_for(message, answered, _INTERRUPTED))
    return whole


def answers_for(message: AIMessage, answered: set[str], content: str) -> list[ToolMessage]:
    """A tool message saying `content` for each call of `message` that is not among `answered`."""
    return [
        ToolMessage(
            content, tool_call_id=call_id, status="error", id=f"{message.id}-{call_id}-unanswered"
        )
        for call_id in _calls(message)
        if call_id not in answered
    ]


def unsendable(
    messages: Sequence[AnyMessage], send: Callable[[Sequence[AnyMessage]], object]
) -> list[AnyMessage]:
    """The messages at the end of the conversation without which it could be sent; none where that
    is no help.

    An empty question, or a block no vendor knows, would stand in every later request and end the
    thread for good. `send` builds a request and raises TurnValueError where there is none.
    """
    if _sendable(messages, send):
        return []
    for taken in range(1, min(len(messages), _MOST_TAKEN_OUT) + 1):
        if isinstance(messages[-taken], AIMessage):
            break
        if _sendable([*messages[:-taken], HumanMessage("?", id="probe")], send):
            return list(messages[-taken:])
    return []


def _sendable(
    messages: Sequence[AnyMessage], send: Callable[[Sequence[AnyMessage]], object]
) -> bool:
    try:
        send(messages)
    except TurnValueError:
        return False
    return True


def _calls(message: AnyMessage) -> list[str]:
    if not isinstance(message, AIMessage):
        return []
    return [call["id"] for call in (*message.tool_calls, *message.invalid_tool_calls) if call["id"]]
