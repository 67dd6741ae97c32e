"""Edits of the conversation, as JSON: the model is then sent what stands there."""

import json
from collections.abc import Mapping
from typing import Any, Final

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
)

from turngraph.interfaces.stepper.engine.places import role_of
from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.engine.typed_json import typed_json
from turngraph.state.errors import TurnInvocationError, TurnValueError
from turngraph.state.json_types import JsonObject

__all__ = ["edit_messages", "editable_messages"]

_MOST_MESSAGES: Final = 10
_MAX_CHARS: Final = 20_000
_NEW: Final[Mapping[str, type[BaseMessage]]] = {
    "user": HumanMessage,
    "assistant": AIMessage,
    "system": SystemMessage,
}
"""The messages that can be added, by role."""


def editable_messages(stepper: Stepper) -> str:
    """Returns the last messages as JSON; empty if there are none to edit here, or too long ones.

    Nothing is editable at the end, or if the graph gives its messages no ids: such messages can
    only be added.
    """
    messages = [] if stepper.now.finished else _last(stepper)
    if not all(message.id for message in messages):
        return ""
    try:
        text = json.dumps(list(map(_plain, messages)), ensure_ascii=False, indent=2)
    except (TypeError, ValueError, RecursionError):
        return ""
    return text if messages and len(text) <= _MAX_CHARS else ""


def edit_messages(stepper: Stepper, message: Mapping[str, Any]) -> None:
    """Makes the last messages what the JSON in `message` says.

    One with a known id is changed, one without an id is added, and one that is missing is removed.
    Raises TurnValueError for a text that is no such JSON, TurnInvocationError if nothing changes.
    """
    known = {str(each.id): each for each in _last(stepper)} if editable_messages(stepper) else {}
    if not known:
        raise TurnInvocationError("No messages can be edited here.")
    given = _parsed(str(message["value"]))
    kept = {str(each["id"]) for each in given if each.get("id")}
    if unknown := kept - known.keys():
        raise TurnValueError(f"There is no message with the id {', '.join(sorted(unknown))} here.")
    changes = [_changed(each, known) for each in given]
    removed = [RemoveMessage(id=each) for each in known if each not in kept]
    edited = [each for each in (*changes, *removed) if each is not None]
    if not edited:
        raise TurnInvocationError("These are the messages as they are: nothing was changed.")
    stepper.edit(messages=edited)


def _last(stepper: Stepper) -> list[BaseMessage]:
    messages = stepper.state.get("messages")
    last = messages[-_MOST_MESSAGES:] if isinstance(messages, list) else []
    return [each for each in last if isinstance(each, BaseMessage)]


def _plain(message: BaseMessage) -> JsonObject:
    plain: JsonObject = {
        "id": message.id,
        "role": role_of(message),
        "content": message.content,
    }
    calls = getattr(message, "tool_calls", None)
    if calls:
        plain["tool_calls"] = [
            {"id": call["id"], "name": call["name"], "args": call["args"]} for call in calls
        ]
    return plain


def _parsed(text: str) -> list[Any]:
    given = typed_json(text, "The messages are")
    is_plain = isinstance(given, list) and all(
        isinstance(each, dict) and isinstance(each.get("content"), str | list) for each in given
    )
    if not is_plain:
        raise TurnValueError("The messages are a JSON list of objects with `role` and `content`.")
    return list(given)


def _changed(given: Mapping[str, Any], known: Mapping[str, BaseMessage]) -> BaseMessage | None:
    """The message that `given` describes; None if it is as it was."""
    before = known.get(str(given.get("id") or ""))
    if before is None:
        kind = _NEW.get(str(given.get("role")))
        if kind is None:
            raise TurnValueError(f"A message can be added as {', '.join(_NEW)}.")
        if more := given.keys() - {"id", "role", "content"}:
            raise TurnValueError(f"An added message has no {', '.join(sorted(more))}.")
        return _valid(kind, {"content": given["content"]})
    plain = _plain(before)
    if given == plain:
        return None
    if given.get("role") != plain["role"]:
        raise TurnValueError(f"The role of a message stays: {plain['role']}.")
    update = {"content": given["content"]}
    if isinstance(before, AIMessage):
        update["tool_calls"] = given.get("tool_calls", [])
    return _valid(type(before), {**before.model_dump(), **update})


def _valid(kind: type[BaseMessage], values: Mapping[str, Any]) -> BaseMessage:
    try:
        return kind.model_validate(values)
    except ValueError as exc:
        raise TurnValueError(f"This is no message: {exc}") from exc
