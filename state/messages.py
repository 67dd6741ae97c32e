"""The conversation: how messages come in, get their ids and are merged."""

import uuid
from collections.abc import Iterator, Sequence
from typing import Any, Final

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    RemoveMessage,
    ToolMessage,
    convert_to_messages,
)
from langchain_core.messages.base import BaseMessageChunk
from langchain_core.messages.utils import message_chunk_to_message

from turngraph.state.errors import TurnValueError

__all__ = ["REMOVE_ALL_MESSAGES", "coerce_message", "merge_messages"]

REMOVE_ALL_MESSAGES: Final = "__remove_all__"
"""`RemoveMessage(id=REMOVE_ALL_MESSAGES)` forgets everything before it, as in LangGraph's
`add_messages`.
"""

_IDS: Final = uuid.UUID("6f2c7a52-58a0-5d0e-9d5e-8f3f0f3e2b11")


def merge_messages(state: list[AnyMessage], writes: Sequence[Any]) -> list[AnyMessage]:
    """The messages of `state` with those of every write added, replaced (same id) or removed.

    The reducer of a LangGraph `DeltaChannel`: the same writes are replayed at every read of a
    thread, in batches of other sizes, so it is deterministic and gives the same for two batches as
    for their concatenation. That is why a message without an id gets one made of its place and
    content, not a random one.

        >>> merge_messages([], [[("user", "Hi")]])[0].content
        'Hi'

    Raises TurnValueError for what is no message.
    """
    merged: dict[str, AnyMessage] = {
        message.id: message for message in state if message.id is not None
    }
    if len(merged) != len(state):  # a state that was not made here: give every message its id first
        merged = {}
        for message in state:
            _put(merged, message)
    kept, answers = len(merged), False
    for message in _flatten(writes):
        if isinstance(message, RemoveMessage):
            kept = 0
            if message.id == REMOVE_ALL_MESSAGES:
                merged.clear()
            else:
                merged.pop(message.id or "", None)
        else:
            _put(merged, message)
            answers = answers or isinstance(message, ToolMessage)
    return _as_asked(list(merged.values()), kept) if answers else list(merged.values())


def _as_asked(messages: list[AnyMessage], start: int) -> list[AnyMessage]:
    """`messages`, those from `start` on that answer calls standing in the order of the calls.

    LangGraph replays what parallel tasks wrote in another order than it first merged it. A request
    that changes by that would be another request, and its answer, kept already, would not be found.
    """
    while start > 0 and not isinstance(messages[start - 1], AIMessage):
        start -= 1
    first = start = max(start - 1, 0)  # the answer that asked
    places: dict[str, int] = {}
    for place, message in enumerate([*messages[start:], None], start):
        if isinstance(message, ToolMessage):
            continue
        messages[first:place] = sorted(
            messages[first:place], key=lambda answer: places.get(_call_of(answer), -1)
        )
        whole = isinstance(message, AIMessage) and not message.invalid_tool_calls
        places = {call["id"] or "": n for n, call in enumerate(message.tool_calls)} if whole else {}  # type: ignore[union-attr]
        first = place + 1
    return messages


def _call_of(message: AnyMessage) -> str:
    return message.tool_call_id if isinstance(message, ToolMessage) else ""


def coerce_message(value: Any) -> AnyMessage:
    """`value`, a LangChain message, `(role, text)`, a dict or a string, as a message.

        >>> coerce_message({"role": "user", "content": "Hi"}).type
        'human'

    Raises TurnValueError naming what was seen.
    """
    if isinstance(value, BaseMessageChunk):
        return message_chunk_to_message(value)  # type: ignore[return-value]
    if isinstance(value, BaseMessage):
        return value  # type: ignore[return-value]
    try:
        [message] = convert_to_messages([value])
    except (ValueError, TypeError, NotImplementedError, KeyError, AttributeError) as exc:
        raise TurnValueError(
            f"Not a message: {_shown(value)}. Allowed: a LangChain message, a (role, content) pair, a dict with "
            "`role` and `content`, or a string; roles: system, developer, user, assistant, tool."
        ) from exc
    return message  # type: ignore[return-value]


def _flatten(writes: Sequence[Any]) -> Iterator[AnyMessage]:
    for write in writes:
        if isinstance(write, list):
            for item in write:
                yield coerce_message(item)
        else:
            yield coerce_message(write)


def _put(merged: dict[str, AnyMessage], message: AnyMessage) -> None:
    if message.id is None or message.id == "":
        message = message.model_copy(update={"id": _id_for(message, merged)})
    merged[message.id] = message  # type: ignore[index]


def _id_for(message: AnyMessage, taken: dict[str, AnyMessage]) -> str:
    place = len(taken)
    while (minted := str(uuid.uuid5(_IDS, f"{place}:{message.type}:{message.content}"))) in taken:
        place += 1
    return minted


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:120]}…"
