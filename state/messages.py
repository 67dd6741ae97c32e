"""The conversation: how messages come in, get their ids and are merged."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
    convert_to_messages,
)
from langchain_core.messages.base import BaseMessageChunk
from langchain_core.messages.utils import message_chunk_to_message

from turngraph.state.arguments import json_text
from turngraph.state.errors import TurnValueError
from turngraph.state.quoting import quoted

__all__ = ["REMOVE_ALL_MESSAGES", "coerce_message", "merge_messages"]

REMOVE_ALL_MESSAGES: Final = "__remove_all__"
"""`RemoveMessage(id=REMOVE_ALL_MESSAGES)` removes every message before it, as in LangGraph's
`add_messages`.
"""

_IDS: Final = uuid.UUID("6f2c7a52-58a0-5d0e-9d5e-8f3f0f3e2b11")
"""The namespace of the ids that are made from a message's place and content."""


_CLASSES: Final[Mapping[str, type[BaseMessage]]] = {
    "human": HumanMessage,
    "ai": AIMessage,
    "tool": ToolMessage,
    "system": SystemMessage,
    "remove": RemoveMessage,
    "function": FunctionMessage,
    "chat": ChatMessage,
}
"""The message classes by the `type` that their dicts have."""

_WHOLE: Final = frozenset((HumanMessage, AIMessage, ToolMessage, SystemMessage))
"""The classes of nearly all messages: `isinstance` takes long with classes of pydantic."""


def merge_messages(state: list[AnyMessage], writes: Sequence[object]) -> list[AnyMessage]:
    """Returns the messages of `state` with those of every write added, replaced or removed.

    A message whose id is known replaces the old one; a `RemoveMessage` removes it. Each write is
    one message or a list of messages, in any form that `coerce_message` takes. Tool messages are
    sorted into the order of the calls that they answer.

    This is the reducer of a LangGraph `DeltaChannel`, which replays the same writes at every read
    of a thread, in batches of other sizes. So it is deterministic, and merging two batches gives
    the same as merging them as one. For the same reason a message without an id gets one that is
    made from its place and content, not a random one.

        >>> merged = merge_messages([], [[("user", "Hi")], ("assistant", "Hello!")])
        >>> [(message.type, message.content) for message in merged]
        [('human', 'Hi'), ('ai', 'Hello!')]

    Raises TurnValueError for a write that is no message.
    """
    if not all(issubclass(kind, BaseMessage) for kind in set(map(type, state))):
        # LangGraph's server reads the stored list with a serializer of its own, as dicts.
        state = [coerce_message(message) for message in state]
    merged: dict[Any, AnyMessage] = {message.id: message for message in state}
    if len(merged) != len(state) or None in merged:
        # Some message came without an id, so another reducer made this list: give each one its id.
        merged = {}
        for message in state:
            _put(merged, message)
    unchanged, has_answers = len(merged), False
    for message in _flatten(writes):
        if isinstance(message, RemoveMessage):
            unchanged = 0
            if message.id == REMOVE_ALL_MESSAGES:
                merged.clear()
            else:
                # Removing an unknown id is no error: one raised here would make the thread
                # unreadable forever.
                merged.pop(message.id or "", None)
        else:
            _put(merged, message)
            has_answers = has_answers or isinstance(message, ToolMessage)
    messages = list(merged.values())
    return _in_call_order(messages, unchanged) if has_answers else messages


def _in_call_order(messages: list[AnyMessage], start: int) -> list[AnyMessage]:
    """Sorts the tool messages from `start` on into the order of the calls that they answer.

    LangGraph may replay what parallel tasks wrote in another order than it merged them first. The
    request would change with the order, and the ledger would not find the answer it has stored for
    the request.
    """
    while start > 0 and not isinstance(messages[start - 1], AIMessage):
        start -= 1
    first = start = max(start - 1, 0)  # the message with the calls
    places: dict[str, int] = {}
    # The None at the end closes the last group of answers.
    for place, message in enumerate([*messages[start:], None], start):
        if isinstance(message, ToolMessage):
            continue
        messages[first:place] = sorted(
            messages[first:place], key=lambda answer: places.get(_call_id(answer), -1)
        )
        places = {}
        # With an unreadable call among them, `tool_calls` does not have the order of all calls.
        if isinstance(message, AIMessage) and not message.invalid_tool_calls:
            places = {call["id"] or "": number for number, call in enumerate(message.tool_calls)}
        first = place + 1
    return messages


def _call_id(message: AnyMessage) -> str:
    return message.tool_call_id if isinstance(message, ToolMessage) else ""


def coerce_message(value: Any) -> AnyMessage:
    """Returns `value` as a LangChain message.

    `value` is a LangChain message or chunk, a `(role, content)` pair, a dict with `role` and
    `content` as OpenAI's API has it, a string (then it is a user message), or a LangChain message
    that was written as a dict. A content that is an object becomes its JSON text.

        >>> coerce_message({"role": "user", "content": "Hi"}).type
        'human'

    Raises TurnValueError for anything else.
    """
    if type(value) in _WHOLE:
        return value  # type: ignore[no-any-return]
    if isinstance(value, BaseMessageChunk):
        # A parent graph that merges chunks into its state would add to them later.
        return message_chunk_to_message(value)  # type: ignore[return-value]
    if isinstance(value, BaseMessage):
        return value  # type: ignore[return-value]
    try:
        if (written := _written_message(value)) is not None:
            return written
        [message] = convert_to_messages([_with_json_content(value)])
    except (ValueError, TypeError, NotImplementedError, KeyError, AttributeError) as exc:
        raise TurnValueError(
            f"Not a message: {quoted(value, 120)}. Allowed: a LangChain message, a (role, content) "
            "pair, a dict with `role` and `content`, or a string; "
            "roles: system, developer, user, assistant, tool."
        ) from exc
    return message  # type: ignore[return-value]


def _with_json_content(value: Any) -> Any:
    """Returns `value` with the JSON of a content that is an object, which no message can have."""
    if isinstance(value, Mapping) and isinstance(value.get("content"), Mapping):
        return {**value, "content": json_text(value["content"], "A message's content")}
    if isinstance(value, tuple | list) and len(value) == 2 and isinstance(value[1], Mapping):
        return value[0], json_text(value[1], "A message's content")
    return value


def _written_message(value: Any) -> AnyMessage | None:
    """Returns the message that was written as the dict `value`, or None if it is another value.

    Takes the three forms that LangChain has: `message.model_dump()`, `message_to_dict(message)` and
    `dumpd(message)`. `convert_to_messages` does not know the second, and loses the usage and the
    unreadable calls of an answer in the others.
    """
    if not isinstance(value, Mapping):
        return None
    inner = value.get("kwargs" if "lc" in value else "data")
    fields = inner if isinstance(inner, Mapping) else value
    kind = value.get("type") if "data" in value else fields.get("type")
    message_class = _CLASSES.get(kind) if isinstance(kind, str) else None
    if message_class is None or (fields is value and "additional_kwargs" not in value):
        return None
    read = {name: field for name, field in fields.items() if name != "type"}
    return message_class.model_validate(read)  # type: ignore[return-value]


def _flatten(writes: Sequence[object]) -> Iterator[AnyMessage]:
    for write in writes:
        if isinstance(write, list):
            for item in write:
                yield coerce_message(item)
        else:
            yield coerce_message(write)


def _put(merged: dict[str, AnyMessage], message: AnyMessage) -> None:
    if not message.id:
        message = message.model_copy(update={"id": _id_for(message, merged)})
    merged[message.id] = message  # type: ignore[index]


def _id_for(message: AnyMessage, taken: dict[str, AnyMessage]) -> str:
    place = len(taken)
    while (minted := str(uuid.uuid5(_IDS, f"{place}:{message.type}:{message.content}"))) in taken:
        place += 1
    return minted
