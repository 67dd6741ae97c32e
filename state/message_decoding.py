"""Decodes stored lists of messages, without validating each of them a second time.

A message was validated before it was stored. Where its stored fields are those of its class, each
of a type that pydantic would leave as it is, the message is put together from them: pydantic's way
takes five times as long. Any other message is built as LangGraph does.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import ormsgpack
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.checkpoint.serde.jsonplus import EXT_PYDANTIC_V2

__all__ = ["decoded_list"]


class _OtherValueError(Exception):
    """A list holds something else than messages."""


def decoded_list(encoded: bytes, decode: Callable[[bytes], Any]) -> Any:
    """Returns the list that `encoded`, in LangGraph's MessagePack, holds.

    `decode` is LangGraph's own way; it is used for a list that holds anything but messages.
    """
    if _MODULE not in encoded[:_HEAD_BYTES]:
        return decode(encoded)
    try:
        return ormsgpack.unpackb(encoded, ext_hook=_message, option=_OPTIONS)
    except Exception:  # noqa: BLE001  whatever it is, LangGraph's way says what is wrong
        return decode(encoded)


_MODULE: Final = b"langchain_core.messages."
_HEAD_BYTES: Final = 64
"""The name of the first item's module stands in these."""
_OPTIONS: Final = ormsgpack.OPT_NON_STR_KEYS
_CALL: Final = ("name", "args", "id", "type")
_CLASSES: Final[Mapping[tuple[str, str], type[BaseMessage]]] = {
    (kind.__module__, kind.__name__): kind
    for kind in (AIMessage, HumanMessage, SystemMessage, ToolMessage)
}
_FIELDS: Final[Mapping[type[BaseMessage], tuple[str, ...]]] = {
    kind: tuple(kind.model_fields) for kind in _CLASSES.values() if not kind.__private_attributes__
}


def _message(code: int, data: bytes) -> BaseMessage:
    if code != EXT_PYDANTIC_V2:
        raise _OtherValueError
    module, name, fields, _ = ormsgpack.unpackb(data, ext_hook=_message, option=_OPTIONS)
    kind = _CLASSES.get((module, name))
    if kind is None:
        raise _OtherValueError
    if not (tuple(fields) == _FIELDS.get(kind) and _is_as_validated(kind, fields)):
        return kind(**fields)
    message = kind.__new__(kind)
    # As pydantic's own `model_construct` sets them.
    object.__setattr__(message, "__dict__", fields)
    object.__setattr__(message, "__pydantic_fields_set__", set(fields))
    object.__setattr__(message, "__pydantic_extra__", {})
    object.__setattr__(message, "__pydantic_private__", None)
    return message


def _is_as_validated(kind: type[BaseMessage], fields: Mapping[str, Any]) -> bool:
    """Whether pydantic would leave every field of a message as it is."""
    return (
        type(fields["content"]) is str
        and type(fields["id"]) is str
        and type(fields["additional_kwargs"]) is dict
        and type(fields["response_metadata"]) is dict
        and (fields["name"] is None or type(fields["name"]) is str)
        and fields["type"] == _TYPES[kind]
        and _IS_AS_VALIDATED.get(kind, _has_nothing_more)(fields)
    )


def _has_nothing_more(fields: Mapping[str, Any]) -> bool:
    return True


def _is_answer(fields: Mapping[str, Any]) -> bool:
    calls, usage = fields["tool_calls"], fields["usage_metadata"]
    return (
        type(calls) is list
        # Without calls, LangChain reads those that the vendor sent.
        and (bool(calls) or "tool_calls" not in fields["additional_kwargs"])
        and all(_is_call(call) for call in calls)
        and fields["invalid_tool_calls"] == []
        and (usage is None or _is_usage(usage))
    )


def _is_call(call: Any) -> bool:
    return (
        type(call) is dict
        and tuple(call) == _CALL
        and type(call["name"]) is str
        and type(call["args"]) is dict
        and type(call["id"]) is str
        and call["type"] == "tool_call"
    )


def _is_usage(usage: Any) -> bool:
    """Whether all that is counted is a whole number, or a dict of them."""
    return type(usage) is dict and all(
        type(value) is int
        or (type(value) is dict and all(type(each) is int for each in value.values()))
        for value in usage.values()
    )


def _is_result(fields: Mapping[str, Any]) -> bool:
    return type(fields["tool_call_id"]) is str and fields["status"] in ("success", "error")


_TYPES: Final = {kind: kind.model_fields["type"].default for kind in _CLASSES.values()}
_IS_AS_VALIDATED: Final[Mapping[type[BaseMessage], Callable[[Mapping[str, Any]], bool]]] = {
    AIMessage: _is_answer,
    ToolMessage: _is_result,
}
