"""Checks the messages that a caller adds to a thread, while nothing is stored yet.

A message that no checkpoint can hold, or that no vendor takes, would stand in every later request:
the thread would be lost.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from langchain_core.messages import AIMessage, AnyMessage, SystemMessage, ToolMessage

from turngraph.state.arguments import json_text
from turngraph.state.errors import TurnValueError

__all__ = ["check_json", "check_message", "check_numbers", "check_storable", "check_text"]

_BESIDE_CONTENT: Final = (
    "additional_kwargs",
    "response_metadata",
    "tool_calls",
    "invalid_tool_calls",
    "artifact",
)
"""The fields of a message, beside its content, that a caller may fill and a vendor may be sent."""
_NAMES: Final = ("id", "name", "tool_call_id")
_SENT_BACK: Final[Mapping[str, type]] = {
    "refusal": str,
    "reasoning_content": str,
    "extra": dict,
    "audio": dict,
    "tool_calls": list,
    "content_parts": list,
    "output_items": list,
}
"""The members of `additional_kwargs` that are read when an answer is sent back to a vendor."""
_KINDS: Final[Mapping[type, str]] = {str: "a text", dict: "an object", list: "a list of objects"}
_LEAST_INTEGER: Final = -(2**63)
_GREATEST_INTEGER: Final = 2**64 - 1
"""Checkpoints are written as MessagePack, which has no larger integers:
https://github.com/msgpack/msgpack/blob/master/spec.md#integers
"""
_TEXT: Final = frozenset((str,))
_ALWAYS_SAFE: Final = frozenset((str, bool, float, type(None)))
"""Exact types whose values are no large numbers and hold none."""
_CONTAINERS: Final = (list, tuple, Mapping)
_MOST_LEVELS: Final = 100
"""Levels of lists and objects. MessagePack's writer gives up above about 250."""


def check_message(message: AnyMessage, place: int, limit: int) -> None:
    """Raises TurnValueError for a message that could not be stored or sent.

    `place` is its place among the messages that were given, and `limit` the most characters that it
    may have.
    """
    content, where = message.content, f"messages[{place}]"
    # Fields are read here: for one that a message does not have, pydantic's `getattr` takes long.
    fields = vars(message)
    beside = [value for name in _BESIDE_CONTENT if (value := fields.get(name))]
    if isinstance(content, str):
        check_text(content, where)
    else:
        check_json(content, where)
    if beside:
        check_json(beside, where)
    for name in _NAMES:
        if text := fields.get(name):
            check_text(text, f"`{where}.{name}`")
    size = len(content) if isinstance(content, str) else sum(len(text) for text in _texts(content))
    if size > limit:
        raise TurnValueError(
            f"{where} is {size:,} characters long; "
            f"`TurnLimits.message_chars` allows {limit:,}. Shorten it."
        )
    if isinstance(message, AIMessage):
        _check_calls(message, where)
        if kwargs := fields.get("additional_kwargs"):
            _check_kwargs(kwargs, where)
    elif isinstance(message, ToolMessage | SystemMessage):
        _check_not_empty(message, where)


def check_json(value: Any, where: str) -> None:
    """Raises TurnValueError where `value` cannot be written as JSON, or not be stored."""
    if type(value) in (dict, list) and _is_plain_json(value):
        return
    check_numbers(value, where)
    check_text(json_text(value, where), where)


def check_storable(value: Any, where: str) -> None:
    """Raises TurnValueError for a number, a text or a depth that no checkpoint can hold. Objects
    that JSON has no form for are fine: checkpoints have one.
    """
    for part in check_numbers(value, where):
        if isinstance(part, str):
            check_text(part, where)


def check_text(text: str, where: str) -> None:
    """Raises TurnValueError for a text that UTF-8 cannot encode."""
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise TurnValueError(
            f"{where} holds a lone surrogate at character {exc.start}, "
            "which UTF-8 cannot encode. Remove it."
        ) from None


def _is_plain_json(value: dict[str, Any] | list[Any]) -> bool:
    """Whether one quick look at every part of `value` shows that it can be stored and sent.

    Nearly every value is so; any other one is checked thoroughly, and may be fine too.
    """
    # Exact types only: `isinstance` with an abstract class takes ten times as long.
    open_values: list[tuple[Any, int]] = [(value, 0)]
    while open_values:
        one, level = open_values.pop()
        if level >= _MOST_LEVELS or (type(one) is dict and not _TEXT.issuperset(map(type, one))):
            return False
        for part in (*one, *one.values()) if type(one) is dict else one:
            kind = type(part)
            if kind is str:
                if not part.isascii() and not _is_encodable(part):
                    return False
            elif kind is dict or kind is list:
                open_values.append((part, level + 1))
            elif kind is int:
                if not _LEAST_INTEGER <= part <= _GREATEST_INTEGER:
                    return False
            elif kind is float:
                if not isfinite(part):
                    return False
            elif kind is not bool and part is not None:
                return False
    return True


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_numbers(value: Any, where: str) -> list[Any]:
    """Returns every part of `value`. Raises TurnValueError for a number or a depth that no
    checkpoint can hold.
    """
    parts: list[Any] = []
    # With a list of its own instead of recursion: the value may be deeper than Python's stack.
    open_values = [(value, 0)]
    while open_values:
        one, level = open_values.pop()
        parts.append(one)
        if type(one) in _ALWAYS_SAFE:
            continue
        if isinstance(one, int) and not _LEAST_INTEGER <= one <= _GREATEST_INTEGER:
            bits = one.bit_length()
            raise TurnValueError(
                f"{where} holds a whole number of {bits} bits. "
                "Allowed: up to 64 bits; write a larger one as text."
            )
        if not isinstance(one, _CONTAINERS):
            continue
        if isinstance(one, Mapping):
            parts.extend(one)
        if level >= _MOST_LEVELS:
            raise TurnValueError(
                f"{where} is nested too deeply. Allowed: {_MOST_LEVELS} levels of lists and "
                "objects; flatten it."
            )
        inner = one.values() if isinstance(one, Mapping) else one
        open_values.extend((item, level + 1) for item in inner)
    return parts


def _check_calls(message: AIMessage, where: str) -> None:
    for call in (*message.tool_calls, *message.invalid_tool_calls):
        if not call["id"] or not call["name"]:
            raise TurnValueError(
                f"{where} has a tool call with the name `{call['name'] or ''}` and the id "
                f"`{call['id'] or ''}`; both must be given."
            )


def _check_kwargs(kwargs: Mapping[str, Any], where: str) -> None:
    """Raises TurnValueError where a member that is sent back to a vendor has another type."""
    for name, kind in _SENT_BACK.items():
        value = kwargs.get(name)
        items = value if kind is list and isinstance(value, list) else ()
        if value is None or (
            isinstance(value, kind) and all(isinstance(item, Mapping) for item in items)
        ):
            continue
        raise TurnValueError(
            f"`{where}.additional_kwargs.{name}` is {type(value).__name__}, or holds what is no "
            f"object; it must be {_KINDS[kind]}."
        )
    audio = kwargs.get("audio")
    if audio and not isinstance(audio.get("id"), str):
        raise TurnValueError(
            f"`{where}.additional_kwargs.audio` has no `id`; give the id of the answer's audio."
        )


def _check_not_empty(message: ToolMessage | SystemMessage, where: str) -> None:
    if isinstance(message, ToolMessage) and not message.tool_call_id:
        raise TurnValueError(
            f"{where} is a tool's result with an empty `tool_call_id`; give the id of the call "
            "that it answers."
        )
    if isinstance(message.content, list) and not message.content:
        raise TurnValueError(
            f"The content of {where} ({message.type}) is an empty list, which vendors refuse; "
            "write a text, which may be empty."
        )


def _texts(parts: list[Any]) -> list[str]:
    return [part if isinstance(part, str) else str(part.get("text", "")) for part in parts]
