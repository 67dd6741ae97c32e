"""Keeps a conversation valid: every tool call has an answer, and every message can be sent.

Vendors refuse a history in which a tool call has no answer, or a message is empty. One turn that
was cut short would make every later turn of its thread fail.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile
from typing import Final

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from turngraph.state.errors import TurnValueError

__all__ = ["answers_for", "messages_to_remove", "with_missing_answers"]

_MOST_REMOVED: Final = 20
_INTERRUPTED: Final = "Not answered: the turn was interrupted; whether the tool ran is unknown."

BuildRequest = Callable[[Sequence[AnyMessage]], object]
"""Builds the request that carries some messages. Raises TurnValueError if they cannot be sent."""


def with_missing_answers(messages: Sequence[AnyMessage]) -> list[AnyMessage] | None:
    """Returns `messages` with an answer for every call that has none; None if none is missing.

    They stand behind the answers that are there: of two calls with one id, the first has those.

    >>> call = {"name": "f", "args": {}, "id": "c"}
    >>> with_missing_answers([AIMessage("", tool_calls=[call])])[1].tool_call_id
    'c'
    """
    if _is_in_order(messages):
        return None
    whole: list[AnyMessage] = []
    missing: list[ToolMessage] = []
    for place, message in enumerate(messages):
        if not isinstance(message, ToolMessage):
            whole += missing
            missing = []
        whole.append(message)
        if isinstance(message, AIMessage) and (message.tool_calls or message.invalid_tool_calls):
            following = (messages[later] for later in range(place + 1, len(messages)))
            missing = answers_for(message, following, _INTERRUPTED)
    whole += missing
    return None if len(whole) == len(messages) else whole


def _is_in_order(messages: Sequence[AnyMessage]) -> bool:
    """Whether the answers to every call stand behind it in its order, as they nearly always do."""
    waiting: list[str] = []
    for message in messages:
        kind = type(message)  # `isinstance` takes long with classes of pydantic
        if kind is ToolMessage:
            if not waiting or waiting.pop() != message.tool_call_id:  # type: ignore[union-attr]
                return False
        elif waiting:
            return False
        elif kind is not HumanMessage and isinstance(message, AIMessage):
            waiting = _call_ids(message)[::-1]
    return not waiting


def answers_for(
    message: AIMessage, following: Iterable[AnyMessage], content: str
) -> list[ToolMessage]:
    """Returns a tool message with `content` for each call of `message` that has no answer.

    `following` are the messages after it; its answers stand there, before the model's next message.
    Some servers use an id in every answer, or twice in one, so answers are counted by id. The new
    messages' own ids are made from the message's: the same answers given twice are merged.
    """
    calls = _call_ids(message)
    answered = Counter(
        each.tool_call_id
        for each in takewhile(lambda each: not isinstance(each, AIMessage), following)
        if isinstance(each, ToolMessage)
    )
    missing: list[ToolMessage] = []
    for place, call_id in enumerate(calls):
        if answered[call_id] > 0:
            answered[call_id] -= 1
            continue
        number = f"-{place}" if call_id in calls[:place] else ""
        id_ = f"{message.id}-{call_id}{number}-unanswered"
        missing.append(ToolMessage(content, tool_call_id=call_id, status="error", id=id_))
    return missing


def messages_to_remove(
    messages: Sequence[AnyMessage], build_request: BuildRequest
) -> list[AnyMessage]:
    """Returns the last messages without which the conversation could be sent.

    Empty if it can be sent as it is, or if removing the messages after the model's last answer does
    not help. An empty question, or a content block that the vendor does not know, would stand in
    every later request of the thread.
    """
    if _can_be_sent(messages, build_request):
        return []
    for count in range(1, min(len(messages), _MOST_REMOVED) + 1):
        # What the model wrote was sent by a vendor; only what the caller added can be at fault. An
        # answer that came from no vendor has no metadata: a caller wrote it.
        last = messages[-count]
        if isinstance(last, AIMessage) and last.response_metadata:
            break
        # The next turn will add a question of its own, so one stands in for it here.
        if _can_be_sent([*messages[:-count], HumanMessage("?", id="probe")], build_request):
            return list(messages[-count:])
    return []


def _can_be_sent(messages: Sequence[AnyMessage], build_request: BuildRequest) -> bool:
    try:
        build_request(messages)
    except TurnValueError:
        return False
    return True


def _call_ids(message: AIMessage) -> list[str]:
    return [call["id"] for call in (*message.tool_calls, *message.invalid_tool_calls) if call["id"]]
