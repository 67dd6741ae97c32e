"""Chat Completions messages, adapted to what one vendor accepts.

Each step deals with one quirk of the vendor's profile, and changes nothing if the profile does not
set it. The steps change the messages in place.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from turngraph.providers.vendors.profiles import Quirks
from turngraph.providers.writing.content_parts import (
    adapt_parts,
    as_text,
    move_tool_media,
    note_tool_media,
)
from turngraph.providers.writing.notes import Notes
from turngraph.providers.writing.reasoning_replay import replay_reasoning
from turngraph.providers.writing.unique_ids import plain_id, short_id
from turngraph.state.arguments import parse_arguments
from turngraph.state.errors import ToolArgumentsError
from turngraph.state.json_types import JsonObject

__all__ = ["adapt_messages"]

Messages: TypeAlias = list[JsonObject]

_NAME: Final = re.compile(r"[^\s<|\\/>]{1,64}")
"""What `name` may be: https://platform.openai.com/docs/api-reference/chat/create"""
_MAX_ID: Final = 40
"""Characters that an id of a call may have on Chat Completions."""


def adapt_messages(messages: Messages, quirks: Quirks, notes: Notes) -> Messages:
    """`messages`, freshly written, as the vendor of `quirks` takes them. Changes them in place."""
    for step in _STEPS:
        messages = step(messages, quirks, notes)
    return messages


def _adapt_reasoning(messages: Messages, quirks: Quirks, notes: Notes) -> Messages:
    replay_reasoning(messages, quirks)
    return messages


def _adapt_extra_content(messages: Messages, quirks: Quirks, notes: Notes) -> Messages:
    """Keeps, removes or replaces what came beside a tool call (`extra_content`).

    Gemini 3 refuses a call without its signature, so a call that another vendor's model made gets
    the stand-in Google documents: https://ai.google.dev/gemini-api/docs/thought-signatures
    """
    for message in messages:
        calls = message.get("tool_calls")
        if not calls:
            continue
        if not quirks.extra_content:
            for call in calls:
                call.pop("extra_content", None)
        elif quirks.missing_extra_content is not None and not any(
            "extra_content" in call for call in calls
        ):
            calls[0]["extra_content"] = quirks.missing_extra_content
    return messages


def _adapt_roles(messages: Messages, quirks: Quirks, notes: Notes) -> Messages:
    if quirks.system_role != "as_written":
        for message in messages:
            if message["role"] in ("system", "developer"):
                message["role"] = quirks.system_role
    return messages


def _join_system_messages(messages: Messages, quirks: Quirks, notes: Notes) -> Messages:
    """Joins the system messages into one at the start: chat templates of open models raise an error
    for a second one.
    """
    system = [message for message in messages if message["role"] == "system"]
    if not quirks.one_system_message or len(system) < 2:
        return messages
    notes.add(f"{len(system)} system messages are sent as one: {notes.vendor} takes no more.")
    joined = "\n\n".join(as_text(message["content"]) for message in system)
    others = [message for message in messages if message["role"] != "system"]
    return [{"role": "system", "content": joined}, *others]


def _drop_names(messages: Messages, quirks: Quirks, notes: Notes) -> Messages:
    for message in messages:
        name = message.get("name")
        if name is not None and not (quirks.names and _NAME.fullmatch(name)):
            why = f"`{name[:64]}` holds characters no vendor takes" if quirks.names else ""
            notes.add_dropped("name", why)
            del message["name"]
    return messages


def _rewrite_call_ids(messages: Messages, quirks: Quirks, notes: Notes) -> Messages:
    length = quirks.tool_id_length
    if length is None and not quirks.plain_tool_ids:
        return messages

    def sent(call_id: str) -> str:
        return plain_id(call_id, _MAX_ID) if length is None else short_id(call_id, length)

    for message in messages:
        for call in message.get("tool_calls") or ():
            call["id"] = sent(call["id"])
        if "tool_call_id" in message:
            message["tool_call_id"] = sent(message["tool_call_id"])
    return messages


def _repair_arguments(messages: Messages, quirks: Quirks, notes: Notes) -> Messages:
    """Replaces arguments that are not a JSON object: some servers parse earlier calls, and answer
    with an error if they cannot.
    """
    if not quirks.json_arguments:
        return messages
    for message in messages:
        for call in message.get("tool_calls") or ():
            if "function" not in call:
                continue
            text = call["function"]["arguments"]
            if _is_json_object(text):
                continue
            call["function"]["arguments"] = "{}"
            if text.strip():
                notes.add(
                    "Arguments of an earlier call that are not a JSON object are sent as {} to "
                    f"{notes.vendor}."
                )
    return messages


def _is_json_object(text: str) -> bool:
    try:
        parse_arguments(text)
    except ToolArgumentsError:
        return False
    return bool(text.strip())


def _adapt_empty_answers(messages: Messages, quirks: Quirks, notes: Notes) -> Messages:
    if quirks.empty_assistant == "as_is":
        return messages
    adapted: Messages = []
    for message in messages:
        if message["role"] == "assistant" and not message.get("content"):
            if quirks.empty_assistant == "string":
                message["content"] = ""
            elif not message.get("tool_calls"):
                notes.add(f"An answer without text is left out: {notes.vendor} refuses it.")
                continue
        adapted.append(message)
    return adapted


def _bridge_to_user(messages: Messages, quirks: Quirks, notes: Notes) -> Messages:
    """Puts an answer between a tool's result and a user message, where the vendor demands one."""
    if quirks.bridge is None:
        return messages
    adapted: Messages = []
    for message in messages:
        if message["role"] == "user" and adapted and adapted[-1]["role"] == "tool":
            notes.add(
                f"An answer, `{quirks.bridge}`, is put between a tool's result and the user's "
                f"message: {notes.vendor} demands one."
            )
            adapted.append({"role": "assistant", "content": quirks.bridge})
        adapted.append(message)
    return adapted


# The order matters: media moves before parts are checked, ids are shortened in all messages, and
# the last two steps look at messages as they will be sent.
_STEPS: Final[Sequence[Callable[[Messages, Quirks, Notes], Messages]]] = (
    _adapt_reasoning,
    _adapt_extra_content,
    _adapt_roles,
    _join_system_messages,
    note_tool_media,
    move_tool_media,
    adapt_parts,
    _drop_names,
    _rewrite_call_ids,
    _repair_arguments,
    _adapt_empty_answers,
    _bridge_to_user,
)
