"""Sends earlier reasoning back in the one member that the vendor documents, or not at all."""

from collections.abc import Callable, Mapping
from typing import Final

from turngraph.providers.vendors.profiles import Quirks
from turngraph.providers.vendors.reasoning_fields import (
    DEFAULT_TEXT_FIELD,
    REASONING_COPIES,
    REASONING_PART_FIELDS,
    REASONING_TEXT_FIELDS,
    THINK_CLOSE,
    THINK_OPEN,
)
from turngraph.state.json_types import JsonMapping, JsonObject

__all__ = ["received_text_field", "replay_reasoning"]

STANDARD: Final = frozenset(
    ("role", "content", "name", "tool_calls", "refusal", "audio", "tool_call_id")
)
"""Members of a message that every vendor knows; the others came from a vendor's answer."""

_IS_REPLAYED: Final[Mapping[str, Callable[[JsonObject, bool], bool]]] = {
    "never": lambda message, since_user: False,
    "tool_loop": lambda message, since_user: since_user,
    "with_calls": lambda message, since_user: "tool_calls" in message,
    "always": lambda message, since_user: True,
}
"""Whether a message's reasoning goes back, by `Quirks.reasoning_replay`. `since_user` says that the
message comes after the last one of the user.
"""


def received_text_field(members: JsonMapping, reasoning: str | None = None) -> str | None:
    """The member in which an answer's reasoning came as text, or None.

    reasoning: only a member that holds exactly this text counts.

        >>> received_text_field({"reasoning": "2+2"})
        'reasoning'
    """
    values = ((name, members.get(name)) for name in REASONING_TEXT_FIELDS)
    return next(
        (name for name, value in values if value and reasoning in (None, value)),
        None,
    )


def replay_reasoning(messages: list[JsonObject], quirks: Quirks) -> None:
    """Changes `messages` in place: reasoning goes back as the vendor of `quirks` wants it."""
    users = (n for n, message in enumerate(messages) if message["role"] == "user")
    last_user = max(users, default=-1)
    is_replayed = _IS_REPLAYED[quirks.reasoning_replay]
    for n, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        if is_replayed(message, n > last_user):
            _keep_in_one_member(message, quirks)
        elif not STANDARD.issuperset(message):
            for name in message.keys() - STANDARD:
                del message[name]


def _keep_in_one_member(message: JsonObject, quirks: Quirks) -> None:
    """Leaves the reasoning of `message` in one member, whatever members it came in.

    Answers often hold the same reasoning several times (OpenRouter's `reasoning` and
    `reasoning_details`). Sent back like this it would be read, and billed, several times.
    """
    texts = {name: message.pop(name) for name in REASONING_TEXT_FIELDS if name in message}
    parts = {name: message.pop(name) for name in REASONING_PART_FIELDS if name in message}
    _remove_copies(message)
    # Parts hold signatures that the text lacks, so they are preferred where the vendor reads them.
    if quirks.reasoning_parts is not None and parts.get(quirks.reasoning_parts):
        message[quirks.reasoning_parts] = parts[quirks.reasoning_parts]
        return
    received, text = next(iter(texts.items()), (DEFAULT_TEXT_FIELD, None))
    if quirks.reasoning_field == "think_tags":
        _write_think_tags(message, text)
        return
    field = received if quirks.reasoning_field == "as_received" else quirks.reasoning_field
    if text is not None:
        message[field] = text
    elif quirks.blank_reasoning and "tool_calls" in message:
        message[field] = ""


def _remove_copies(message: JsonObject) -> None:
    for name, copies in REASONING_COPIES.items():
        if not isinstance(value := message.get(name), dict):
            continue
        rest = {key: member for key, member in value.items() if key not in copies}
        if rest:
            message[name] = rest
        else:
            del message[name]


def _write_think_tags(message: JsonObject, reasoning: str | None) -> None:
    """Puts the reasoning before the text, between the tags that the model itself writes."""
    content = message.get("content") or ""
    if not reasoning:
        return
    thought = f"{THINK_OPEN}{reasoning}{THINK_CLOSE}"
    if isinstance(content, str):
        message["content"] = thought + content
    else:
        message["content"] = [{"type": "text", "text": thought}, *content]
